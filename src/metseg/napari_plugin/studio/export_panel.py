"""What was corrected as data sets: written, checked, taken back."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QT_TRANSLATE_NOOP, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QSpinBox, QWidget

from metseg.curation import Status
from metseg.curation.export import Layout
from metseg.napari_plugin.controls import Choice, Hint, Option, row
from metseg.napari_plugin.dialogs import ask_folder
from metseg.napari_plugin.state import Activity
from metseg.napari_plugin.studio.exporting import (
    TITLES,
    ExportReport,
    exporting,
    missing_package,
    taking_back,
    verifying_all,
)
from metseg.napari_plugin.studio.panel import Panel, WorkBar, button, stand_out
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio

_TIPS = {
    Layout.PAIRS: QT_TRANSLATE_NOOP("studio", "<slice>.tif with <slice>_mask.tif: what metseg train reads."),
    Layout.NNUNET: QT_TRANSLATE_NOOP("studio", "A data set for nnU-Net v2, with its folds by patient."),
    Layout.NIFTI: QT_TRANSLATE_NOOP("studio", "Volumes named as in BIDS derivatives, with sidecars."),
    Layout.COCO: QT_TRANSLATE_NOOP("studio", "Slices as TIFF, lesions as run-length encoded masks."),
}
#: The name of a case without what follows its last underscore, such as a date.
_WITHOUT_LAST_PART = r"(.+)_[^_]*"


class Chosen(Enum):
    """Which cases are exported."""

    APPROVED = (Status.APPROVED,)
    CORRECTED = (Status.APPROVED, Status.CORRECTED)
    PREDICTED = (Status.APPROVED, Status.CORRECTED, Status.PREDICTED)


class ExportPanel(Panel):
    """Export, verify, take back."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(translate("studio", "Export"), studio)
        self._cases = Chosen.APPROVED
        self._pattern = ""
        self._folder: Path | None = None
        self._working = False
        self._offered: list[Option] = []
        self.layouts = {layout: _box(layout) for layout in Layout}
        self.layouts[Layout.PAIRS].setChecked(True)
        self.cases = Choice(self._choose_cases)
        self.patients = Choice(self._choose_patients)
        self.patients.offer(
            [
                Option("", translate("studio", "Each case is a patient")),
                Option(
                    _WITHOUT_LAST_PART,
                    translate("studio", "Name up to the last _"),
                    translate("studio", "a_b_2019 and a_b_2021 are of the patient a_b"),
                ),
            ],
            self._pattern,
        )
        self.patients.setToolTip(translate("studio", "Whom a case is of: no patient is both in training and held out."))
        self.held_out = QSpinBox()
        self.held_out.setRange(0, 90)
        self.held_out.setValue(20)
        self.held_out.setSuffix(translate("studio", " % of patients"))
        self.held_out.setToolTip(
            translate("studio", "Kept for testing. Who is held out stays so as the project grows.")
        )
        self.licence = QLineEdit()
        self.licence.setPlaceholderText(translate("studio", "of the data, for the card"))
        self.export = button(translate("studio", "Export …"), "", self._export)
        self.verify = button(
            translate("studio", "Verify …"),
            translate("studio", "Hash every file of an export again and name what differs."),
            self._verify,
        )
        self.new = button(
            translate("studio", "Import as new …"),
            translate("studio", "Make a project of an export, and go on with it."),
            self._take_back_new,
        )
        self.here = button(translate("studio", "Import into this …"), "", self._take_back_here)
        self.work = WorkBar(studio.cancel)
        self.result = Hint("notice")
        self.remarks = Hint()
        self.open = button(translate("studio", "Open the folder"), translate("studio", "Show the files."), self._open)
        self.add_row(translate("studio", "Layouts"), _in_pairs(list(self.layouts.values())))
        self.add_row(translate("studio", "Cases"), self.cases)
        self.add_row(translate("studio", "Patients"), self.patients)
        self.add_row(translate("studio", "Held out"), self.held_out)
        self.add_row(translate("studio", "Licence"), self.licence)
        self.add_wide(row(self.export, self.verify, stretch=(1, 1)))
        for widget in (self.work, self.result, self.remarks, self.open):
            self.add_wide(widget)
        self.add_wide(row(self.new, self.here, stretch=(1, 1)))
        self.open.hide()
        for box in self.layouts.values():
            box.toggled.connect(self._show)
        self.follow(self.state.events, ("project", "cases", "activity", "progress", "notices"), self._show)
        self.follow(self.state.events, ("project",), self._forget)
        self._show()

    # Choices

    def _choose_cases(self, cases: Chosen) -> None:
        self._cases = cases
        self._show()

    def _choose_patients(self, pattern: str) -> None:
        self._pattern = pattern

    def _chosen_layouts(self) -> tuple[Layout, ...]:
        return tuple(layout for layout, box in self.layouts.items() if box.isChecked() and box.isEnabled())

    def _count(self, cases: Chosen) -> int:
        return sum(case.status in cases.value for case in self.state.cases if not case.problem)

    # What is done

    def _export(self) -> None:
        folder = ask_folder(self, translate("studio", "Export to"))
        if folder is not None:
            self.export_to(folder)

    def export_to(self, folder: Path) -> None:
        """Export what was chosen to ``folder``, in a thread; all that was drawn is saved first."""
        self.studio.when_saved(partial(self._export_saved, folder))

    def _export_saved(self, folder: Path, saved: bool) -> None:
        project = self.state.project
        if project is None or not saved:
            return
        self._folder = folder
        options = {
            "statuses": self._cases.value,
            "held_out": self.held_out.value() / 100,
            "patient_pattern": self._pattern,
            "licence": self.licence.text().strip(),
        }
        self._start("Exporting", exporting, project, folder, self._chosen_layouts(), options)

    def _verify(self) -> None:
        folder = ask_folder(self, translate("studio", "An export, or a folder with exports"), str(self._folder or ""))
        if folder is not None:
            self.verify_folder(folder)

    def verify_folder(self, folder: Path) -> None:
        """Check the exports in ``folder``, in a thread."""
        self._folder = folder
        self._start("Verifying", verifying_all, folder)

    def _take_back_new(self) -> None:
        export = ask_folder(self, translate("studio", "The export to take back"), str(self._folder or ""))
        folder = (
            None if export is None else ask_folder(self, translate("studio", "A new, empty folder for the project"))
        )
        if export is not None and folder is not None:
            self.take_back(export, folder)

    def _take_back_here(self) -> None:
        export = ask_folder(self, translate("studio", "The export to take back"), str(self._folder or ""))
        if export is not None and self.state.project is not None:
            self.take_back(export, self.state.project.path)

    def take_back(self, export: Path, project: Path) -> None:
        """Take an export back into the project in a folder, in a thread; the open case is saved and closed first."""
        given = export, project, self.state.annotator
        self.studio.close_case(partial(self._start, "Taking back", taking_back, *given))

    def _start(self, title: str, stream: Any, *arguments: object) -> None:
        self._forget()
        self._working = self.studio.start(Activity.EXPORTING, title, self._on_done, stream, *arguments)
        self._show()

    def _on_done(self, report: ExportReport) -> None:
        self.result.say(report.text)
        self.remarks.say("\n".join((*report.problems, *self.state.notices)))
        self.open.setVisible(report.folder is not None)
        self.studio.refresh()

    def _forget(self) -> None:
        self.result.say("")
        self.remarks.say("")
        self.open.hide()

    def _open(self) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))

    # What is shown

    def _show(self) -> None:
        state = self.state
        counts = {chosen: self._count(chosen) for chosen in Chosen}
        titles = {
            Chosen.APPROVED: translate("studio", "Approved only"),
            Chosen.CORRECTED: translate("studio", "Approved and corrected"),
            Chosen.PREDICTED: translate("studio", "All but untouched and rejected"),
        }
        options = [Option(one, f"{titles[one]} ({counts[one]})") for one in Chosen]
        if options != self._offered:  # not while the list is open and work goes on
            self._offered = options
            self.cases.offer(options, self._cases)
        idle = state.activity is Activity.IDLE
        obstacle = _obstacle(idle, state.project is not None, self._chosen_layouts(), counts[self._cases])
        self.export.setEnabled(not obstacle)
        stand_out(self.export, not obstacle)
        self.export.setToolTip(
            obstacle or translate("studio", "Images, masks, and a manifest that says where each mask comes from.")
        )
        self.verify.setEnabled(idle)
        self.new.setEnabled(idle)
        self.here.setEnabled(idle and state.project is not None)
        self.here.setToolTip(
            translate(
                "studio",
                "Take an export back. Cases with other labels here are left alone; the open case is closed first.",
            )
        )
        self._working = self._working and not idle
        self.work.show_work(state.activity if self._working else Activity.IDLE, state.progress)


def _obstacle(idle: bool, project: bool, layouts: tuple[Layout, ...], cases: int) -> str:
    if not project:
        return translate("studio", "Open a project first.")
    if not idle:
        return translate("studio", "Wait for the current work to end.")
    if not layouts:
        return translate("studio", "Choose a layout first.")
    return "" if cases else translate("studio", "No case is ready: approve some first.")


def _box(layout: Layout) -> QCheckBox:
    box = QCheckBox(TITLES[layout])
    missing = missing_package(layout)
    box.setEnabled(not missing)
    tip = translate("studio", _TIPS[layout])
    box.setToolTip(f'Needs {missing}: pip install "napari-metseg[export]"' if missing else tip)
    return box


def _in_pairs(widgets: list[QCheckBox]) -> QWidget:
    held = QWidget()
    grid = QGridLayout(held)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(4)
    for number, widget in enumerate(widgets):
        grid.addWidget(widget, number // 2, number % 2)
    return held
