"""Which form of an answer a client wants most (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)\s*((?:;[^,]*)?)")
_QUALITY = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE)
_BAD_QUALITY = re.compile(r";\s*q\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Range:
    """A media range, as ``image/*;q=0.5``; parameters other than q are not asked."""

    type: str
    subtype: str
    quality: float

    def specificity(self, media_type: str) -> int:
        """How exactly it names ``media_type``: 3 by name, 2 by kind, 1 as anything, 0 not at all."""
        kind, _, subtype = media_type.partition("/")
        if self.type == self.subtype == "*":
            return 1
        if self.type != kind:
            return 0
        return 3 if self.subtype == subtype else 2 if self.subtype == "*" else 0


def preferred(accept: str | None, offers: Sequence[str]) -> str | None:
    """The offer that ``accept`` wants most; the first of equals; ``None`` if it wants none.

    Parameters
    ----------
    accept : str or None
        The header; nothing accepts everything.
    offers : sequence of str
        Media types, the best first.
    """
    ranges = [*_ranges(accept)] if accept and accept.strip() else [_Range("*", "*", 1.0)]
    best, most = None, 0.0
    for offer in offers:
        fitting = [(one.specificity(offer), one.quality) for one in ranges if one.specificity(offer)]
        quality = max(fitting)[1] if fitting else 0.0
        if quality > most:
            best, most = offer, quality
    return best


def _ranges(accept: str) -> list[_Range]:
    """The media ranges that can be understood."""
    found = []
    for part in accept.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            continue
        quality = _QUALITY.search(match[3])
        if quality is None and _BAD_QUALITY.search(match[3]):
            continue
        found.append(_Range(match[1].lower(), match[2].lower(), float(quality[1]) if quality else 1.0))
    return found
