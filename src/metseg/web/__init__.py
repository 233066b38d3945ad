"""A page for the browser: upload a study, look at what a network outlines, take it home. Calls the server's API."""

from metseg.web.launching import PAGE, open_page

__all__ = ["PAGE", "open_page"]
