"""The form of the answer is the one that the client prefers."""

from __future__ import annotations

import pytest

from metseg.server.negotiation import preferred

OFFERS = ("application/json", "image/tiff", "image/png")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/tiff"),
        ("image/*, image/tiff;q=0.5", "image/png"),
        ("image/png;q=0.5, image/tiff;q=0.6", "image/tiff"),
        ("text/html, application/xhtml+xml, */*;q=0.1", "application/json"),
        ("*/*;q=0.9, application/json;q=0", "image/tiff"),
        ("image/png;level=1;q=0.2, image/tiff;q=0.1", "image/png"),
        ("text/html", None),
        ("image/png;q=0", None),
        ("image/png;q=7", None),
        ("nonsense", None),
        ("nonsense, image/png", "image/png"),
    ],
)
def test_the_best_offer_is_chosen(accept: str | None, chosen: str | None) -> None:
    assert preferred(accept, OFFERS) == chosen
