"""What the segmentation widget shows and the user chooses: plain values with signals, no Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import SignalGroupDescriptor

from metseg import DEFAULT_MODEL
from metseg.events import Progress
from metseg.lesions import TargetChoice
from metseg.metrics import ScanScore, SizeClass
from metseg.preprocessing import Clahe
from metseg.study import Sequence, StudyFiles

if TYPE_CHECKING:
    from metseg.checkpoints import ModelCard, Standing
    from metseg.inference.remote import ServerDescription
    from metseg.napari_plugin.companions import SequenceRow


class Activity(StrEnum):
    """What is going on."""

    IDLE = "idle"
    RUNNING = "running"
    CANCELLING = "cancelling"
    EXPORTING = "exporting"
    OPENING = "opening"


class Slices(StrEnum):
    """Which slices are exported."""

    ALL = "all slices"
    LESION = "slices with a lesion"
    EDITED = "slices edited or confirmed"


class ConnectionMixin:
    """Something that listens to signals, and can stop."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._followed: list[tuple[Any, Callable[..., object]]] = []
        self._groups: list[ConnectionMixin] = []

    def follow(self, events: Any, names: Iterable[str], slot: Callable[..., object]) -> None:
        """Call ``slot`` on each of the named signals of ``events``."""
        for name in names:
            signal = getattr(events, name)
            signal.connect(slot)
            self._followed.append((signal, slot))

    def group(self) -> ConnectionMixin:
        """Connections that can be given up before the others, and end with them."""
        self._groups.append(ConnectionMixin())
        return self._groups[-1]

    def unfollow(self) -> None:
        """Listen to nothing any more."""
        for group in self._groups:
            group.unfollow()
        for signal, slot in self._followed:
            signal.disconnect(slot)
        self._followed.clear()


@dataclass(frozen=True)
class ModelChoice:
    """A network to choose: ``key`` is its name or its file; without a card, ``problem`` says why it cannot be used."""

    key: str
    title: str
    card: ModelCard | None
    problem: str = ""
    about: str = ""
    standing: Standing | None = None

    @property
    def summary(self) -> str:
        """One line about it."""
        if self.card is None:
            return self.problem
        return (
            f"{self.card.target} on {', '.join(self.card.preprocessing.sequences)}; {self.about or self.card.summary}"
        )


@dataclass(frozen=True)
class ServerLogin:
    """A server to ask, by its URL; its ``token`` if one was typed, and whether the keyring shall keep that."""

    url: str
    token: str = field(default="", repr=False)
    remember: bool = False


@dataclass(frozen=True)
class FoundNetworks:
    """Networks to choose from and the devices that they can run on; of a server, what it said."""

    models: tuple[ModelChoice, ...]
    devices: tuple[str, ...] = ("auto",)
    server: ServerDescription | None = None


@dataclass(frozen=True)
class LayerChoice:
    """A layer to choose."""

    layer: Any
    title: str


@dataclass(frozen=True)
class Agreement:
    """Scores of an outline against a reference mask, after which ``scan`` is named, and its lesions by size."""

    scan: ScanScore
    sizes: tuple[SizeClass, ...]


