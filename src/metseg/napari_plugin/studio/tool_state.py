"""What the tools' panel and the lesion table share: plain values with signals, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from psygnal import SignalGroupDescriptor


class OnCanvas(StrEnum):
    """Which tool has the mouse on the canvas."""

    NONE = "none"
    BRUSH = "brush"
    ERASER = "eraser"
    SPLIT = "split"
    RULER = "ruler"


class Edge(StrEnum):
    """How far *grow* and *shrink* move an edge: a pixel in one slice or in all, or to the network's next contour."""

    SLICE = "this slice"
    ALL = "all slices"
    CONTOUR = "contour"


@dataclass
class ToolState:
    """What the tools' panel and the lesion table share. Every field has a signal in ``events``.

    Attributes
    ----------
    on_canvas : OnCanvas
        Which tool has the mouse.
    redraw, neighbours
        Of the guided brush, see :func:`metseg.curation.tools.guided_brush`.
    only : (float, float), or None
        Lowest and highest intensity of what a brush may draw on.
    chosen : tuple of int
        Lesions selected in the table, the current one first.
    message : str
        What the last tool did, or why it did nothing.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    on_canvas: OnCanvas = OnCanvas.NONE
    redraw: bool = False
    neighbours: int = 0
    edge: Edge = Edge.SLICE
    only: tuple[float, float] | None = None
    chosen: tuple[int, ...] = ()
    message: str = ""
    refused: bool = False
