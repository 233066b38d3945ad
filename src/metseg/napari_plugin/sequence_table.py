"""The table of layers and channels: which sequence is which."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from metseg.napari_plugin.companions import SequenceRow
from metseg.napari_plugin.controls import Choice, Option
from metseg.napari_plugin.layers import TITLES
from metseg.study import Sequence

_NAMES = {**TITLES, Sequence.UNKNOWN: "unknown"}
_MOVED = "lies on other voxels, and is interpolated on those of the image by its place in the patient"
_TIP = "Which sequence this is. Filled in by its name; you know better."


class SequenceTable(QWidget):
    """A row for each layer or channel with a list of sequences.

    ``chosen`` is called with the number of a row, and the sequence or ``None`` that the user chose for it.
    """

    def __init__(self, chosen: Callable[[int, Sequence | None], object]) -> None:
        super().__init__()
        self._chosen = chosen
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        self._grid.addWidget(QLabel("Sequences"), 0, 0, 1, 2)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.names: list[QLabel] = []
        self.choices: list[Choice] = []

    def show_rows(self, rows: tuple[SequenceRow, ...]) -> None:
        """Show ``rows``; the sequences that nobody would choose twice are offered all the same, and change places."""
        for number in range(len(self.choices), len(rows)):
            name, choice = QLabel(), Choice(partial(self._chosen, number))
            name.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
            name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            choice.setToolTip(_TIP)
            self._grid.addWidget(name, number + 1, 0)
            self._grid.addWidget(choice, number + 1, 1)
            self.names.append(name)
            self.choices.append(choice)
        for number, (name, choice) in enumerate(zip(self.names, self.choices, strict=True)):
            shown = number < len(rows)
            name.setVisible(shown)
            choice.setVisible(shown)
            if not shown:
                continue
            row = rows[number]
            name.setText(row.title)
            name.setToolTip(f"{row.title}: {_MOVED}" if row.moved else row.title)
            options = [Option(sequence, title) for sequence, title in _NAMES.items()]
            choice.offer([*options, *([Option(None, "not used")] if row.optional else [])], row.sequence)
        self.setVisible(bool(rows))
