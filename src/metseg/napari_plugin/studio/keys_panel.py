"""All keys: the studio's, and those of napari that an annotator needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from metseg.napari_plugin.studio.panel import Panel

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio

#: napari's own, as they are unless the user changed them in its preferences.
NAPARI = (
    ("Left, Right", "slice before, next slice"),
    ("2 or P", "brush"),
    ("1 or E", "eraser"),
    ("3", "polygon"),
    ("4 or F", "fill"),
    ("5 or L", "pick the lesion under the mouse"),
    ("6 or Z", "move and zoom"),
    ("Space", "move and zoom while held"),
    ("[ and ]", "thinner and thicker brush"),
    ("X", "swap lesion and background"),
    ("B", "leave other lesions as they are"),
    ("V", "show or hide the selected layer"),
    ("Ctrl-Z", "undo"),
    ("Ctrl-Shift-Z", "redo"),
)


class KeysPanel(Panel):
    """A list of keys and what they do.

    Parameters
    ----------
    studio : Studio
        With all its keys added.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__("Keys", studio)
        self.add_wide(_table((shortcut.key, shortcut.title) for shortcut in studio.shortcuts))
        heading = QLabel("napari's own")
        heading.setObjectName("sectionTitle")
        self.add_wide(heading)
        self.add_wide(_table(NAPARI))


def _table(rows: Iterable[tuple[str, str]]) -> QWidget:
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(5)
    grid.setColumnStretch(1, 1)
    for row, (key, title) in enumerate(rows):
        cap = QLabel(key)
        cap.setObjectName("key")
        what = QLabel(title[:1].upper() + title[1:])
        what.setWordWrap(True)
        grid.addWidget(cap, row, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(what, row, 1)
    return table
