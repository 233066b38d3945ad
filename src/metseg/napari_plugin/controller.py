"""Keeps the state and the viewer in step: choices, runs, outlines, export. Owns no widget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import QTimer

from metseg.errors import MetsegError
from metseg.napari_plugin import exporting, outlines, pipeline
from metseg.napari_plugin.background import Latest
from metseg.napari_plugin.brush_circle import without_box
from metseg.napari_plugin.layers import KEY, SEQUENCES_KEY, Channel, Source, is_auxiliary, sequences_of
from metseg.napari_plugin.messages import tell, tell_error
from metseg.napari_plugin.pipeline import Outcome
from metseg.napari_plugin.runs import Run
from metseg.napari_plugin.state import Activity, Follower, LayerChoice, ModelChoice, SegmentationState
from metseg.study import Sequence

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from metseg.inference import Segmentation

#: Milliseconds of rest before a moved slider or a brush stroke is acted on, so that undo holds one step for it.
_REST = 150


class Controller(Follower):
    """Acts on the viewer as the state asks, and on the state as the viewer changes.

    Parameters
    ----------
    viewer : ViewerModel
        The viewer.
    state : SegmentationState
        Shared with the view.
    """

    def __init__(self, viewer: ViewerModel, state: SegmentationState) -> None:
        super().__init__()
        without_box(viewer)
        self._viewer = viewer
        self._state = state
        self._watch = Follower()
        self._run = Run(state)
        self._searches = Latest(self._on_choices, self._on_search_failed)
        self._files = Latest(self._on_model_file, self._on_model_file_failed)
        self._rederivations = Latest(self._on_rederived, tell_error)
        self._reviews = Latest(self._on_reviewed, tell_error)
        self._rederive_soon = _resting(self.rederive)
        self._review_soon = _resting(self.review)
        self.follow(viewer.layers.events, ("inserted", "removed", "reordered"), self._on_layers)
        self.follow(state.events, ("model",), self._take_model_defaults)
        self.follow(state.events, ("automatic",), self._take_model_defaults)
        self.follow(state.events, ("models", "sequences", "target", "searching"), self._choose_automatically)
        self.follow(state.events, ("image",), self._on_image)
        self.follow(state.events, ("image",), self._refresh_outlines)
        self.follow(state.events, ("outline",), self._watch_outline)
        self.follow(state.events, ("threshold", "smallest"), self._on_postprocessing)
        self._on_layers()
        self._searches.submit(pipeline.find_choices)

    @property
    def busy(self) -> bool:
        """Whether anything is under way or about to be."""
        threads = (self._run, self._searches, self._files, self._rederivations, self._reviews)
        timers = (self._rederive_soon, self._review_soon)
        return any(thread.busy for thread in threads) or any(timer.isActive() for timer in timers)

    def close(self) -> None:
        """Stop work and listening."""
        self.unfollow()
        self._watch.unfollow()
        self._run.close()
        for latest in (self._searches, self._files, self._rederivations, self._reviews):
            latest.forget()
        for timer in (self._rederive_soon, self._review_soon):
            timer.stop()

    # Networks and devices

    def add_model_file(self, path: str) -> None:
        """Read the network in ``path`` in a thread, offer it beside the shipped ones, and choose it."""
        self._state.opening = path
        self._files.submit(pipeline.model_from_file, path)

    def _on_model_file(self, choice: ModelChoice) -> None:
        others = tuple(known for known in self._state.models if known.key != choice.key)
        self._state.models = (*others, choice)
        self._state.model = choice.key
        self._state.opening = ""

    def _on_model_file_failed(self, error: Exception) -> None:
        self._state.opening = ""
        tell_error(error)

    def _on_choices(self, found: tuple[tuple[ModelChoice, ...], tuple[str, ...]]) -> None:
        models, self._state.devices = found
        self._state.models = (*models, *self._state.models)
        self._state.searching = False
        self._state.model = self._state.model or pipeline.preferred(models)

    def _on_search_failed(self, error: Exception) -> None:
        self._state.searching = False
        tell_error(error)

    def _on_image(self) -> None:
        image = self._state.image
        self._state.sequences = () if image is None else sequences_of(image)

    def name_channels(self, sequences: tuple[Sequence, ...]) -> None:
        """Say which sequence each channel of the chosen image is."""
        if self._state.image is not None:
            self._state.image.metadata[SEQUENCES_KEY] = sequences
            self._state.sequences = sequences

    def _choose_automatically(self) -> None:
        state = self._state
        if state.searching or not state.models or not state.sequences:
            return
        state.automatic, state.unavailable = pipeline.automatic(state.models, state.sequences, state.target)

    def _take_model_defaults(self) -> None:
        card = self._state.card
        if card is None:
            return
        usual = card.preprocessing.with_clahe(True).clahe
        self._state.clahe = card.clahe
        if usual is not None:
            self._state.clip_limit = usual.clip_limit
        self._state.threshold = card.postprocessing.threshold
        self._state.smallest = card.postprocessing.smallest

    # Layers

    def _on_layers(self, event: Any = None) -> None:
        choices = tuple(_studies(self._viewer))
        self._state.images = choices
        layers = [choice.layer for choice in choices]
        inserted = event is not None and event.type == "inserted" and event.value in layers
        if inserted and self._state.activity is Activity.IDLE:
            self._state.image = event.value
        elif self._state.image not in layers:
            self._state.image = layers[-1] if layers else None
        self._refresh_outlines()

    def _refresh_outlines(self) -> None:
        image = self._state.image
        layers = [] if image is None else list(outlines.outlines_on(self._viewer, image))
        self._state.outlines = tuple(LayerChoice(layer, layer.name) for layer in layers)
        if self._state.outline not in layers:
            self._state.outline = layers[0] if layers else None

    def _watch_outline(self) -> None:
        self._watch.unfollow()
        if self._state.outline is not None:
            self._watch.follow(self._state.outline.events, ("paint", "set_data", "data"), self._on_outline_changed)
        self.review()

    def _on_outline_changed(self) -> None:
        self._review_soon.start()

    def review(self) -> None:
        """Count again what the chosen outline holds."""
        layer = self._state.outline
        if layer is None:
            self._state.summary, self._state.edited, self._state.outdated = "", False, False
            return
        entry = outlines.outline_of(layer)
        proposal = None if entry is None else entry.proposal
        self._reviews.submit(pipeline.review, outlines.volume(layer), proposal, outlines.spacing_of(layer))

    def _on_reviewed(self, found: pipeline.Review) -> None:
        self._state.summary = str(found) if self._state.outline is not None else ""
        self._state.edited = found.edited
        if not found.edited:
            self._state.outdated = False

    # Runs

    def run(self) -> None:
        """Segment the chosen image in a thread."""
        if self._state.obstacle:
            return
        order = pipeline.order_from(self._state)
        self._run.start(Activity.RUNNING, f"Segmenting {order.layer.name}", self._show, pipeline.run, order)

    def cancel(self) -> None:
        """Stop the run before its next slices; nothing of it reaches the viewer."""
        self._run.cancel()

    def _show(self, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in reversed(outcomes):
            if outcome.layer not in self._viewer.layers:
                tell("The image was closed during the run; its outline is dropped.")
                return
            self._select(outlines.show(self._viewer, outcome))

    def _select(self, layer: Labels) -> None:
        self._refresh_outlines()
        self._state.outdated = False
        self._viewer.layers.selection.active = layer
        if self._state.outline is layer:
            self.review()
        elif any(choice.layer is layer for choice in self._state.outlines):
            self._state.outline = layer

    # Threshold and smallest lesion after a run

    def _on_postprocessing(self) -> None:
        if self._rederivable() is not None:
            self._rederive_soon.start()

    def rederive(self) -> None:
        """Bring the network's outline in line with threshold and smallest lesion, unless a person edited it."""
        found = self._rederivable()
        if found is None:
            return
        layer, segmentation = found
        self._state.outdated = outlines.is_edited(layer)
        if not self._state.outdated:
            self._rederivations.submit(_rederived, layer, segmentation, self._wanted(segmentation))

    def outline_anew(self) -> None:
        """Put what threshold and smallest lesion say now into a new layer; the edited one stays as it is."""
        found = self._rederivable()
        if found is None:
            return
        layer, segmentation = found
        image, entry = self._state.image, outlines.outline_of(layer)
        if entry is not None:
            renewed = pipeline.rederive(segmentation, self._wanted(segmentation))
            source = Source(entry.study, tuple(layer.data.shape))
            self._select(outlines.add_outline(self._viewer, Outcome(image, source, renewed)))

    def _on_rederived(self, found: tuple[Labels, Segmentation]) -> None:
        layer, segmentation = found
        if layer in self._viewer.layers:
            self._state.outdated = not outlines.repropose(layer, segmentation)
            self.review()

    def _rederivable(self) -> tuple[Labels, Segmentation] | None:
        """The chosen network's newest outline of the chosen image, with its run; of two that of the shown outline."""
        image, names = self._state.image, {card.name for card in self._state.cards.values()}
        if image is None or self._state.activity is not Activity.IDLE:
            return None
        found = list(outlines.network_outlines(self._viewer, image))
        if len(names) > 1:
            found.sort(key=lambda layer: layer is not self._state.outline)
        for layer in found:
            entry = outlines.outline_of(layer)
            segmentation = None if entry is None else entry.segmentation
            if segmentation is not None and segmentation.model in names:
                return layer, segmentation
        return None

    def _wanted(self, segmentation: Segmentation) -> Any:
        return segmentation.postprocessing.model_copy(
            update={"threshold": self._state.threshold, "smallest": self._state.smallest}
        )

    # Export

    def export(self, folder: Path, confirm: Callable[[list[Path]], bool]) -> None:
        """Write the chosen outline as training pairs below ``folder``, in a thread.

        ``confirm`` is asked when files would be replaced.
        """
        state = self._state
        if state.export_obstacle:
            return
        try:
            order = exporting.order(state.image, state.outline, state.slices, folder)
            there = exporting.replaced(order)
        except MetsegError as error:
            tell_error(error)
            return
        if there:
            if not confirm(there):
                return
            order = replace(order, overwrite=True)
        self._run.start(Activity.EXPORTING, "Exporting training pairs", self._on_exported, exporting.run, order)

    def _on_exported(self, written: list[Path]) -> None:
        pairs = len(written) // 2
        self._state.notices = (f"{pairs} slice{'s' * (pairs != 1)} with mask exported to {written[0].parent}",)


def _studies(viewer: ViewerModel) -> Iterator[LayerChoice]:
    """One choice for each study of ours, its FLAIR where that is still there, and one for each other image."""
    ours: dict[int, LayerChoice] = {}
    for layer in viewer.layers:
        if not isinstance(layer, Image) or is_auxiliary(layer):
            continue
        entry = layer.metadata.get(KEY)
        if not isinstance(entry, Channel):
            yield LayerChoice(layer, layer.name)
        elif id(entry.study) not in ours or entry.index == entry.study.channel(Sequence.FLAIR):
            ours[id(entry.study)] = LayerChoice(layer, entry.study.name)
    yield from ours.values()


def _rederived(layer: Labels, segmentation: Segmentation, postprocessing: Any) -> tuple[Labels, Segmentation]:
    return layer, pipeline.rederive(segmentation, postprocessing)


def _resting(action: Any) -> QTimer:
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(_REST)
    timer.timeout.connect(action)
    return timer
