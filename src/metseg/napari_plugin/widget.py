"""The dock widget: a view of the state, with controller and preview at its side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from metseg.napari_plugin.controller import Controller
from metseg.napari_plugin.controls import Column
from metseg.napari_plugin.dialogs import ask_folder, ask_model_file, confirm_replacement
from metseg.napari_plugin.preview import Preview
from metseg.napari_plugin.sections import EnhanceSection, InputSection, OutlineSection, ResultSection, RunSection
from metseg.napari_plugin.session import Session
from metseg.napari_plugin.state import Follower, SegmentationState

if TYPE_CHECKING:
    from napari.components import ViewerModel

_STYLE = """
#sectionTitle {{ font-weight: 600; }}
#sectionLine {{ background-color: {foreground}; }}
#hint {{ color: {quiet}; }}
#notice {{ color: {text}; background-color: {foreground}; border-radius: 3px; padding: 6px; }}
#result {{ font-size: {large}pt; font-weight: 600; color: {text}; }}
#result:disabled {{ color: {quiet}; font-weight: 400; }}
#primary {{ background-color: {current}; color: {on_current}; font-weight: 600; padding: 8px; border-radius: 3px; }}
#primary:hover {{ background-color: {hover}; }}
#primary:disabled {{ background-color: {foreground}; color: {quiet}; border: none; }}
#secondary {{ padding: 8px 14px; border-radius: 3px; }}
#secondary:disabled {{ background-color: {background}; border: 1px solid {foreground}; color: {quiet}; }}
#openModel {{ background-color: {primary}; border-radius: 2px; padding: 3px 5px; }}
#openModel:hover {{ background-color: {hover}; }}
"""


class SegmentationWidget(QWidget):
    """Segment lesions, refine the outline, export it.

    Parameters
    ----------
    napari_viewer : napari viewer
        The viewer to work in.
    state : SegmentationState, optional
        State to show; a fresh one by default.
    """

    def __init__(self, napari_viewer: ViewerModel, state: SegmentationState | None = None) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.state = state or SegmentationState()
        self.controller = Controller(napari_viewer, self.state)
        self.preview = Preview(napari_viewer, self.state)
        self.input = InputSection(self.state, self._open_model)
        self.enhance = EnhanceSection(self.state)
        self.outline = OutlineSection(self.state)
        self.run = RunSection(self.state, self.controller.run, self.controller.cancel)
        self.result = ResultSection(self.state, self.controller.outline_anew, self._export)
        self._parts = (self.input, self.enhance, self.outline, self.run, self.result)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(Column(self._parts))
        self._restyle()
        self._themes = Follower()
        self._themes.follow(napari_viewer.events, ("theme",), self._restyle)
        self._docked = False
        self._session = Session((*self._parts, self._themes), (self.controller.close, self.preview.abandon))
        self.destroyed.connect(self._session.when_destroyed)

    def event(self, event: QEvent | None) -> bool:
        """End the session when napari takes the widget out of its dock, which is how it closes one."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self._docked and self.parent() is None:
                self.close_session()
            self._docked = self.parent() is not None
        return bool(super().event(event))

    def close_session(self) -> None:
        """Stop work, remove the preview, let go of viewer and state."""
        if self._session.open:
            self.destroyed.disconnect(self._session.when_destroyed)
        self._session.end()
        self.preview.close()

    def _restyle(self) -> None:
        theme = get_theme(self._viewer.theme)
        text = theme.text.as_rgb_tuple()
        self.setStyleSheet(
            _STYLE.format(
                foreground=theme.foreground.as_hex(),
                background=theme.background.as_hex(),
                primary=theme.primary.as_hex(),
                text=theme.text.as_hex(),
                quiet=f"rgba({text[0]}, {text[1]}, {text[2]}, 62%)",
                current=theme.current.as_hex(),
                on_current="white" if _is_dark(theme.current) else "black",
                hover=theme.highlight.as_hex(),
                large=self.font().pointSize() + 3,
            )
        )

    def _open_model(self) -> None:
        path = ask_model_file(self)
        if path:
            self.controller.add_model_file(path)

    def _export(self) -> None:
        folder = ask_folder(self)
        if folder is not None:
            self.controller.export(folder, lambda there: confirm_replacement(self, there))


def _is_dark(colour: Any) -> bool:
    """Whether white can be read on ``colour``: relative luminance as in WCAG 2, without its gamma."""
    red, green, blue = colour.as_rgb_tuple()[:3]
    return bool(0.2126 * red + 0.7152 * green + 0.0722 * blue < 140)
