"""The search, and the tables of studies and series."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from magicgui.widgets import DateEdit
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QLineEdit, QTreeWidget, QTreeWidgetItem

from metseg.dicomweb import PacsStudy, StudyQuery
from metseg.napari_plugin.controls import Choice, Hint, Option, Section, row
from metseg.napari_plugin.layers import TITLES
from metseg.napari_plugin.pacs.state import PacsState
from metseg.napari_plugin.state import Activity
from metseg.napari_plugin.studio.panel import WorkBar, button, stand_out
from metseg.study import Sequence

_PERIODS = {None: "Any", 0: "Today", 7: "Last 7 days", 31: "Last 31 days", 365: "Last 365 days", -1: "From … to …"}
_GIVEN = -1
_ROWS_SHOWN = 5
_STYLE = """
QTreeWidget::item { padding: 3px 2px; }
QTreeWidget::indicator:unchecked { border: 1px solid rgba(128, 128, 128, 80%); border-radius: 2px; }
"""


class SearchSection(Section[PacsState]):
    """Patient, date, description, and what is going on."""

    def __init__(self, state: PacsState, search: Callable[[], object], cancel: Callable[[], object]) -> None:
        super().__init__("Search", state)
        self._period: int | None = None
        self.patient, self.description = QLineEdit(), QLineEdit()
        self.patient.setPlaceholderText("any; * stands for anything")
        self.description.setPlaceholderText("any; a part of it")
        for field in (self.patient, self.description):
            field.returnPressed.connect(search)
        self.period = Choice(self._choose)
        self.period.offer([Option(value, title) for value, title in _PERIODS.items()], self._period)
        self.earliest, self.latest = _date(-365), _date(0)
        self.range = row(self.earliest.native, QLabel("to"), self.latest.native, stretch=(1, 0, 1))
        self.button = button("Search", "Look for MR studies.", search)
        self.work = WorkBar(cancel)
        self.problem, self.message = Hint("notice"), Hint()
        self.add_row("Patient ID", self.patient)
        self.add_row("Study date", self.period)
        self.add_row("", self.range)
        self.add_row("Description", self.description)
        self.add_wide(self.button)
        self.add_wide(self.work)
        self.add_wide(self.problem)
        self.add_wide(self.message)
        self.follow(state.events, ("activity", "progress", "message", "problem", "studies"), self._show)
        self._show()

    @property
    def query(self) -> StudyQuery:
        """What is looked for."""
        earliest = latest = None
        if self._period == _GIVEN:
            earliest, latest = self.earliest.value, self.latest.value
        elif self._period is not None:
            earliest = datetime.date.today() - datetime.timedelta(days=self._period)
        return StudyQuery(self.patient.text(), earliest, latest, self.description.text())

    def _choose(self, period: int | None) -> None:
        self._period = period
        self._show()

    def _show(self) -> None:
        state = self.state
        self.show_row(self.range, self._period == _GIVEN)
        idle = state.activity is Activity.IDLE
        self.button.setEnabled(idle)
        stand_out(self.button, idle and not state.series)
        self.problem.say(state.problem)
        self.message.say(state.message)
        self.work.show_work(state.activity, state.progress)


class StudiesSection(Section[PacsState]):
    """Studies, the chosen one's series, and what is done with them."""

    def __init__(
        self,
        state: PacsState,
        choose: Callable[[PacsStudy], object],
        open_series: Callable[[], object],
        add_to_project: Callable[[], object],
    ) -> None:
        super().__init__("Studies", state)
        self._choose = choose
        self.studies = _table(("Date", "Patient", "Description", "Series"), stretched=2)
        self.studies.currentItemChanged.connect(self._on_study)
        self.series = _table(("No.", "Series", "Sequence", "Images"), stretched=1)
        self.series.itemChanged.connect(self._on_ticked)
        self.open = button("Open", "Fetch the ticked series and show them as layers.", open_series)
        self.add = button(
            "Add to a project …", "Fetch the ticked series into a project's folder, as its next case.", add_to_project
        )
        self.add_wide(self.studies)
        self.add_wide(self.series)
        self.add_wide(row(self.open, self.add, stretch=(1, 1)))
        self.follow(state.events, ("studies",), self._show_studies)
        self.follow(state.events, ("study",), self._show_study)
        self.follow(state.events, ("series",), self._show_series)
        self.follow(state.events, ("studies", "series", "chosen", "activity"), self._show)
        self._show()

    def _show_studies(self) -> None:
        with QSignalBlocker(self.studies):
            self.studies.clear()
            for study in self.state.studies or ():
                count = "" if study.series is None else str(study.series)
                item = QTreeWidgetItem([study.day, study.patient, study.description, count])
                item.setTextAlignment(3, Qt.AlignmentFlag.AlignRight)
                who = " · ".join(filter(None, (study.patient, study.patient_name.replace("^", " ").strip())))
                for column in range(4):
                    item.setToolTip(column, f"{who}\n{study.day} · {study.description}\n{study.uid}")
                self.studies.addTopLevelItem(item)
            self.studies.setCurrentItem(None)
        _fit(self.studies)

    def _show_study(self) -> None:
        studies, study = self.state.studies or (), self.state.study
        with QSignalBlocker(self.studies):
            self.studies.setCurrentItem(self.studies.topLevelItem(studies.index(study)) if study in studies else None)

    def _show_series(self) -> None:
        with QSignalBlocker(self.series):
            self.series.clear()
            for one in self.state.series:
                known = one.sequence not in (Sequence.UNKNOWN, Sequence.OTHER)
                kind = TITLES[one.sequence] if known else one.modality
                number = "" if one.number is None else str(one.number)
                item = QTreeWidgetItem([number, one.description or "without a description", kind, str(one.images)])
                item.setTextAlignment(3, Qt.AlignmentFlag.AlignRight)
                item.setToolTip(1, f"{one.description}\n{one.uid}")
                ticked = one.uid in self.state.chosen
                item.setCheckState(0, Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
                self.series.addTopLevelItem(item)
        _fit(self.series)

    def _show(self) -> None:
        state = self.state
        self.setVisible(bool(state.studies))
        idle = state.activity is Activity.IDLE
        ready = idle and bool(state.chosen) and bool(state.series)
        self.series.setVisible(bool(state.series))
        self.studies.setEnabled(idle or state.activity is Activity.RUNNING)  # another study may be listed instead
        self.series.setEnabled(idle)
        self.open.setEnabled(ready)
        self.add.setEnabled(ready)
        stand_out(self.open, ready)

    def _on_study(self, item: QTreeWidgetItem | None) -> None:
        if item is not None and self.state.studies:
            self._choose(self.state.studies[self.studies.indexOfTopLevelItem(item)])

    def _on_ticked(self, item: QTreeWidgetItem) -> None:
        uid = self.state.series[self.series.indexOfTopLevelItem(item)].uid
        on = item.checkState(0) == Qt.CheckState.Checked
        self.state.chosen = self.state.chosen | {uid} if on else self.state.chosen - {uid}


def _table(headings: tuple[str, ...], *, stretched: int) -> QTreeWidget:
    table = QTreeWidget()
    table.setHeaderLabels(headings)
    table.setRootIsDecorated(False)
    table.setUniformRowHeights(True)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    header = table.header()
    if header is not None:
        header.setStretchLastSection(False)
        for column in range(len(headings)):
            mode = QHeaderView.ResizeMode.Stretch if column == stretched else QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(column, mode)
    table.setStyleSheet(_STYLE)
    return table


def _fit(table: QTreeWidget) -> None:
    """Make a table as high as its rows, up to a few; the others are scrolled to."""
    header = table.header()
    rows = min(max(table.topLevelItemCount(), 1), _ROWS_SHOWN)
    height = table.sizeHintForRow(0) if table.topLevelItemCount() else table.fontMetrics().height()
    table.setFixedHeight(
        height * rows + (0 if header is None else header.sizeHint().height()) + 2 * table.frameWidth() + 2
    )


def _date(days: int) -> DateEdit:
    field = DateEdit(value=datetime.date.today() + datetime.timedelta(days=days))
    field.native.setCalendarPopup(True)
    field.native.setDisplayFormat("yyyy-MM-dd")
    return field
