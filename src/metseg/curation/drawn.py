"""Which slices a person has drawn on or looked at, from the records of the journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from metseg.curation.enums import EditKind, EntryKind, ToolName

if TYPE_CHECKING:
    from metseg.curation.record import Record

_WITH_MOUSE = (EditKind.STROKE, EditKind.FILL, EditKind.POLYGON)
_BY_HAND = (*_WITH_MOUSE, EditKind.OTHER)
_LED_BY_HAND = (ToolName.BRUSH, ToolName.ERASER)
_BY_SLICE = (ToolName.GROW, ToolName.SHRINK, ToolName.COPY)


def drawn_slices(history: Iterable[Record], lesion: int) -> set[int]:
    """Slices in which a lesion was drawn or corrected by a person since a network or an interpolation drew it.

    Parameters
    ----------
    history : iterable of Record
        Of the case, oldest first. What was undone counts as drawn: somebody looked at that slice.
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


def reviewed_slices(history: Iterable[Record]) -> set[int]:
    """Collects the slices that somebody has looked at since the newest prediction.

    Parameters
    ----------
    history : iterable of Record
        Of the case, oldest first. A slice that was drawn on stays reviewed when the stroke is undone.
    """
    reviewed: set[int] = set()
    for record in history:
        if record.prediction is not None:
            reviewed.clear()
        reviewed.update(slices_seen(record))
    return reviewed


def slices_seen(record: Record) -> Collection[int]:
    """Lists the slices, counted from 0, that a person must have seen for ``record`` to be there.

    They are those of a ``reviewed`` record, those a brush was led through, and those of imported masks. Whoever
    deletes a whole lesion, or draws in 3D through several slices at once, need not have seen all of them, and what a
    program wrote nobody need have seen.
    """
    if record.kind is EntryKind.REVIEWED:
        return record.slices
    if record.kind is EditKind.IMPORT:
        given: Collection[int] = record.detail.get("slices", _span(record))
        return given
    if record.kind in _WITH_MOUSE:
        span = _span(record)
        return span if len(span) == 1 else ()
    return _by_hand(record) if _tool(record) in (*_LED_BY_HAND, *_BY_SLICE) else ()


def _by_hand(record: Record) -> Collection[int]:
    if _tool(record) in _LED_BY_HAND:
        led: Collection[int] = record.detail.get("slices", _span(record))
        return led
    if _tool(record) in _BY_SLICE:
        grown: Collection[int] = record.detail.get("slices", ())
        return grown
    return _span(record) if record.kind in _BY_HAND else ()


def _tool(record: Record) -> object:
    return record.detail.get("tool") if record.kind is EditKind.TOOL else None


def _span(record: Record) -> range:
    """From the first to the last slice that changed."""
    return range(0) if record.bbox is None else range(record.bbox[0][0], record.bbox[1][0])
