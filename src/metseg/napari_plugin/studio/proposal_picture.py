"""What a network proposes, seen in place of the labels: the colour of each lesion says what would become of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metseg.napari_plugin.state import ConnectionMixin
from metseg.napari_plugin.studio.canvas_picture import CanvasPicture, colour_table
from metseg.napari_plugin.studio.colours import GREEN, ORANGE, SKY, VERMILION
from metseg.napari_plugin.studio.predictions import Proposal, ProposalChange

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from metseg.napari_plugin.studio.case_layers import OwnLayers
    from metseg.napari_plugin.studio.open_case import OpenCase

_UNCHANGED = "#a0a4ab"
_OPACITY, _FAINT = "78", "38"

#: Colour of each kind of change; what an altered lesion loses is shown like a removed one, but fainter.
COLOURS = {
    ProposalChange.ADDED: GREEN,
    ProposalChange.REMOVED: VERMILION,
    ProposalChange.ALTERED: ORANGE,
    ProposalChange.KEPT: SKY,
    ProposalChange.UNCHANGED: _UNCHANGED,
}
_TABLE = colour_table(
    {int(change): code + _OPACITY for change, code in COLOURS.items()} | {int(ProposalChange.LOST): VERMILION + _FAINT}
)


class ProposalPicture(ConnectionMixin):
    """At most one preview over the canvas, in 2D; in 3D the labels are seen as they are."""

    def __init__(self, viewer: ViewerModel, own: OwnLayers) -> None:
        super().__init__()
        self._own = own
        self._labels: Any = None
        self.picture = CanvasPicture(viewer)
        self.follow(viewer.dims.events, ("ndisplay",), self._hide_labels)

    def close(self) -> None:
        """Stop listening."""
        self.unfollow()
        self.picture.unfollow()

    def show(self, case: OpenCase, proposal: Proposal) -> None:
        """Show a proposal for ``case`` in place of its labels."""
        self._labels = case.labels
        self.picture.show(case.labels, proposal.changes, _TABLE)
        self._hide_labels()

    def hide(self) -> None:
        """Hide the preview and show the labels again."""
        labels, self._labels = self._labels, None
        self.picture.hide()
        if labels is not None:
            self._own.unhide(labels)

    def _hide_labels(self) -> None:
        """Hide the labels while, and only while, the proposal is seen in their place."""
        if self._labels is None:
            return
        self.picture.redraw()
        (self._own.hide if self.picture.drawn else self._own.unhide)(self._labels)
