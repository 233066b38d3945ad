"""In which slices a person has drawn, as the journal knows it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from metseg.curation.kinds import EditKind, ToolName
from metseg.curation.record import Record

_BY_HAND = (EditKind.STROKE, EditKind.FILL, EditKind.POLYGON, EditKind.OTHER)
_LED_BY_HAND = (ToolName.BRUSH, ToolName.ERASER)


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
        if lesion not in record.lesions:
            continue
        if record.kind is EditKind.MODEL or _tool(record) == ToolName.INTERPOLATE:
            drawn.difference_update(_span(record))
        else:
            drawn.update(_by_hand(record))
    return drawn


def slices_by_hand(history: Iterable[Record]) -> set[int]:
    """Slices that a person has drawn on, with a brush of any kind or by filling, or whose masks were imported.

    A tool that acts on a whole lesion is no drawing: whoever deletes a lesion need not have seen all of its slices.

    Parameters
    ----------
    history : iterable of Record
        Of the case. What was undone counts as drawn.
    """
    drawn: set[int] = set()
    for record in history:
        drawn.update(_span(record) if record.kind is EditKind.IMPORT else _by_hand(record))
    return drawn


def _by_hand(record: Record) -> Collection[int]:
    if _tool(record) in _LED_BY_HAND:
        led: Collection[int] = record.detail.get("slices", _span(record))
        return led
    return _span(record) if record.kind in _BY_HAND else ()


def _tool(record: Record) -> object:
    return record.detail.get("tool") if record.kind is EditKind.TOOL else None


def _span(record: Record) -> range:
    """From the first to the last slice that changed."""
    return range(0) if record.bbox is None else range(record.bbox[0][0], record.bbox[1][0])
