"""The dock widget "Follow-up"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QFileDialog, QLabel, QMenu, QToolButton, QVBoxLayout

from metseg.napari_plugin.controls import Choice, Column, Hint, Option, Section, rename
from metseg.napari_plugin.dialogs import ask_folder
from metseg.napari_plugin.follow_up.change_table import ChangeTable
from metseg.napari_plugin.follow_up.controller import FollowUpController
from metseg.napari_plugin.follow_up.state import FollowUpState, TimePoint
from metseg.napari_plugin.layers import KEY, Channel
from metseg.napari_plugin.patient_sides import PatientSides
from metseg.napari_plugin.session import SessionWidget
from metseg.napari_plugin.state import Activity, ConnectionMixin, LayerChoice
from metseg.napari_plugin.studio.panel import WorkBar, button, stand_out
from metseg.napari_plugin.style import style_sheet

if TYPE_CHECKING:
    from napari.viewer import Viewer

_WIDTH = 440


class FollowUpWidget(SessionWidget):
    """Compare two examinations of one patient, side by side.

    Parameters
    ----------
    napari_viewer : napari viewer
        The viewer to work in; it shows the later examination.
    state : FollowUpState, optional
        State to show; a fresh one by default.
    """

    def __init__(self, napari_viewer: Viewer, state: FollowUpState | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.state = state or FollowUpState()
        self.controller = FollowUpController(napari_viewer, self.state)
        self.sides = PatientSides(napari_viewer)
        self.examinations = ExaminationSection(self.state, self._open, self.controller.compare, self.controller.cancel)
        self.changes = ChangeSection(self.state, self.controller.start_from_earlier)
        self._parts = (self.examinations, self.changes)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(Column(self._parts))
        self.setMinimumWidth(_WIDTH)
        self._restyle()
        self._themes = ConnectionMixin()
        self._themes.follow(napari_viewer.events, ("theme",), self._restyle)
        self.begin_session((*self._parts, self._themes), self.controller.close, self.sides.close)

    def close_session(self) -> None:
        """Stop work, take the earlier examination's canvas and the layers of the comparison away."""
        super().close_session()
        self.controller.leave()

    def _open(self, point: TimePoint, folder: bool) -> None:
        if folder:
            path = ask_folder(self, "Open the folder of an examination")
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Open an examination")
            path = Path(chosen) if chosen else None
        if path is not None:
            self.controller.open(point, path)

    def _restyle(self) -> None:
        self.setStyleSheet(style_sheet(self._viewer.theme, self.font().pointSize()))


