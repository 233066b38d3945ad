"""In which slices a person has drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metseg.curation import EditKind, Record
from metseg.curation.tools import ToolError

_BY_HAND = (EditKind.STROKE, EditKind.FILL, EditKind.POLYGON, EditKind.OTHER)
#: Names in a TOOL record's detail: tools that a person leads through the slices named there, and the one that fills.
BRUSH, ERASER, INTERPOLATE = "guided brush", "guided eraser", "interpolate"


def drawn_slices(history: Iterable[Record], lesion: int) -> set[int]:
    """Slices in which a lesion was drawn or corrected by a person since a network or an interpolation drew it.

    Parameters
    ----------
    history : iterable of Record
        Of the case, oldest first. What was undone counts as drawn: somebody looked at that slice.
    lesion : int
        Its number.
    """
    drawn: set[int] = set()
    for record in history:
        if record.bbox is None or lesion not in record.lesions:
            continue
        (first, *_), (stop, *_) = record.bbox
        tool = record.detail.get("tool") if record.kind is EditKind.TOOL else None
        if tool in (BRUSH, ERASER):
            drawn.update(record.detail["slices"])
        elif record.kind in _BY_HAND:
            drawn.update(range(first, stop))
        elif record.kind is EditKind.MODEL or tool == INTERPOLATE:
            drawn.difference_update(range(first, stop))
    return drawn


def slices_by_hand(history: Iterable[Record]) -> set[int]:
    """Slices that a person has drawn on, with a brush of any kind or by filling.

    A tool that acts on a whole lesion is no drawing: whoever deletes a lesion need not have seen all of its slices.

    Parameters
    ----------
    history : iterable of Record
        Of the case. What was undone counts as drawn.
    """
    drawn: set[int] = set()
    for record in history:
        if record.kind is EditKind.TOOL and record.detail.get("tool") in (BRUSH, ERASER):
            drawn.update(record.detail["slices"])
        elif record.bbox is not None and record.kind in (*_BY_HAND, EditKind.IMPORT):
            drawn.update(range(record.bbox[0][0], record.bbox[1][0]))
    return drawn


def slices_round(shown: int, present: Collection[int], drawn: Collection[int]) -> tuple[int, int]:
    """The two slices to interpolate between.

    Parameters
    ----------
    shown : int
        Slice on screen, which is to be filled.
    present : collection of int
        Slices that the lesion is in.
    drawn : collection of int
        Slices in which it was drawn by a person.

    Returns
    -------
    tuple of int
        The nearest drawn slices before and after; where none was drawn and the lesion is not on screen, the nearest
        that it is in.

    Raises
    ------
    ToolError
        If there are no such two.
    """
    ends = []
    for side, before in (("before", True), ("after", False)):
        known = [z for z in set(present) & set(drawn) if (z < shown if before else z > shown)]
        if not known and shown not in present:
            known = [z for z in present if (z < shown if before else z > shown)]
        if not known:
            raise ToolError(f"draw or correct the lesion in a slice {side} this one first")
        ends.append(max(known) if before else min(known))
    return ends[0], ends[1]
