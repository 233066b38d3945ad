"""Keeps state, layers and the second canvas of "Follow-up" in step. Owns no widget of the dock."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.napari_plugin import outlines
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.brush_circle import without_box
from metseg.napari_plugin.controller import studies_in
from metseg.napari_plugin.follow_up import look, work
from metseg.napari_plugin.follow_up.earlier_view import EarlierView
from metseg.napari_plugin.follow_up.linking import LinkedViewers
from metseg.napari_plugin.follow_up.state import FollowUpState, TimePoint
from metseg.napari_plugin.layers import AXES, KEY, Channel, LayerData, make_layer
from metseg.napari_plugin.messages import tell_error
from metseg.napari_plugin.navigation import go_to
from metseg.napari_plugin.outline_display import draw
from metseg.napari_plugin.runs import Run
from metseg.napari_plugin.state import Activity, LayerChoice

if TYPE_CHECKING:
    from napari.layers import Labels, Layer
    from napari.viewer import Viewer

    from metseg.napari_plugin.follow_up.work import ComparedExaminations


class FollowUpController(WorkerMixin):
    """Opens, compares and shows two examinations.

    Parameters
    ----------
    viewer : napari viewer
        Shows the later examination.
    state : FollowUpState
        Shared with the view.

    Attributes
    ----------
    view : EarlierView
        Shows the earlier examination beside it.
    """

    def __init__(self, viewer: Viewer, state: FollowUpState) -> None:
        super().__init__()
        without_box(viewer)
        self._viewer = viewer
        self._state = state
        self._run = Run(state)
        self._names, self._edits = self.group(), self.group()
        self._added: list[Layer] = []
        self._hidden: list[Layer] = []
        self._checks = self.worker(self._on_checked, tell_error)
        self._check_soon = self.delayed(self._check)
        self._link: LinkedViewers | None = None
        self._earlier_layer: Labels | None = None
        self.view = EarlierView(viewer)
        self.follow(viewer.layers.events, ("inserted", "removed", "reordered"), self._on_layers)
        for point in (state.earlier, state.later):
            self.follow(point.events, ("image",), partial(self._list_outlines, point))
            self.follow(point.events, ("outline",), self._watch)
        self.follow(state.events, ("lesion",), self._go_to)
        self.follow(state.events, ("beside",), self._show_beside)
        self._on_layers()

    @property
    def busy(self) -> bool:
        """Whether anything is under way, or about to be."""
        return self._run.busy or super().busy

    def close(self) -> None:
        """Stop work and listening; no Qt object is touched."""
        super().close()
        if self._link is not None:
            self._link.unfollow()
        self._run.close()

    def leave(self) -> None:
        """Take the second canvas and the layers of the comparison away, and show what was hidden for it."""
        self._forget()
        for layer in self._hidden:
            if layer in self._viewer.layers:
                layer.visible = True
        self._hidden.clear()
        self.view.close()

    def cancel(self) -> None:
        """Stop at once; a registration that is under way ends at its next iteration."""
        self._run.close()

    # Examinations

    def open(self, point: TimePoint, path: Path) -> None:
        """Read the examination in a file or folder in a thread, show it, and choose it for a time point.

        If there are two, the second is the other time point's.
        """
        done = partial(self._on_opened, point)
        self._run.start(Activity.OPENING, f"Opening {path.name}", done, work.opening, path)

    def _on_opened(self, point: TimePoint, studies: list[list[LayerData]]) -> None:
        other = self._state.later if point is self._state.earlier else self._state.earlier
        for one, layers in zip((point, other), studies, strict=False):
            added = [make_layer(data) for data in layers]
            with self._viewer.layers.batched_update():
                self._viewer.layers.extend(added)
            one.image = next(choice.layer for choice in self._state.images if choice.layer in added)
        self._viewer.reset_view()

    def _on_layers(self) -> None:
        self._list_images()
        images = [choice.layer for choice in self._state.images]
        for point, usual in ((self._state.earlier, 0), (self._state.later, -1)):
            if point.image not in images:
                point.image = images[usual] if images else None
            self._list_outlines(point)

    def _list_images(self) -> None:
        """Offer the viewer's images under the names they have, and again when one of them is renamed."""
        self._names.unfollow()
        found = [LayerChoice(one.layer, _title(one)) for one in studies_in(self._viewer)]
        for choice in found:
            self._names.follow(choice.layer.events, ("name",), self._list_images)
        self._state.images = tuple(found)

    def _list_outlines(self, point: TimePoint) -> None:
        layers = [] if point.image is None else list(outlines.outlines_on(self._viewer, point.image))
        point.outlines = tuple(LayerChoice(layer, layer.name) for layer in layers)
        if point.outline not in layers:
            point.outline = layers[0] if layers else None

    # ComparedExaminations

    def compare(self) -> None:
        """Register, match and measure in a thread, then show both side by side."""
        state = self._state
        if state.obstacle:
            return
        earlier, later = state.earlier, state.later
        known = None if state.comparison is None else state.comparison.order
        same = known is not None and known.earlier == earlier.image and known.later == later.image
        order = work.CompareOrder(
            earlier.image,
            later.image,
            (
                np.array(outlines.volume(earlier.outline)),
                None if later.outline is None else np.array(outlines.volume(later.outline)),
            ),
            state.comparison.result.transform if same and state.comparison is not None else None,
        )
        self._run.start(Activity.RUNNING, "Comparing examinations", self._on_compared, work.comparing, order)

    def _on_compared(self, comparison: ComparedExaminations) -> None:
        order, first = comparison.order, not self._added
        if order.later not in self._viewer.layers:
            return
        self._forget()
        placed = outlines.placed_like(order.later, len(AXES))
        self._earlier_layer = look.earlier_outlines(comparison, placed)
        active = self._viewer.layers.selection.active
        self._added = [self._earlier_layer, look.lesion_numbers(comparison, 1, placed)]
        with self._viewer.layers.batched_update():
            self._viewer.layers.extend(self._added)
        model = self.view.model
        model.add_layer(look.earlier_image(comparison, placed))
        model.add_layer(look.earlier_outlines(comparison, placed))
        model.add_layer(look.lesion_numbers(comparison, 0, placed))
        if first:
            self._show_later_only(comparison)
        self._viewer.layers.selection.active = active if active in self._viewer.layers else order.later
        look.write_caption(self._viewer, "Later", comparison.result.after.name)
        look.write_caption(model, "Earlier", comparison.result.before.name)
        self._link = LinkedViewers(self._viewer, model)
        self._state.comparison = comparison
        self._state.outdated = False
        self._state.lesion = 0
        self._show_beside()
        self._watch()

    def _show_later_only(self, comparison: ComparedExaminations) -> None:
        """Hide what is of the earlier examination; of the later one show the compared sequence and outlines."""
        after, later = comparison.result.after, self._state.later
        shown = after.channel(comparison.sequence)
        for layer in (one for one in self._viewer.layers if one not in self._added):
            entry = layer.metadata.get(KEY)
            wanted = layer == comparison.order.later
            if isinstance(entry, Channel) and entry.study is _study_of(comparison.order.later):
                wanted = entry.index == shown
            wanted = wanted or layer == later.outline
            if layer.visible and not wanted:
                self._hidden.append(layer)
            layer.visible = wanted
        if later.outline is not None:
            draw(later.outline, contours=True)

    def _forget(self) -> None:
        """Take what the last comparison has added out of both viewers."""
        self._edits.unfollow()
        if self._link is not None:
            self._link.close()
            self._link = None
        with self._viewer.layers.batched_update():
            for layer in self._added:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)
        self._added.clear()
        self._earlier_layer = None
        self.view.model.layers.clear()
        look.write_caption(self._viewer, "")
        self._state.comparison = None

    def _show_beside(self) -> None:
        if self._state.beside and self._state.comparison is not None:
            self.view.show()
        else:
            self.view.hide()

    def _watch(self) -> None:
        """Notice when outlines are edited, or others are chosen; of undo, only the slice that is drawn anew tells."""
        self._edits.unfollow()
        for point in (self._state.earlier, self._state.later):
            if point.outline is not None:
                self._edits.follow(point.outline.events, ("paint", "set_data", "data"), self._on_edited)
        self._check_soon.start()

    def _on_edited(self) -> None:
        self._check_soon.start()

    def _check(self) -> None:
        comparison, points = self._state.comparison, (self._state.earlier, self._state.later)
        if comparison is not None:
            now = tuple(None if one.outline is None else outlines.volume(one.outline) for one in points)
            self._checks.submit(_differ, comparison.order.masks, now)

    def _on_checked(self, outdated: bool) -> None:
        self._state.outdated = outdated and self._state.comparison is not None

    # Lesions

    def _go_to(self) -> None:
        comparison = self._state.comparison
        if comparison is None or self._earlier_layer is None or not self._state.lesion:
            return
        place = comparison.place_of(self._state.lesion)
        if place is not None:
            go_to(self._viewer, self._earlier_layer, place)

    def start_from_earlier(self) -> None:
        """Add the earlier outlines as a layer of the later examination to correct, and choose it for it."""
        comparison = self._state.comparison
        if comparison is None:
            return
        layer = look.carried_outlines(comparison, outlines.placed_like(comparison.order.later, len(AXES)))
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = layer
        self._state.later.outline = layer


def _study_of(image: Any) -> Any:
    entry = image.metadata.get(KEY)
    return entry.study if isinstance(entry, Channel) else None


def _differ(compared: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    """Whether masks are others than those that were compared; either may be missing."""
    return not all(
        one is other or (one is not None and other is not None and np.array_equal(one != 0, other != 0))
        for one, other in zip(compared, now, strict=True)
    )


def _title(choice: LayerChoice) -> str:
    """The name that the viewer has made unique: two examinations of one patient are often called the same."""
    return choice.layer.name.partition(" · ")[2] or choice.title
