"""The dock widget "Open from PACS": search, open, store. A Qt-free state, a controller, sections that show it."""

__all__: list[str] = []
