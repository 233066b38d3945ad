"""What runs outside the window's thread: from a layer to a segmentation. No Qt, no writing to layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from metseg import DEFAULT_MODEL
from metseg.errors import MetsegError
from metseg.events import Event, Finished, Notice, Progress, relay
from metseg.lesions import (
    PostprocessingConfig,
    TargetChoice,
    label_lesions,
    largest_lesion_centre,
    mask_from_probabilities,
)
from metseg.napari_plugin.layers import LayerStudy, source_of
from metseg.napari_plugin.native_libraries import keep_llvm_apart
from metseg.napari_plugin.state import FoundNetworks, ModelChoice, SegmentationState, ServerLogin
from metseg.preprocessing import Clahe, PreprocessingConfig, Preprocessor
from metseg.study import Sequence, Study

if TYPE_CHECKING:
    from metseg.checkpoints import ModelCard, ModelInfo
    from metseg.client import Address
    from metseg.inference import Segmentation, StudySegmenter

P = ParamSpec("P")
T = TypeVar("T")

#: Slices per forward pass: few, so that progress is fine and Cancel acts soon.
SLICES_AT_ONCE = 4

_PARTS = dict(enumerate(("half", "a third", "a fourth", "a fifth", "a sixth", "a seventh", "an eighth", "a ninth"), 2))


@dataclass(frozen=True)
class Failed:
    """The work ended with an error."""

    error: Exception


@dataclass(frozen=True, eq=False)
class SegmentedLayer:
    """A finished run: the layer, the layer as a study, what the network made of it, and where its largest lesion is."""

    layer: Any
    source: LayerStudy
    segmentation: Segmentation
    largest: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class NetworkOrder:
    """One network to run, by its key, and how."""

    model: str
    clahe: Clahe | None
    clip_limit: float | None
    postprocessing: PostprocessingConfig


@dataclass(frozen=True)
class Order:
    """What the user asked for, taken from the state at the press of Run; ``server`` is None for this computer."""

    layer: Any
    device: str
    networks: tuple[NetworkOrder, ...]
    known: tuple[tuple[Study, Segmentation], ...] = ()
    server: Address | None = None


def order_from(state: SegmentationState, known: tuple[tuple[Study, Segmentation], ...] = ()) -> Order:
    """The run that ``state`` describes; of two networks the second keeps its own settings where none was changed.

    ``known`` are earlier runs on the image: their probabilities are used where only post-processing differs.
    """
    shown = state.card
    networks = tuple(
        NetworkOrder(key, *_clahe(state, card, shown), _postprocessing(state, card, shown))
        for key, card in state.cards.items()
    )
    return Order(state.image, state.device, networks, known, None if state.server is None else state.server.address)


def _postprocessing(state: SegmentationState, card: ModelCard, shown: ModelCard | None) -> PostprocessingConfig:
    asked = {"threshold": state.threshold, "min_lesion_voxels": state.min_lesion_voxels}
    if shown is not None and shown is not card:
        asked = {key: value for key, value in asked.items() if value != getattr(shown.postprocessing, key)}
    return card.postprocessing.model_copy(update=asked)


def _clahe(state: SegmentationState, card: ModelCard, shown: ModelCard | None) -> tuple[Clahe | None, float | None]:
    if shown is None or shown is card or shown.with_clahe(state.clahe, state.clip_limit) != shown:
        return state.clahe, state.clip_limit
    return None, None


def preprocessing_from(state: SegmentationState, card: ModelCard) -> PreprocessingConfig:
    """The card's preprocessing with the user's enhancement."""
    return card.with_clahe(state.clahe, state.clip_limit).preprocessing


def errors_yielded(stream: Callable[P, Iterator[Event[T]]]) -> Callable[P, Iterator[Event[T] | Failed]]:
    """Have a generator yield its error: Qt workers swallow a ``RuntimeError`` that is raised."""

    @functools.wraps(stream)
    def run(*arguments: P.args, **keywords: P.kwargs) -> Iterator[Event[T] | Failed]:
        try:
            yield from stream(*arguments, **keywords)
        except Exception as error:  # whatever it is: the window is told, and the thread ends
            yield Failed(error)

    return run


@errors_yielded
def run(order: Order) -> Iterator[Event[tuple[SegmentedLayer, ...]]]:
    """Segment one layer."""
    yield Progress(0, 0, "loading the network")
    source = source_of(order.layer)
    yield from map(Notice, source.notices)
    outcomes: list[SegmentedLayer] = []
    for network in order.networks:
        with _opened(order, network) as segmenter:
            known = _reusable(order, source.study, segmenter)
            if known is not None:
                yield Notice(f"{known.model} has seen this image already: its probabilities are used again.")
                segmentation = rederive(known, network.postprocessing)
            else:
                segmentation = yield from relay(
                    phased(segmenter.stream(source.study, network.postprocessing), source.study.name)
                )
        outcomes.append(SegmentedLayer(order.layer, source, segmentation, largest_lesion_centre(segmentation.mask)))
    yield Finished(tuple(outcomes))


def _opened(order: Order, network: NetworkOrder) -> StudySegmenter:
    """A network of this computer, or of the server that was asked for; a server's has the clip limit of its card."""
    if order.server is not None:
        from metseg.inference import open_segmenter

        return open_segmenter(network.model, clahe=network.clahe, server=order.server)
    keep_llvm_apart()
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import open_segmenter

    checkpoint = load_checkpoint(network.model).with_clahe(network.clahe, network.clip_limit)
    return open_segmenter(checkpoint, device=order.device, batch_size=SLICES_AT_ONCE)


