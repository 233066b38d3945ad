"""Asking for a lesion's new number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QInputDialog, QWidget

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.tools import Tools

_HIGHEST = 65535


def ask_number(parent: QWidget, tools: Tools) -> None:
    """Ask for the selected lesion's new number, and give it that."""
    old = tools.lesion
    if not old:
        tools.refuse("Select a lesion first: click on it in the table.")
        return
    number, given = QInputDialog.getInt(parent, "Renumber", f"New number of lesion {old}", old, 1, _HIGHEST)
    if given:
        tools.relabel(old, number)
