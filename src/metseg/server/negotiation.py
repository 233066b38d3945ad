"""Which form of an answer a client wants most (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def preferred(accept: str | None, offers: Sequence[str]) -> str | None:
    """The offer that ``accept`` wants most; the first of equals; ``None`` if it wants none.

    Parameters
    ----------
    accept : str or None
        The header; nothing accepts everything.
    offers : sequence of str
        Media types, the best first.
    """
    ranges = [*_ranges((accept or "").strip() or "*/*")]

    def quality(offer: str) -> float:
        """That of the range which names the offer most exactly."""
        for name in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
            if named := [quality for range_, quality in ranges if range_ == name]:
                return max(named)
        return 0.0

    best = max(offers, key=quality)
    return best if quality(best) > 0 else None


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Media ranges and their quality; those that cannot be understood are left out, parameters other than q ignored."""
    for part in accept.split(","):
        name, *parameters = (text.strip().lower() for text in part.split(";"))
        given = [value.strip() for key, _, value in (text.partition("=") for text in parameters) if key.strip() == "q"]
        try:
            quality = float(given[0]) if given else 1.0
        except ValueError:
            continue
        if 0 <= quality <= 1:
            yield name, quality
