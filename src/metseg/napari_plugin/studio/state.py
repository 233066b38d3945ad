"""What the studio and its tools show: values with signals, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import SignalGroupDescriptor

from metseg.curation import CaseSummary, Note, Project, Status
from metseg.events import Progress
from metseg.napari_plugin.state import Activity, ModelChoice
from metseg.preprocessing import Clahe

if TYPE_CHECKING:
    from metseg.checkpoints import ModelCard
    from metseg.curation import ReviewQueue, SliceBenefit
    from metseg.inference.remote import ServerDescription
    from metseg.napari_plugin.studio.open_case import OpenCase


class Saved(StrEnum):
    """Whether what was drawn is on the disk."""

    NOTHING = "nothing to save"
    SAVED = "saved"
    SAVING = "saving"
    FAILED = "not saved"


class Tab(StrEnum):
    """The studio's tabs, from the left."""

    REVIEW = "Review"
    PREDICT = "Predict"
    EXPORT = "Export"
    RETRAIN = "Retrain"
    KEYS = "Keys"


@dataclass
class StudioState:
    """The state that the studio and its panels share. Every field has a signal in ``events``.

    Attributes
    ----------
    annotator : str
        Pseudonym that goes into the journal of cases opened from now on.
    project : Project or None
    cases : tuple of CaseSummary
        Of the project, as on the disk when they were listed; the open case's is kept up to date.
    listing : bool
        The cases are being listed.
    case : OpenCase or None
        The one that is open here.
    status, reason
        Where the open case stands, and why.
    saved, problem
        Whether what was drawn is on the disk, and if not, why.
    messages : tuple of str
        What the user must know about the open case or project (recovery, somebody else has it), newest last.
    opening_case : str
        Name of the case that is being opened.
    refused, refusal : str
        A case that could not be opened for editing (somebody else has it, the folder is read-only), and why; it can
        be looked at.
    activity, progress, notices
        What is going on, how far it is, and its messages.
    lesion : int
        Selected lesion's id; 0 if none is.
    edits : int
        Rises by one when a change of the labels was made, by hand, by a tool, by a model or by undo; the change is
        on the screen then, and on its way to the disk.
    commits : int
        Rises by one when a change has reached the disk: origins, status and statistics of the session are up to date.
    queue, slices, reviewed
        Cases in review order; slices of the open case in review order; those looked at.
    notes : tuple of Note
        On the open case, oldest first.
    proposal
        A prediction that waits to be taken over.
    models, model, searching, opening, devices, device, remote, server, server_problem
        Networks and where they run, as in :class:`~metseg.napari_plugin.state.SegmentationState`.
    clahe : Clahe or None
        Which slices the network is shown; ``None``: those that its card names.
    wheel_turns_slices : bool
        Whether the mouse's wheel goes through the slices of a case; it zooms otherwise.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    tab: Tab = Tab.REVIEW
    annotator: str = ""
    project: Project | None = None
    cases: tuple[CaseSummary, ...] = ()
    listing: bool = False
    case: OpenCase | None = None
    status: Status = Status.TODO
    reason: str = ""
    saved: Saved = Saved.NOTHING
    problem: str = ""
    messages: tuple[str, ...] = ()
    opening_case: str = ""
    refused: str = ""
    refusal: str = ""
    activity: Activity = Activity.IDLE
    progress: Progress = Progress(0, 0)
    notices: tuple[str, ...] = ()
    lesion: int = 0
    edits: int = 0
    commits: int = 0
    queue: ReviewQueue | None = None
    slices: tuple[SliceBenefit, ...] = ()
    reviewed: frozenset[int] = frozenset()
    notes: tuple[Note, ...] = ()
    proposal: Any = None
    models: tuple[ModelChoice, ...] = ()
    model: str = ""
    searching: bool = False
    opening: str = ""
    devices: tuple[str, ...] = ("auto",)
    device: str = "auto"
    remote: bool = False
    server: ServerDescription | None = None
    server_problem: str = ""
    clahe: Clahe | None = None
    wheel_turns_slices: bool = True

    @property
    def card(self) -> ModelCard | None:
        """Card of the chosen network."""
        return next((choice.card for choice in self.models if choice.key == self.model), None)

    @property
    def editable(self) -> bool:
        """Whether a case is open and may be changed here."""
        return self.case is not None and self.case.session is not None


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
