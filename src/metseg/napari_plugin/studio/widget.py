"""The dock widget "Correction studio": its header, its panels, its session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QT_TRANSLATE_NOOP, QEvent, QObject
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from metseg.napari_plugin import translations
from metseg.napari_plugin.controls import Column
from metseg.napari_plugin.patient_sides import PatientSides
from metseg.napari_plugin.session import SessionWidget
from metseg.napari_plugin.state import ConnectionMixin
from metseg.napari_plugin.studio.export_panel import ExportPanel
from metseg.napari_plugin.studio.first_steps import FirstSteps
from metseg.napari_plugin.studio.keys_panel import KeysPanel
from metseg.napari_plugin.studio.lesion_table import LesionPanel
from metseg.napari_plugin.studio.panel import Panel
from metseg.napari_plugin.studio.project_panel import ProjectPanel
from metseg.napari_plugin.studio.proposal_panel import ProposalPanel
from metseg.napari_plugin.studio.queue_panel import QueuePanel
from metseg.napari_plugin.studio.retrain_panel import RetrainPanel
from metseg.napari_plugin.studio.shortcuts import Shortcut
from metseg.napari_plugin.studio.state import StudioState, Tab
from metseg.napari_plugin.studio.studio import Studio
from metseg.napari_plugin.studio.surfaces import Surfaces
from metseg.napari_plugin.studio.tool_panel import ToolMessage, ToolPanel
from metseg.napari_plugin.studio.viewing import SliceNumber, Viewing
from metseg.napari_plugin.style import style_sheet
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from napari.components import ViewerModel

_WIDTH = 380


class StudioWidget(SessionWidget):
    """Correct a project's cases, one after the other."""

    def __init__(self, napari_viewer: ViewerModel, state: StudioState | None = None) -> None:
        super().__init__()
        translations.install(translations.languages())
        self.studio = Studio(napari_viewer, state)
        self.project = ProjectPanel(self.studio)
        self.queue = QueuePanel(self.studio)
        self.lesions = LesionPanel(self.studio)
        self.tools = ToolPanel(self.studio)
        self.proposal = ProposalPanel(self.studio)
        self.export = ExportPanel(self.studio)
        self.retrain = RetrainPanel(self.studio)
        self.viewing = Viewing(self.studio)
        self.surfaces = Surfaces(self.studio)
        self.sides = PatientSides(napari_viewer)
        self.studio.add_shortcut(Shortcut("N", QT_TRANSLATE_NOOP("studio", "new lesion"), self.studio.new_lesion))
        self.studio.add_shortcut(Shortcut("K", QT_TRANSLATE_NOOP("studio", "show these keys"), self._show_keys))
        self.keys = KeysPanel(self.studio)
        self.steps = FirstSteps(self.studio, self.project, self.proposal.proposing, self.queue.reviewing)
        self._begun = False
        self.message = ToolMessage(self.studio)
        self._slice_number = SliceNumber(self.studio)
        panels: dict[Tab, Sequence[Panel]] = {
            Tab.REVIEW: (self.steps, self.queue, self.tools),
            Tab.PREDICT: (self.proposal,),
            Tab.EXPORT: (self.export,),
            Tab.RETRAIN: (self.retrain,),
            Tab.KEYS: (self.keys,),
        }
        titles = {
            Tab.REVIEW: translate("studio", "Review"),
            Tab.PREDICT: translate("studio", "Predict"),
            Tab.EXPORT: translate("studio", "Export"),
            Tab.RETRAIN: translate("studio", "Retrain"),
            Tab.KEYS: translate("studio", "Keys"),
        }
        self.tabs = QTabWidget()
        self.tabs.setObjectName("studioTabs")
        self.tabs.setDocumentMode(True)
        bar = self.tabs.tabBar()
        if bar is not None:
            bar.setDrawBase(False)
        for tab, held in panels.items():
            self.tabs.addTab(Column(held), titles[tab])
        self.tabs.currentChanged.connect(self._on_tab)
        self._header = QWidget()
        top = QVBoxLayout(self._header)
        top.setContentsMargins(10, 4, 10, 4)
        top.setSpacing(4)
        top.addWidget(self.project)
        top.addWidget(self.message)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._header)
        layout.addWidget(self.tabs, 1)
        self.lesion_dock = LesionDock(napari_viewer, self.lesions, layout)
        self.setMinimumWidth(_WIDTH)
        self._restyle()
        others = ConnectionMixin()
        others.follow(napari_viewer.events, ("theme",), self._restyle)
        others.follow(self.studio.state.events, ("tab",), self._show_tab)
        others.follow(self.studio.state.events, ("project", "case"), self._show_parts)
        others.follow(self.studio.state.events, ("case",), self.sides.show)
        self._show_tab()
        self._show_parts()
        header: tuple[ConnectionMixin, ...] = (self.project, self.project.saved, self.message)
        every = (
            *header,
            self.lesions,
            self.queue.notes,
            self.tools.only,
            self.proposal.place,
            *(panel for held in panels.values() for panel in held),
        )
        self.begin_session((*every, self._slice_number, others), self.studio.close, self.sides.close)

    def close_session(self) -> None:
        """Save and close the case, remove its layers, stop work, give the keys back."""
        self.lesion_dock.close()
        self.studio.cases.close_now()
        self.studio.own_layers.remove()
        super().close_session()

    def _show_keys(self) -> None:
        self.studio.state.tab = Tab.KEYS

    def _show_tab(self) -> None:
        self.tabs.setCurrentIndex(list(Tab).index(self.studio.state.tab))

    def _show_parts(self) -> None:
        """Leave out what only acts on a case until the project's first one is open, and keep it from then on."""
        state = self.studio.state
        self._begun = state.project is not None and (self._begun or state.case is not None)
        self.tools.setVisible(self._begun)
        self.queue.buttons.setVisible(self._begun)
        self.lesion_dock.set_shown(self._begun)

    def _on_tab(self, index: int) -> None:
        self.studio.state.tab = list(Tab)[index]

    def _restyle(self) -> None:
        self.studio.colours.set_theme(self.studio.viewer.theme)
        sheet = style_sheet(self.studio.viewer.theme, self.font().pointSize())
        for widget in (self, self.lesions):
            widget.setStyleSheet(sheet)


