"""The lesions of the open case as a table that follows every edit, and from which they are found and tidied."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QT_TRANSLATE_NOOP, QPoint
from qtpy.QtGui import QAction, QColor  # type: ignore[attr-defined]  # QAction is there
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

from metseg.curation import LesionRow, Origin, lesion_rows, write_lesion_rows
from metseg.errors import MetsegError
from metseg.lesions import find_midline, sum_of_target_diameters
from metseg.napari_plugin.background import LatestOnlyWorker
from metseg.napari_plugin.controls import Hint, row
from metseg.napari_plugin.studio.formatting import lesion_count
from metseg.napari_plugin.studio.lesion_view import LesionView
from metseg.napari_plugin.studio.panel import Panel
from metseg.napari_plugin.studio.shortcuts import Shortcut
from metseg.napari_plugin.studio.state import OnCanvas
from metseg.napari_plugin.studio.tool_panel import renumber
from metseg.napari_plugin.translations import translate
from metseg.study import Sequence, Study

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.case_labels import CaseLabels, LabelArray
    from metseg.napari_plugin.studio.studio import Studio

#: A space at which no line ends: a number stays with its unit.
_NO_BREAK = "\N{NO-BREAK SPACE}"


class LesionPanel(Panel):
    """The lesion table, what it adds up to, and its export."""

    def __init__(self, studio: Studio) -> None:
        super().__init__("", studio)
        self.setContentsMargins(4, 2, 4, 4)
        self.tools = studio.tools
        self.table = LesionView(self._colour)
        self.total = Hint()
        self.export = QPushButton(translate("studio", "Export …"))
        self.export.setToolTip(translate("studio", "Write the table to a CSV file."))
        self.export.clicked.connect(self.choose_file)
        self.add_wide(self.table)
        self.add_wide(row(self.total, self.export, spacing=-1))
        self._labels: CaseLabels | None = None
        self._measuring = LatestOnlyWorker(self._on_measured, studio.report_error)
        self._writing = LatestOnlyWorker(self._on_written, self._on_not_written)
        studio.add_closing(self._measuring.forget)
        studio.add_closing(self._writing.forget)
        studio.add_shortcut(Shortcut("T", QT_TRANSLATE_NOOP("studio", "next lesion"), lambda: self.step(1)))
        studio.add_shortcut(Shortcut("Shift-T", QT_TRANSLATE_NOOP("studio", "lesion before"), lambda: self.step(-1)))
        self.table.rows_chosen.selectionChanged.connect(self._on_selected)
        self.table.went.connect(self._go_to)
        self.table.customContextMenuRequested.connect(self._open_menu)
        self.follow(studio.state.events, ("case",), self._on_case)
        self.follow(studio.state.events, ("edits",), self._measure)
        self.follow(studio.state.events, ("commits",), self._show_origins)
        self.follow(studio.state.events, ("lesion",), self._show_selected)
        self._on_case()

    @property
    def busy(self) -> bool:
        """Whether lesions are being measured, or the table is being written."""
        return self._measuring.busy or self._writing.busy

    def step(self, by: int) -> None:
        """Select the lesion that is ``by`` rows further down, and go there; round at the ends."""
        number = len(self.table.rows)
        if not number:
            self.tools.refuse(translate("studio", "There are no lesions."))
            return
        place = self.table.place(self.state.lesion)
        row = (place + by) % number if place is not None else 0 if by > 0 else number - 1
        self.table.choose((self.table.lesion(row).lesion.id,))
        self._go_to(row)

    def choose_file(self) -> None:
        """Write the table to a file that the user chooses."""
        if self.state.case is None:
            return
        proposal = str(Path.home() / f"{self.state.case.name}_lesions.csv")
        path, _ = QFileDialog.getSaveFileName(self, translate("studio", "Export table"), proposal, "CSV (*.csv)")
        if path:
            self.write(Path(path))

    def write(self, path: Path) -> None:
        """Write the table to a CSV file, in a thread."""
        prediction = None if self.state.case is None else self.state.case.prediction
        target = "" if prediction is None else prediction.provenance.target
        self._writing.submit(_written, self.table.rows, path, target)

    def _on_written(self, written: tuple[int, Path]) -> None:
        number, path = written
        text = translate("studio", "{lesions} written to {file}.")
        self.tools.report(text.format(lesions=lesion_count(number), file=path.name))

    def _on_not_written(self, error: Exception) -> None:
        if isinstance(error, MetsegError | OSError):
            self.tools.refuse(str(error))
        else:
            self.studio.report_error(error)

    def _measure(self) -> None:
        case = self.state.case
        if case is None:
            return
        prediction = case.prediction
        measured = partial(
            _rows_of_copy,
            study=case.study,
            probabilities=None if prediction is None else prediction.probabilities,
            disagreement=None if prediction is None else prediction.disagreement,
            slice_numbers=case.numbers,
        )
        self._measuring.submit(measured, case.labels.data)

    def _on_measured(self, rows: tuple[LesionRow, ...]) -> None:
        self.table.show_rows(self._with_origins(rows))
        self._show_selected()
        self._show_total()

    def _on_case(self) -> None:
        case = self.state.case
        if case is None or case.labels is not self._labels:
            self._measuring.forget()
            self.table.show_rows(())
            self._labels = None if case is None else case.labels
        self.export.setEnabled(case is not None)
        self._show_total()
        self._measure()

    def _show_origins(self) -> None:
        """Who drew what is known once it is on the disk."""
        self.table.show_rows(self._with_origins(self.table.rows))

    def _with_origins(self, rows: tuple[LesionRow, ...]) -> tuple[LesionRow, ...]:
        case = self.state.case
        origins = {} if case is None else case.view.origins()
        return tuple(replace(row, origin=origins.get(row.lesion.id, Origin.MANUAL)) for row in rows)

    def _show_total(self) -> None:
        rows = self.table.rows
        if self.state.case is None:
            self.total.say("")
            return
        parts = [lesion_count(len(rows))]
        if rows:
            parts.append(f"{sum(row.volume[0] for row in rows):,.0f} {translate('studio', rows[0].volume[1])}")
        if targets := sum_of_target_diameters(row.lesion for row in rows):
            parts.append(translate("studio", "targets {length} mm").format(length=f"{targets:.0f}"))
        self.total.say(", ".join(part.replace(" ", _NO_BREAK) for part in parts))

    def _show_selected(self) -> None:
        lesion = self.state.lesion
        if lesion not in self.table.chosen:
            self.table.choose((lesion,))

    def _on_selected(self) -> None:
        chosen = self.table.chosen
        self.tools.state.chosen = chosen
        if chosen:
            self.state.lesion = chosen[0]

    def _go_to(self, row: int) -> None:
        """Show the middle slice of the lesion in a row, centred on what it has there."""
        case, lesion = self.state.case, self.table.lesion(row).lesion
        if case is None:
            return
        z = _middle(case.labels.data, lesion.id, lesion.slices)
        places = np.argwhere(case.labels.data[z] == lesion.id)
        if len(places):
            y, x = places.mean(axis=0)
            self.studio.go_to(z, float(y), float(x))

    def _open_menu(self, place: QPoint) -> None:
        if self.table.chosen:
            self.menu().exec(self.table.on_screen(place))

    def menu(self) -> QMenu:
        """What can be done with the selected lesions."""
        tools, several = self.tools, len(self.table.chosen) > 1
        menu = QMenu(self)

        def split() -> None:
            tools.state.on_canvas = OnCanvas.SPLIT

        entries = (
            (translate("studio", "Split by two clicks"), split, not several),
            (translate("studio", "Separate pieces"), tools.separate, not several),
            (translate("studio", "Merge"), tools.merge, several),
            (translate("studio", "Renumber …"), lambda: renumber(self, tools), not several),
            (translate("studio", "Delete"), tools.delete, True),
        )
        for title, act, usable in entries:
            action = QAction(title, menu)
            action.triggered.connect(lambda _=False, act=act: act())
            action.setEnabled(usable and self.state.editable)
            menu.addAction(action)
        return menu

    def _colour(self, lesion: int) -> QColor:
        if self._labels is None:
            return QColor()
        return QColor.fromRgbF(*(float(part) for part in self._labels.colormap.map(lesion)[:3]))


def _rows_of_copy(labels: LabelArray, study: Study, **known: Any) -> tuple[LesionRow, ...]:
    """The rows of labels that may be drawn on meanwhile; run this in a thread."""
    place = study.geometry
    midline = find_midline(study.voxels[study.channel(Sequence.POST)], place.orientation, place.spacing)
    return lesion_rows(labels.copy(), spacing=place.spacing, midline=midline, **known)


def _written(rows: tuple[LesionRow, ...], path: Path, target: str) -> tuple[int, Path]:
    """Write rows to a CSV file; run this in a thread."""
    write_lesion_rows(rows, path, target)
    return len(rows), path


def _middle(labels: LabelArray, lesion: int, slices: tuple[int, int]) -> int:
    """The slice nearest to the middle of those given in which there is something of the lesion."""
    middle = sum(slices) // 2
    order = sorted(range(slices[0], min(slices[1] + 1, len(labels))), key=lambda z: abs(z - middle))
    return next((z for z in order if (labels[z] == lesion).any()), middle)