@dataclass
class SegmentationState:
    """The state that view, controller and preview share. Every field has a signal in ``events``.

    Attributes
    ----------
    patients, patient
        All patients of the folder that was opened, and the name of the one that is open.
    images, image
        Image layers, one for each study, and the chosen one.
    models, model
        Networks, and the chosen one's key.
    searching : bool
        Networks and devices are still being looked up.
    target : TargetChoice or None
        What an automatic choice of networks shall outline; None for what the sequences show best.
    sequences : tuple of Sequence
        Of the chosen image, a name for each channel.
    sequence_rows : tuple of SequenceRow
        Its channels and the layers that may be further ones.
    spacing, spacing_asked
        Voxel size (z, y, x) of the chosen image in mm, if it is known; whether the user may state it.
    automatic, unavailable
        Keys of the networks that fit them best, and why there is none.
    opening : str
        File that a network is being read from; empty if none is.
    devices, device
        ``auto`` and what this computer has.
    remote, server, server_problem
        Whether networks are those of a server; what it said, once it has; why it cannot be used.
    clahe, clip_limit, preview
        Enhancement before the network, and whether the current slice shows it.
    threshold, min_lesion_voxels
        Probability from which a voxel is lesion; voxels below which a lesion is dropped.
    activity, progress
        What is going on and how far it is.
    summary, notices
        What the outline holds; what the last run had to say.
    origin : str
        How the chosen outline came about: network and threshold, or reference mask, and what was edited by hand.
    reference : bool
        The chosen outline is a reference mask as it was read.
    agreement : Agreement or None
        Of the chosen outline with a reference mask of the image; None if there is none, or that is it.
    edited : bool
        The chosen outline holds a person's work.
    confirmed : bool or None
        Somebody said that the shown slice of the outline is right; None if no slice of it is shown.
    outdated : bool
        The outline was edited, so threshold and smallest lesion no longer act on it.
    outlines, outline, slices
        Labels layers that fit the image, the one to export, and which of its slices; None for those that were edited or
        confirmed if there are any, else all.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    patients: tuple[StudyFiles, ...] = ()
    patient: str = ""
    images: tuple[LayerChoice, ...] = ()
    image: Any = None
    models: tuple[ModelChoice, ...] = ()
    model: str = ""
    target: TargetChoice | None = None
    sequences: tuple[Sequence, ...] = ()
    sequence_rows: tuple[SequenceRow, ...] = ()
    spacing: tuple[float, float, float] | None = None
    spacing_asked: bool = False
    automatic: tuple[str, ...] = ()
    unavailable: str = ""
    searching: bool = True
    opening: str = ""
    devices: tuple[str, ...] = ("auto",)
    device: str = "auto"
    remote: bool = False
    server: ServerDescription | None = None
    server_problem: str = ""
    clahe: Clahe = Clahe.ON
    clip_limit: float = 2.0
    preview: bool = False
    threshold: float = 0.5
    min_lesion_voxels: int = 0
    activity: Activity = Activity.IDLE
    progress: Progress = Progress(0, 0)
    summary: str = ""
    notices: tuple[str, ...] = ()
    origin: str = ""
    reference: bool = False
    agreement: Agreement | None = None
    edited: bool = False
    confirmed: bool | None = None
    outdated: bool = False
    outlines: tuple[LayerChoice, ...] = ()
    outline: Any = None
    slices: Slices | None = None

    @property
    def exported_slices(self) -> Slices:
        """Which slices an export writes."""
        return self.slices or (Slices.EDITED if self.edited else Slices.ALL)

    @property
    def card(self) -> ModelCard | None:
        """Card of the chosen network; of the first, if there are two."""
        return next(iter(self.cards.values()), None)

    @property
    def cards(self) -> dict[str, ModelCard]:
        """Cards of the networks that a run asks, by key, in their order."""
        known = {choice.key: choice.card for choice in self.models}
        asked = self.automatic if self.model == DEFAULT_MODEL else (self.model,)
        return {key: card for key in asked if (card := known.get(key)) is not None}

    @property
    def obstacle(self) -> str:
        """Why Run cannot be pressed now, in words; empty if it can."""
        if self.activity is not Activity.IDLE:
            return "Wait for the current work to end."
        if self.image is None:
            return "Open an image first: File > Open Folder, or File > Open Sample > Synthetic head."
        if self.searching:
            return "Still looking for networks."
        if self.opening:
            return "Still opening a network."
        if self.remote and self.server is None:
            return self.server_problem or "Connect to a server first."
        if self.card is None:
            return self.unavailable or "Choose a network first."
        return ""

    @property
    def export_obstacle(self) -> str:
        """Why Export cannot be pressed now, in words; empty if it can."""
        if self.activity is not Activity.IDLE:
            return "Wait for the current work to end."
        if self.outline is None:
            if self.outlines:
                return "There is no result yet: run a network, edit the reference mask, or choose it as the layer."
            return "There is no outline on this image yet: run a network, or draw one in a labels layer."
        return ""
