"""How well the chosen outline agrees with the reference mask of its image; kept in step with both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metseg.metrics import score_scan, summarise
from metseg.napari_plugin import outlines
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.messages import tell_error
from metseg.napari_plugin.state import Agreement, SegmentationState

if TYPE_CHECKING:
    from napari.layers import Labels


class Scoring(WorkerMixin):
    """Scores the chosen outline as ``metseg evaluate`` would, in a thread."""

    def __init__(self, state: SegmentationState) -> None:
        super().__init__()
        self._state = state
        self._watch = self.group()
        self._scores = self.worker(self._on_scored, tell_error)
        self._soon = self.delayed(self.score)
        self.follow(state.events, ("outlines", "outline"), self._on_layers)
        self.follow(state.events, ("spacing",), self.score)
        self._on_layers()

    def score(self) -> None:
        """Score the chosen outline, if it is one to be scored and there is a mask to score it against."""
        outline, reference = self._state.outline, self._reference()
        if reference is None:
            self._scores.forget()
            self._state.agreement = None
        else:
            self._scores.submit(_scored, outline, reference)

    def _on_layers(self) -> None:
        self._watch.unfollow()
        reference = self._reference()
        for layer in () if reference is None else (self._state.outline, reference):
            self._watch.follow(layer.events, ("paint", "set_data", "data"), self._on_changed)
        self.score()

    def _on_changed(self) -> None:
        self._soon.start()

    def _reference(self) -> Labels | None:
        """The topmost mask file of the image, one of the outline's own target first; none for an untouched mask."""
        outline = self._state.outline
        if outline is None or (outlines.is_reference(outline) and not outlines.is_edited(outline)):
            return None
        target = outlines.target_of(outline)
        others = [choice.layer for choice in self._state.outlines if choice.layer is not outline]
        masks = [layer for layer in others if outlines.is_reference(layer) and layer.data.shape == outline.data.shape]
        fitting = [layer for layer in masks if None in (target, known := outlines.target_of(layer)) or known == target]
        return min(fitting, key=lambda layer: outlines.target_of(layer) is None, default=None)

    def _on_scored(self, found: tuple[Labels, Labels, Agreement]) -> None:
        outline, reference, agreement = found
        if outline is self._state.outline and reference is self._reference():
            self._state.agreement = agreement


def _scored(outline: Labels, reference: Labels) -> tuple[Labels, Labels, Agreement]:
    """Score one labels layer against another, on the slices that have a mask of their own."""
    known, found, entry = outlines.volume(reference), outlines.volume(outline), outlines.outline_of(reference)
    slices = list(range(len(known))) if entry is None else entry.study.masked_slices
    spacing = outlines.spacing_of(outline) or outlines.spacing_of(reference)
    score = score_scan(reference.name, known[slices], found[slices], spacing)
    return outline, reference, Agreement(score, summarise([score]).sizes)
