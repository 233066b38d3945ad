"""What "Follow-up" shows and the user chooses: plain values with signals, no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import SignalGroupDescriptor

from metseg.events import Progress
from metseg.napari_plugin.state import Activity, LayerChoice

if TYPE_CHECKING:
    from metseg.napari_plugin.follow_up.work import ComparedExaminations


@dataclass
class TimePoint:
    """One of the two examinations. Every field has a signal in ``events``.

    Attributes
    ----------
    image : image layer or None
        The chosen one; its study is the examination.
    outlines, outline
        Labels layers that lie on it, and the chosen one.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    image: Any = None
    outlines: tuple[LayerChoice, ...] = ()
    outline: Any = None


@dataclass
class FollowUpState:
    """The state that view and controller share. Every field has a signal in ``events``.

    Attributes
    ----------
    earlier, later : TimePoint
    images : tuple of LayerChoice
        Image layers, one for each study.
    activity, progress, notices
        What is going on, how far it is, what it had to say.
    comparison : ComparedExaminations or None
        What was found last.
    outdated : bool
        Outlines were edited, or others chosen, since.
    lesion : int
        Number of the chosen lesion; 0 if none is.
    beside : bool
        The earlier examination is shown beside the later one.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    earlier: TimePoint = field(default_factory=TimePoint)
    later: TimePoint = field(default_factory=TimePoint)
    images: tuple[LayerChoice, ...] = ()
    activity: Activity = Activity.IDLE
    progress: Progress = Progress(0, 0)
    notices: tuple[str, ...] = ()
    comparison: ComparedExaminations | None = None
    outdated: bool = False
    lesion: int = 0
    beside: bool = True

    @property
    def obstacle(self) -> str:
        """Why the examinations cannot be compared now, in words; empty if they can."""
        if self.activity is not Activity.IDLE:
            return "Wait for the current work to end."
        if self.earlier.image is None or self.later.image is None:
            return "Open two examinations of one patient."
        if self.earlier.image is self.later.image:
            return "Earlier and later are the same examination."
        if self.earlier.outline is None:
            return "The earlier examination has no outlines: run Segment lesions on it, or open its mask."
        return ""
