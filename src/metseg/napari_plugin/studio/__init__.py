"""The correction studio: the window on a project of cases. Everything that counts is kept by :mod:`metseg.curation`.

``studio`` acts, ``state`` holds what is so, panels show it. Reached through the manifest, so nothing is imported
up front.
"""

__all__: list[str] = []