class ExaminationSection(Section[FollowUpState]):
    """Which two examinations, by which outlines, and what is going on.

    Parameters
    ----------
    state : FollowUpState
    open_files : callable
        Called with the time point, and whether a folder shall be asked for.
    compare, cancel : callable
    """

    def __init__(
        self,
        state: FollowUpState,
        open_files: Callable[[TimePoint, bool], object],
        compare: Callable[[], object],
        cancel: Callable[[], object],
    ) -> None:
        super().__init__("Examinations", state)
        self.earlier = TimePointRows(self, "Earlier", state.earlier, open_files)
        self.later = TimePointRows(self, "Later", state.later, open_files)
        self.compare = button("Compare", "Register, match lesions, and show both side by side.", compare)
        self.work = WorkBar(cancel)
        self.problem = Hint("notice")
        self.hint = Hint()
        self.add_wide(self.compare)
        self.add_wide(self.work)
        self.add_wide(self.problem)
        self.add_wide(self.hint)
        for point in (state.earlier, state.later):
            self.follow(point.events, ("image", "outline", "outlines"), self._show)
        self.follow(state.events, ("images", "activity", "progress", "notices", "comparison", "outdated"), self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        idle = state.activity is Activity.IDLE
        for rows in (self.earlier, self.later):
            rows.show(state.images, idle)
        self.compare.setEnabled(not state.obstacle)
        stand_out(self.compare, not state.obstacle and (state.comparison is None or state.outdated))
        self.problem.say("\n".join(state.notices))
        said = state.obstacle if idle else ""
        if not said and state.outdated:
            said = "Outlines have changed: compare again. The registration is kept."
        self.hint.say(said)
        if idle:
            self.work.hide()
        else:
            self.work.show_work(state.activity, state.progress)


class TimePointRows:
    """The rows of one examination: image, with a button that opens another, and outlines.

    Parameters
    ----------
    section : Section
        To which they are added.
    title : str
    point : TimePoint
    open_files : callable
        Called with the time point, and whether a folder shall be asked for.
    """

    def __init__(
        self,
        section: Section[FollowUpState],
        title: str,
        point: TimePoint,
        open_files: Callable[[TimePoint, bool], object],
    ) -> None:
        self._point = point
        self.image = Choice(partial(setattr, point, "image"), "No image is open")
        self.image.setToolTip(f"The {title.lower()} examination, with all its sequences.")
        self.open = QToolButton()
        self.open.setText("…")
        self.open.setObjectName("openModel")
        self.open.setToolTip(f"Open the {title.lower()} examination from files.")
        self.open.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.open.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        menu = QMenu(self.open)
        for name, folder in (("File …", False), ("Folder …", True)):
            action = menu.addAction(name)
            if action is not None:
                action.triggered.connect(lambda _=False, folder=folder: open_files(point, folder))
        self.open.setMenu(menu)
        self.outline = Choice(partial(setattr, point, "outline"), "No outlines yet")
        self.outline.setToolTip("The labels layer with its lesions.")
        section.add_row(title, self.image, self.open)
        section.add_row("Outlines", self.outline)

    def show(self, images: tuple[LayerChoice, ...], idle: bool) -> None:
        """Offer what is open."""
        point = self._point
        self.image.offer([Option(one.layer, one.title, _place(one.layer)) for one in images], point.image)
        self.outline.offer([Option(one.layer, one.title) for one in point.outlines], point.outline)
        self.open.setEnabled(idle)


class ChangeSection(Section[FollowUpState]):
    """What became of the lesions, RANO-BM's category, and what comes next.

    Parameters
    ----------
    state : FollowUpState
    start_from_earlier : callable
    """

    def __init__(self, state: FollowUpState, start_from_earlier: Callable[[], object]) -> None:
        super().__init__("Changes", state)
        self.response = QLabel()
        self.response.setObjectName("result")
        self.response.setWordWrap(True)
        self.reason = Hint()
        self.table = ChangeTable(self._choose)
        self.start = button(
            "Start from the earlier outlines",
            "Adds them, carried into the later image, as a layer to correct; what is drawn already stays.",
            start_from_earlier,
        )
        self.beside = QCheckBox("Earlier examination beside the later one")
        self.beside.toggled.connect(partial(setattr, state, "beside"))
        self.legend = Hint()
        for widget in (self.response, self.reason, self.table, self.start, self.beside, self.legend):
            self.add_wide(widget)
        self.follow(state.events, ("comparison",), self._show_comparison)
        self.follow(state.events, ("lesion",), self._show_lesion)
        self.follow(state.events, ("beside",), self._show_beside)
        self.follow(state.events, ("activity", "outdated"), self._show_usable)
        self._show_comparison()

    def _choose(self, number: int) -> None:
        """Go to a lesion, also if it is the chosen one: the user may have left it."""
        if self.state.lesion == number:
            self.state.lesion = 0
        self.state.lesion = number

    def _show_comparison(self) -> None:
        comparison = self.state.comparison
        self.setVisible(comparison is not None)
        self.table.show_comparison(comparison)
        if comparison is not None:
            judgement = comparison.result.judgement
            outlined = comparison.outlined
            self.response.setText(str(judgement.response).capitalize() if outlined else "Not outlined yet")
            self.reason.say(
                f"RANO-BM, target lesions alone: {judgement.reason}. For research use."
                if outlined
                else "The later examination has no outlines: correct the earlier ones, then compare."
            )
            self.legend.say(
                "Pink: the earlier outlines, carried into the later image. The earlier image is interpolated; "
                "volumes and diameters are measured on each examination's own voxels."
            )
        self._show_beside()
        self._show_usable()

    def _show_lesion(self) -> None:
        if self.state.lesion:
            self.table.show_chosen(self.state.lesion)

    def _show_beside(self) -> None:
        self.beside.setChecked(self.state.beside)

    def _show_usable(self) -> None:
        comparison = self.state.comparison
        self.start.setEnabled(self.state.activity is Activity.IDLE)
        stand_out(self.start, comparison is not None and not comparison.outlined and not self.state.outdated)
        rename(self.response, "noResult" if self.state.outdated else "result")


def _place(layer: object) -> str:
    """Where an image was read from."""
    entry = getattr(layer, "metadata", {}).get(KEY)
    slices = entry.study.slices if isinstance(entry, Channel) else ()
    return str(slices[0].image) if slices else ""
