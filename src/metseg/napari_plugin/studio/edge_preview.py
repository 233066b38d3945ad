"""What a lesion would gain or lose, shown while the key of *grow* or *shrink* is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from app_model.types import KeyBinding

from metseg.napari_plugin.studio.canvas_picture import CanvasPicture, colour_table

if TYPE_CHECKING:
    from metseg.curation import ToolName
    from metseg.napari_plugin.studio.case_labels import CaseLabels
    from metseg.napari_plugin.studio.studio import Studio
    from metseg.napari_plugin.studio.tools import Tools

_MORE, _FEWER = 1, 2
_COLOURS = colour_table({_MORE: "#00e5ffb0", _FEWER: "#ff4040b0"})
_ESCAPE = KeyBinding.from_str("Escape")


class EdgePreview:
    """Shows what a tool would change, and keeps in mind whether the user thinks better of it."""

    def __init__(self, studio: Studio, tools: Tools) -> None:
        self._studio = studio
        self._tools = tools
        self.picture = CanvasPicture(studio.viewer)
        self._labels: CaseLabels | None = None
        self._escape: object = None
        self._wanted = False
        studio.add_closing(self.picture.unfollow)

    def begin(self, name: ToolName) -> None:
        """Show what ``name`` would change."""
        self._wanted = True
        change, case = self._tools.foreseen(name), self._studio.state.case
        if change is None or case is None:
            return
        values = np.zeros(case.shape, np.uint8)
        values[change.box] = np.where(change.before == change.after, 0, np.where(change.after > 0, _MORE, _FEWER))
        self._labels = case.labels
        self._escape = case.labels.keymap.get(_ESCAPE)
        case.labels.bind_key(_ESCAPE, self._cancel, overwrite=True)
        self.picture.show(case.labels, values, _COLOURS)

    def end(self) -> bool:
        """Show nothing any more; whether the change is wanted."""
        wanted, self._wanted = self._wanted, False
        labels, self._labels = self._labels, None
        self.picture.hide()
        if labels is not None:
            labels.bind_key(_ESCAPE, self._escape, overwrite=True)
        return wanted

    def _cancel(self, _: CaseLabels) -> None:
        self._wanted = False
        self.picture.hide()
