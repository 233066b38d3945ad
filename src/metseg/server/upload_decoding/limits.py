"""How large an upload may be once it is decoded, and why one is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from metseg.errors import MetsegError


class Reason(StrEnum):
    """Kinds of refusal; each is an HTTP status of its own."""

    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too large"
    UNREADABLE = "unreadable"
    MISNAMED = "misnamed"


class UploadRejected(MetsegError):
    """An upload is not taken.

    Parameters
    ----------
    reason : str
        What is wrong, in words for the person who sent it.
    """

    def __init__(self, why: Reason, reason: str) -> None:
        super().__init__(reason)
        self.why = why
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[Reason, str]]:
        return type(self), (self.why, self.reason)


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest image that is decoded.

    Attributes
    ----------
    samples : int
        Slices x rows x columns x channels.
    slices : int
        Slices.
    side : int
        Rows, and columns, in pixels.
    """

    samples: int
    slices: int
    side: int

    def check(self, slices: int, rows: int, columns: int, channels: int) -> None:
        """Refuse an image whose header declares too much.

        UploadRejected if one of the numbers is too large, or not positive.
        """
        shape = (slices, rows, columns, channels)
        declared = f"{slices} slices of {rows} x {columns} pixels, {channels} channels"
        if min(shape) < 1:
            raise UploadRejected(Reason.UNREADABLE, f"the header declares {declared}")
        if max(rows, columns) > self.side:
            raise UploadRejected(Reason.TOO_LARGE, f"{declared}; the longest side may be {self.side} pixels")
        if slices > self.slices:
            raise UploadRejected(Reason.TOO_LARGE, f"{declared}; at most {self.slices} slices are taken")
        if math.prod(shape) > self.samples:
            raise UploadRejected(Reason.TOO_LARGE, f"{declared}; all together may have {self.samples} values")