def phased(stream: Iterator[Event[T]], name: str) -> Iterator[Event[T]]:
    """The stream of a study ``name``; its progress has no total while no slice is outlined: it says what is done."""
    with closing(stream) as events:  # type: ignore[type-var]  # all streams are generators
        for event in events:
            if isinstance(event, Progress) and not event.done and event.what != name:
                yield Progress(0, 0, event.what)
            else:
                yield event


def _reusable(order: Order, study: Study, segmenter: StudySegmenter) -> Segmentation | None:
    """An earlier run of the same weights on the same voxels, prepared in the same way, where it is asked for."""
    card, server = segmenter.card.with_clahe(), order.server and order.server.url
    for seen, run in order.known:
        same = (run.weights_sha256, run.preprocessing, run.clahe_average, run.served.get("server")) == (
            segmenter.sha256,
            card.preprocessing,
            card.inference.clahe_average,
            server,
        )
        there = order.device in ("auto", run.device) and seen.sequences == study.sequences
        if same and there and (seen.voxels is study.voxels or np.array_equal(seen.voxels, study.voxels)):
            return run
    return None


def automatic(
    models: tuple[ModelChoice, ...], sequences: tuple[Sequence, ...], target: TargetChoice | None
) -> tuple[tuple[str, ...], str]:
    """Keys of the networks that ``auto`` takes, and why there is none; asks no disk, for ``models`` are known."""
    from metseg.checkpoints import ModelInfo, choose_models

    known = [ModelInfo(choice.key, Path(choice.key), choice.card, choice.problem) for choice in models]
    try:
        chosen = choose_models(DEFAULT_MODEL, sequences, () if target is None else target.targets, known)
    except MetsegError as error:
        return (), str(error)
    return tuple(chosen), ""


def misfit_of(choice: ModelChoice, sequences: tuple[Sequence, ...]) -> str:
    """Why a network does not fit the image; empty if it does, or none is open."""
    if choice.card is None or not sequences:
        return ""
    from metseg.checkpoints import misfit

    return misfit(choice.card, sequences)


def find_choices() -> FoundNetworks:
    """Networks and devices of this computer. Imports torch: seconds, once."""
    keep_llvm_apart()
    from metseg.checkpoints import list_models
    from metseg.inference import available_devices

    return FoundNetworks(_choices(list_models()), ("auto", *available_devices()))


def ask_server(login: ServerLogin) -> FoundNetworks:
    """Networks of a server; a token that was typed is kept in the keyring then, if that is wanted. Imports no torch.

    Raises
    ------
    MetsegError
        If there is no such server, it does not let us in, or its version is too different.
    """
    from metseg.client import Address, RefusedError, remember_token, server_at
    from metseg.inference.remote import describe_server

    address = server_at(Address(login.url, login.token) if login.token else login.url)
    try:
        server = describe_server(address)
    except RefusedError as error:
        if error.status != HTTPStatus.UNAUTHORIZED:
            raise
        reason = "wants a token" if address.token is None else "does not accept this token"
        raise MetsegError(f"{address.url} {reason}; type its own below") from error
    if login.remember:
        remember_token(address)
    return FoundNetworks(_choices(server.models), server=server)


def _choices(found: Iterable[ModelInfo]) -> tuple[ModelChoice, ...]:
    return tuple(
        ModelChoice(info.name, _title(info), info.card, info.problem or "", info.summary, info.standing)
        for info in found
    )


