"""The dock widget: a view of the state, with controller and preview at its side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout

from metseg.napari_plugin.controller import Controller
from metseg.napari_plugin.controls import Column
from metseg.napari_plugin.dialogs import ask_folder, ask_model_file, confirm_replacement
from metseg.napari_plugin.input_section import InputSection
from metseg.napari_plugin.outline_display import OutlineDisplay
from metseg.napari_plugin.patient_sides import PatientSides
from metseg.napari_plugin.patients import PatientList
from metseg.napari_plugin.planes import toggle_planes
from metseg.napari_plugin.preview import Preview
from metseg.napari_plugin.scores_section import ScoresSection
from metseg.napari_plugin.scoring import Scoring
from metseg.napari_plugin.sections import EnhanceSection, OutlineSection, ResultSection, RunSection
from metseg.napari_plugin.session import SessionWidget
from metseg.napari_plugin.state import ConnectionMixin, SegmentationState
from metseg.napari_plugin.style import style_sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel


class SegmentationWidget(SessionWidget):
    """Segment lesions, refine the outline, export it."""

    def __init__(self, napari_viewer: ViewerModel, state: SegmentationState | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.state = state or SegmentationState()
        self.controller = Controller(napari_viewer, self.state)
        self.preview = Preview(napari_viewer, self.state)
        self.display = OutlineDisplay(self.state)
        self.patients = PatientList(napari_viewer, self.state)
        self.scoring = Scoring(self.state)
        self.sides = PatientSides(napari_viewer)
        self.input = InputSection(
            self.state,
            self._open_model,
            self.controller.name_sequence,
            self.patients.open,
            self.controller.state_spacing,
            partial(toggle_planes, napari_viewer),
            self.controller.networks,
        )
        self.enhance = EnhanceSection(self.state)
        self.outline = OutlineSection(self.state)
        self.run = RunSection(self.state, self.controller.run, self.controller.cancel)
        self.result = ResultSection(
            self.state, self.controller.outline_anew, self.controller.confirm_slice, self._export
        )
        self.scores = ScoresSection(self.state)
        self._parts = (self.input, self.enhance, self.outline, self.run, self.scores, self.result)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(Column(self._parts))
        self._restyle()
        self._themes = ConnectionMixin()
        self._themes.follow(napari_viewer.events, ("theme",), self._restyle)
        self.begin_session(
            (*self._parts, self.input.place, self._themes),
            self.controller.close,
            self.preview.close,
            self.display.close,
            self.patients.close,
            self.scoring.close,
            self.sides.close,
        )

    def close_session(self) -> None:
        """Stop work, remove the preview, let go of viewer and state."""
        super().close_session()
        self.preview.remove()

    def _restyle(self) -> None:
        self.setStyleSheet(style_sheet(self._viewer.theme, self.font().pointSize()))

    def _open_model(self) -> None:
        path = ask_model_file(self)
        if path:
            self.controller.add_model_file(path)

    def _export(self) -> None:
        folder = ask_folder(self, f"Export {self.state.outline.name} ({self.state.origin}) to")
        if folder is not None:
            self.controller.export(folder, lambda there, described: confirm_replacement(self, there, described))
