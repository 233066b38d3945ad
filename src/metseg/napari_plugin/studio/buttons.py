"""Buttons of the panels, and the bar that shows how far a long work is."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from metseg.events import Progress
from metseg.napari_plugin.controls import rename
from metseg.napari_plugin.state import Activity


def button(text: str, tip: str, pressed: Callable[[], object] | None = None) -> QPushButton:
    """A button that is one of several."""
    made = QPushButton(text)
    made.setObjectName("secondary")
    made.setToolTip(tip)
    if pressed is not None:
        made.clicked.connect(lambda: pressed())
    return made


def stand_out(given: QPushButton, on: bool) -> None:
    """Give a button the look of the next step, or take it away."""
    rename(given, "primary" if on else "secondary")


class WorkBar(QWidget):
    """How far it is, and Cancel; takes no room while nothing is going on.

    Parameters
    ----------
    cancel : callable
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.cancel = button("Cancel", "Stop. What is done stays.", cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        self.hide()

    def show_work(self, activity: Activity, progress: Progress) -> None:
        """Show how far a work is that is going on."""
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        self.bar.setFormat(_words(activity, progress))
        self.cancel.setEnabled(activity is not Activity.CANCELLING)
        self.show()


def _words(activity: Activity, progress: Progress) -> str:
    if activity is Activity.CANCELLING:
        return "cancelling …"
    return progress.what or "preparing"
