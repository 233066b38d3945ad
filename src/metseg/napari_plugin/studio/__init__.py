"""The correction studio: the window on a project of cases. Everything that counts is kept by :mod:`metseg.curation`.

``studio`` acts, ``state`` says what is the case, panels show it. Reached through the manifest, so nothing is imported
up front.
"""

__all__: list[str] = []
