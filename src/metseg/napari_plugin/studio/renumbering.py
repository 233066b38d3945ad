"""Asking for a lesion's new number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QInputDialog, QWidget

from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.tools import Tools

_HIGHEST = 65535


def ask_number(parent: QWidget, tools: Tools) -> None:
    """Ask for the selected lesion's new number, and give it that."""
    old = tools.lesion
    if not old:
        tools.refuse(translate("studio", "Select a lesion first: click on it in the table."))
        return
    number, given = QInputDialog.getInt(
        parent,
        translate("studio", "Renumber"),
        translate("studio", "New number of lesion {number}").format(number=old),
        old,
        1,
        _HIGHEST,
    )
    if given:
        tools.relabel(old, number)
