"""The dock widget "Open from PACS"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QVBoxLayout

from metseg.napari_plugin.controls import Choice, Column, NamedButton, Option, Section, row
from metseg.napari_plugin.dialogs import ask_folder
from metseg.napari_plugin.pacs.connection import ConnectionSection, host_of
from metseg.napari_plugin.pacs.controller import PacsController
from metseg.napari_plugin.pacs.search import SearchSection, StudiesSection
from metseg.napari_plugin.pacs.state import USUAL_RESULTS, PacsState
from metseg.napari_plugin.session import SessionWidget
from metseg.napari_plugin.state import Activity, ConnectionMixin
from metseg.napari_plugin.studio.settings import settings
from metseg.napari_plugin.style import style_sheet
from metseg.reporting import DicomResult

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from metseg.dicomweb import PacsStudy

_WIDTH = 420
_RESULTS = "pacs/results"
_TIPS = {
    DicomResult.SEG: "Segmentation: one segment a lesion, on the voxels of the series.",
    DicomResult.REPORT: "Structured Report (TID 1500): the measures of each lesion; it refers to the SEG.",
    DicomResult.CONTOURS: "RT Structure Set: one contoured region a lesion, for planning systems; not approved.",
}


class PacsWidget(SessionWidget):
    """Search a PACS, open series, store corrected outlines."""

    def __init__(self, napari_viewer: ViewerModel, state: PacsState | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.state = state or PacsState(results=_remembered_results())
        self.controller = PacsController(napari_viewer, self.state)
        self.connection = ConnectionSection(self.state)
        self.search = SearchSection(self.state, self._search, self.controller.cancel)
        self.result = StudiesSection(self.state, self._choose, self._open, self._add)
        self.storing = StoreSection(self.state, self._store)
        self.connection.address.textChanged.connect(self.storing.show_address)
        self.storing.show_address(self.connection.address.text())
        self._parts = (self.connection, self.search, self.result, self.storing)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(Column(self._parts))
        self.setMinimumWidth(_WIDTH)
        self._restyle()
        self._themes = ConnectionMixin()
        self._themes.follow(napari_viewer.events, ("theme",), self._restyle)
        self.begin_session((*self._parts, self._themes), self.controller.close)

    def _search(self) -> None:
        if self.state.activity is Activity.IDLE:
            self.controller.search(self.connection.sign_in, self.search.query)

    def _choose(self, study: PacsStudy) -> None:
        self.controller.choose_study(self.connection.sign_in, study)

    def _open(self) -> None:
        self.controller.open(self.connection.sign_in)

    def _add(self) -> None:
        folder = ask_folder(self, "A project, or a new, empty folder for one")
        if folder is not None:
            self.controller.add_to(folder, self.connection.sign_in)

    def _store(self) -> None:
        self.controller.store(self.connection.sign_in)

    def _restyle(self) -> None:
        self.setStyleSheet(style_sheet(self._viewer.theme, self.font().pointSize()))


class StoreSection(Section[PacsState]):
    """Which outline goes back to the PACS, and as what."""

    def __init__(self, state: PacsState, store: Callable[[], object]) -> None:
        super().__init__("Store", state)
        self._address = ""
        self.outline = Choice(partial(setattr, state, "outline"), "No outline of a DICOM series")
        self.outline.setToolTip("The labels layer to store; what is stored refers to the series that it was drawn on.")
        self.results = {kind: QCheckBox(str(kind)) for kind in DicomResult}
        for kind, box in self.results.items():
            box.setToolTip(_TIPS[kind])
            box.toggled.connect(partial(state.choose_result, kind))
        self.store = NamedButton("Store in the PACS")
        self.store.setObjectName("secondary")
        self.store.clicked.connect(lambda: store())
        self.add_row("Outline", self.outline)
        self.add_row("Store as", row(*self.results.values(), spacing=16, stretch=(0, 0, 1)))
        self.add_wide(self.store)
        self.follow(state.events, ("results",), self._on_results)
        self.follow(state.events, ("outlines", "outline", "activity"), self._show)
        self._show()

    def show_address(self, address: str) -> None:
        """Name the PACS on the button."""
        self._address = address
        self._show()

    def _on_results(self) -> None:
        settings().setValue(_RESULTS, " ".join(sorted(self.state.results)))
        self._show()

    def _show(self) -> None:
        state = self.state
        for kind, box in self.results.items():
            box.setChecked(kind in state.results)
        self.outline.offer([Option(one.layer, one.title) for one in state.outlines], state.outline)
        self.setVisible(bool(state.outlines))
        self.store.name(host_of(self._address))
        obstacle = "" if state.results else "Tick as what it is stored."
        if not self._address:
            obstacle = "Type the address of the PACS first."
        if state.activity is not Activity.IDLE:
            obstacle = "Wait for the current work to end."
        self.store.setEnabled(not obstacle)
        self.store.setToolTip(obstacle or "A new series beside that of the images; nothing there is replaced.")


def _remembered_results() -> frozenset[DicomResult]:
    """As what outlines were stored last."""
    words = str(settings().value(_RESULTS, "") or "").split()
    return frozenset(kind for kind in DicomResult if kind in words) or USUAL_RESULTS