def _title(info: ModelInfo) -> str:
    marks = () if info.standing is None else info.standing.marks
    return f"{info.name} ({', '.join(marks)})" if marks else info.name


def faster(models: tuple[ModelChoice, ...], key: str, sequences: tuple[Sequence, ...]) -> str:
    """Names the fastest network for ``sequences`` if it takes half of the time of ``key`` or less; empty otherwise."""
    slow = next((one.standing for one in models if one.key == key), None)
    known = [one for one in models if one.standing is not None and not misfit_of(one, sequences)]
    if slow is None or not known:
        return ""
    times = {one.key: one.standing.milliseconds for one in known if one.standing is not None}
    quickest = min(times, key=lambda one: times[one])
    parts = round(slow.milliseconds / times[quickest])
    return f"{quickest} takes {_PARTS.get(parts, 'a tenth')}" if parts > 1 else ""


def model_from_file(path: str) -> ModelChoice:
    """The network in one file.

    Raises
    ------
    CheckpointError
        If the file is damaged or not ours.
    """
    keep_llvm_apart()
    from metseg.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(path)
    return ModelChoice(str(checkpoint.path), f"{checkpoint.card.name} (file)", checkpoint.card)


def preferred(models: tuple[ModelChoice, ...]) -> str:
    """What to begin with: ``auto`` if a network that it takes is here, else the first usable one; empty if none is."""
    from metseg.checkpoints import RECOMMENDED

    usable = [choice.key for choice in models if choice.card is not None]
    return DEFAULT_MODEL if not {*RECOMMENDED.values()}.isdisjoint(usable) else next(iter(usable), "")


def rederive(segmentation: Segmentation, postprocessing: PostprocessingConfig) -> Segmentation:
    """The same run with the mask that other post-processing makes of its probabilities."""
    mask = mask_from_probabilities(segmentation.probabilities, postprocessing)
    return replace(segmentation, mask=mask, postprocessing=postprocessing)


@dataclass(frozen=True, eq=False)
class Enhancer:
    """Slices of one layer as the network would see them."""

    layer: Any
    preprocessor: Preprocessor
    channel: int
    rgb: bool

    def slice(self, z: int) -> npt.NDArray[np.float32]:
        """Slice ``z`` in [0, 1], shape (y, x), or (y, x, 3) for a colour layer."""
        image = self.preprocessor.enhanced(z)
        return np.moveaxis(image[:3], 0, -1) if self.rgb else image[self.channel]


def fit_enhancer(layer: Any, shown: Sequence, config: PreprocessingConfig) -> Enhancer:
    """Fit the intensity windows of the layer's volume; ``shown`` is the sequence to look at."""
    study = source_of(layer).study
    wanted = [Sequence(name) for name in config.sequences]
    study = study.named_for(wanted)
    channel = next((wanted.index(name) for name in (shown, Sequence.FLAIR) if name in wanted), 0)
    rgb = bool(layer.rgb) and len(wanted) == 3
    return Enhancer(layer, Preprocessor(config, study.select(wanted)), channel, rgb)


@dataclass(frozen=True)
class Review:
    """What a labels layer holds, and in how many slices it differs from what was proposed."""

    lesions: int
    voxels: int
    millilitres: float | None
    edited: int

    def __str__(self) -> str:
        if not self.lesions:
            return "no lesion"
        volume = f"{self.voxels:,} voxels" if self.millilitres is None else f"{self.millilitres:.1f} ml"
        return f"{self.lesions} lesion{'s' * (self.lesions != 1)}, {volume}"


def review(
    labels: npt.NDArray[np.integer[Any]],
    proposal: npt.NDArray[np.integer[Any]] | None,
    spacing: tuple[float, float, float] | None,
) -> Review:
    """Count lesions, their volume, and the slices that were edited.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)
        The labels as they are now; every label counts as lesion.
    proposal : ndarray of int, shape (z, y, x), or None
        The labels before anybody edited them; without them every slice with a lesion counts as edited.
    spacing : tuple of float or None
        Voxel size in mm.
    """
    mask = (labels > 0).astype(np.uint8)
    voxels = int(np.count_nonzero(mask))
    millilitres = None if spacing is None else voxels * float(np.prod(spacing)) / 1000
    lesions = int(label_lesions(mask).max()) if voxels else 0
    changed = labels != (0 if proposal is None else proposal)
    return Review(lesions, voxels, millilitres, int(np.count_nonzero(changed.any(axis=(1, 2)))))
