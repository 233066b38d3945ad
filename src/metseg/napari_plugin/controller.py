"""Keeps the state and the viewer in step: choices, runs, outlines, export. Owns no widget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels

from metseg.errors import MetsegError
from metseg.napari_plugin import exporting, outlines, pipeline
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.brush_circle import without_box
from metseg.napari_plugin.companions import name_row, rows_of
from metseg.napari_plugin.layers import KEY, Channel, LayerStudy, is_auxiliary, sequences_of
from metseg.napari_plugin.messages import tell, tell_error
from metseg.napari_plugin.navigation import go_to, shown_slice, shows_slices
from metseg.napari_plugin.network_choices import NetworkChoices
from metseg.napari_plugin.pipeline import SegmentedLayer
from metseg.napari_plugin.runs import Run
from metseg.napari_plugin.spacing import spacing_of, state_spacing
from metseg.napari_plugin.state import Activity, LayerChoice, SegmentationState
from metseg.study import Sequence

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from metseg.inference import Segmentation


class Controller(WorkerMixin):
    """Acts on the viewer as the state asks, and on the state as the viewer changes."""

    def __init__(self, viewer: ViewerModel, state: SegmentationState) -> None:
        super().__init__()
        without_box(viewer)
        self._viewer = viewer
        self._state = state
        self._watch = self.group()
        self._names = self.group()
        self._run = Run(state)
        self._painted: Labels | None = None
        self.networks = NetworkChoices(state, pipeline.find_choices, tell_error)
        self._rederivations = self.worker(self._on_rederived, tell_error)
        self._reviews = self.worker(self._on_reviewed, tell_error)
        self._rederive_soon = self.delayed(self.rederive)
        self._review_soon = self.delayed(self.review)
        self.follow(viewer.layers.events, ("inserted", "removed", "reordered"), self._on_layers)
        self.follow(state.events, ("model", "automatic"), self._take_model_defaults)
        self.follow(state.events, ("models", "sequences", "target", "searching"), self._choose_automatically)
        self.follow(state.events, ("image",), self._on_image)
        self.follow(state.events, ("image",), self._refresh_outlines)
        self.follow(state.events, ("outlines",), self._watch_outlines)
        self.follow(state.events, ("outline",), self._on_outline)
        self.follow(state.events, ("spacing",), self.review)
        self.follow(viewer.dims.events, ("current_step", "ndisplay", "order"), self._show_confirmed)
        self.follow(state.events, ("threshold", "min_lesion_voxels"), self._on_postprocessing)
        self._on_layers()
        self.networks.find()

    @property
    def busy(self) -> bool:
        """Whether anything is under way or about to be."""
        return super().busy or self._run.busy or self.networks.busy

    def close(self) -> None:
        """Stop work and listening."""
        super().close()
        self._run.close()
        self.networks.close()

    # Networks and devices

    def add_model_file(self, path: str) -> None:
        """Read the network in ``path`` in a thread, offer it beside the shipped ones, and choose it."""
        self.networks.add_file(path)

    def _on_image(self) -> None:
        image = self._state.image
        self._state.sequence_rows = () if image is None else rows_of(image, self._viewer.layers)
        self._state.sequences = () if image is None else sequences_of(image)
        self._state.spacing, self._state.spacing_asked = (None, False) if image is None else spacing_of(image)

    def state_spacing(self, spacing: tuple[float, float, float]) -> None:
        """Give the chosen image and all that lies on it a spacing (z, y, x) in mm that its files do not tell."""
        previewed, self._state.preview = self._state.preview, False
        state_spacing(self._viewer, self._state.image, spacing)
        self._on_image()
        self._state.preview = previewed

    def name_sequence(self, row: int, sequence: Sequence | None) -> None:
        """Say which sequence a row of the table is; ``None`` leaves it out."""
        name_row(self._state.sequence_rows, row, sequence)
        self._on_image()

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
        self._state.min_lesion_voxels = card.postprocessing.min_lesion_voxels

    # Layers

    def _on_layers(self, event: Any = None) -> None:
        self._list_images()
        layers = [choice.layer for choice in self._state.images]
        inserted = event is not None and event.type == "inserted" and event.value in layers
        if inserted and self._state.activity is Activity.IDLE:
            self._state.image = event.value
        elif self._state.image not in layers:
            self._state.image = layers[-1] if layers else None
        self._on_image()
        self._refresh_outlines()

    def _list_images(self) -> None:
        """Offer the viewer's images under the names they have, and again when one of them is renamed."""
        self._state.images = tuple(studies_in(self._viewer))
        self._names.unfollow()
        for choice in self._state.images:
            self._names.follow(choice.layer.events, ("name",), self._list_images)

    def _refresh_outlines(self) -> None:
        image = self._state.image
        layers = [] if image is None else list(outlines.outlines_on(self._viewer, image))
        self._state.outlines = tuple(LayerChoice(layer, _title(layer)) for layer in layers)
        if self._state.outline not in layers:
            self._state.outline = next((layer for layer in layers if not _is_untouched_reference(layer)), None)

    def _watch_outlines(self) -> None:
        self._watch.unfollow()
        for choice in self._state.outlines:
            self._watch.follow(choice.layer.events, ("paint", "set_data", "data"), self._on_outline_changed)
            self._watch.follow(choice.layer.events, ("name",), self._refresh_outlines)

    def _on_outline(self) -> None:
        self._state.slices = None
        self._show_confirmed()
        self.review()

    def _on_outline_changed(self, event: Any) -> None:
        if event.type == "paint":
            self._painted = event.source
        self._review_soon.start()

    def review(self) -> None:
        """Count again what the chosen outline holds; a layer that was just painted in becomes the chosen one."""
        self._choose_painted()
        layer = self._state.outline
        if layer is None:
            self._state.summary, self._state.origin = "", ""
            self._state.reference, self._state.edited, self._state.outdated = False, False, False
            return
        self._reviews.submit(
            _reviewed, layer, outlines.volume(layer), outlines.proposal_of(layer), outlines.spacing_of(layer)
        )

    def _choose_painted(self) -> None:
        """Choose the layer that was painted in, unless the chosen one holds a person's work too."""
        painted, self._painted = self._painted, None
        chosen = self._state.outline
        if painted is None or painted is chosen or not any(one.layer is painted for one in self._state.outlines):
            return
        if outlines.is_edited(painted) and (chosen is None or not outlines.is_edited(chosen)):
            self._state.outline = painted

    def _on_reviewed(self, found: tuple[Labels, pipeline.Review]) -> None:
        layer, review = found
        if layer is not self._state.outline:
            return
        confirmed = outlines.confirmed_slices(layer)
        self._state.edited = bool(review.edited or confirmed)
        self._state.reference = outlines.is_reference(layer) and not self._state.edited
        self._state.origin = outlines.origin_of(layer, review.edited, len(confirmed))
        self._state.summary = f"Reference mask: {review}" if self._state.reference else str(review)
        if not self._state.edited:
            self._state.outdated = False

    # Slices that need no correction

    def confirm_slice(self, confirmed: bool) -> None:
        """Note that the shown slice of the chosen outline is right as it is, or take that back."""
        z = self._shown_slice()
        if z is not None:
            outlines.confirm_slice(self._state.outline, z, confirmed)
            self._show_confirmed()
            self.review()

    def _show_confirmed(self) -> None:
        z = self._shown_slice()
        self._state.confirmed = None if z is None else z in outlines.confirmed_slices(self._state.outline)

    def _shown_slice(self) -> int | None:
        layer = self._state.outline
        return None if layer is None else shown_slice(self._viewer, layer, tuple(layer.data.shape))

    # Runs

    def run(self) -> None:
        """Segment the chosen image in a thread."""
        if self._state.obstacle:
            return
        found = map(outlines.outline_of, outlines.network_outlines(self._viewer, self._state.image))
        known = tuple((one.study, one.segmentation) for one in found if one is not None and one.segmentation)
        order = pipeline.order_from(self._state, known)
        if not shows_slices(self._viewer, order.layer):
            tell(
                f"{order.layer.name}: slices are taken along the layer's own slice axis, not as they are shown. If it "
                "is stored as x, y, z, transpose it (z first) before you segment it."
            )
        self._run.start(Activity.RUNNING, f"Segmenting {order.layer.name}", self._show, pipeline.run, order)

    def cancel(self) -> None:
        """Stop the run before its next slices; nothing of it reaches the viewer."""
        self._run.cancel()

    def _show(self, outcomes: tuple[SegmentedLayer, ...]) -> None:
        for outcome in reversed(outcomes):
            if outcome.layer not in self._viewer.layers:
                tell("The image was closed during the run; its outline is dropped.")
                return
            active = self._viewer.layers.selection.active
            layer = outlines.show(self._viewer, outcome)
            if self._select(layer, active) and outcome.largest is not None:
                go_to(self._viewer, layer, outcome.largest)

    def _select(self, layer: Labels, active: Any) -> bool:
        """Choose a new result and return True, unless the chosen layer holds a person's work; ``active`` then stays."""
        self._refresh_outlines()
        self._state.outdated = False
        chosen = self._state.outline
        if chosen is not None and chosen is not layer and outlines.is_edited(chosen):
            self._viewer.layers.selection.active = active
            kept = f"The result is in the layer {layer.name}. {chosen.name} holds your work and stays chosen."
            self._state.notices = (*self._state.notices, kept)
            return False
        self._viewer.layers.selection.active = layer
        if chosen is layer:
            self.review()
        elif any(choice.layer is layer for choice in self._state.outlines):
            self._state.outline = layer
        return True

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
            source = LayerStudy(entry.study, tuple(layer.data.shape))
            active = self._viewer.layers.selection.active
            self._select(outlines.add_outline(self._viewer, SegmentedLayer(image, source, renewed)), active)

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
            update={"threshold": self._state.threshold, "min_lesion_voxels": self._state.min_lesion_voxels}
        )

    # Export

    def export(self, folder: Path, confirm: Callable[[list[Path], str], bool]) -> None:
        """Write the chosen outline as training pairs below ``folder``, in a thread.

        When files would be replaced, ``confirm`` is called with them and with what would replace them.
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
            if not confirm(there, order.described):
                return
            order = replace(order, overwrite=True)
        done = partial(self._on_exported, order)
        self._run.start(Activity.EXPORTING, f"Exporting {state.outline.name}", done, exporting.run, order)

    def _on_exported(self, order: exporting.ExportOrder, written: list[Path]) -> None:
        self._state.notices = (exporting.report(order, written),)


def studies_in(viewer: ViewerModel) -> Iterator[LayerChoice]:
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


def _reviewed(layer: Labels, *arguments: Any) -> tuple[Labels, pipeline.Review]:
    return layer, pipeline.review(*arguments)


def _title(layer: Labels) -> str:
    return f"{layer.name} (reference mask)" if outlines.is_reference(layer) else str(layer.name)


def _is_untouched_reference(layer: Labels) -> bool:
    return outlines.is_reference(layer) and not outlines.is_edited(layer)