class LesionDock(QObject):
    """Docks the lesion table below napari's list of layers; without window, or once closed, it is in ``below``."""

    def __init__(self, viewer: ViewerModel, panel: LesionPanel, below: QVBoxLayout) -> None:
        super().__init__()
        self._window = getattr(viewer, "window", None)
        self._panel = panel
        self._below = below
        self._docked = self._closed = False
        panel.hide()

    def set_shown(self, shown: bool) -> None:
        """Show or hide the table."""
        if shown and self._window is not None and not self._docked and not self._closed:
            self._docked = True
            self._window.add_dock_widget(
                self._panel, name=translate("studio", "Lesions"), area="left", add_vertical_stretch=False
            )
            self._panel.installEventFilter(self)
        elif shown and self._panel.parent() is None:
            self._below.addWidget(self._panel)
        if self._docked:
            dock = self._panel.parentWidget()
            if dock is not None:
                dock.setVisible(shown)
        self._panel.setVisible(shown)

    def close(self) -> None:
        """Take the dock away."""
        self._closed = True
        if self._docked and self._window is not None:
            self._panel.removeEventFilter(self)
            self._docked = False
            if self._panel.parent() is not None:
                self._window.remove_dock_widget(self._panel)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the table when the user closes its dock."""
        moved = watched is self._panel and event is not None and event.type() == QEvent.Type.ParentChange
        if moved and self._docked and self._panel.parent() is None:
            self._panel.removeEventFilter(self)
            self._docked, self._closed = False, True
            self._below.addWidget(self._panel)
            self._panel.show()
        return False
