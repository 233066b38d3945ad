"""What the studio's panels are made of: rows, buttons, and the bar that shows how far a long work is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QProgressBar, QPushButton, QWidget

from metseg.events import Progress
from metseg.napari_plugin.controls import Hint, Section, column, rename, row
from metseg.napari_plugin.runs import ProgressText
from metseg.napari_plugin.state import Activity
from metseg.napari_plugin.studio.state import StudioState
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio


class Panel(Section[StudioState]):
    """A titled group of rows that shows the studio's state and has the studio act."""

    def __init__(self, title: str, studio: Studio) -> None:
        super().__init__(title, studio.state)
        self.studio = studio


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
    """How far it is, how long it still takes, and Cancel; takes no room while nothing is going on."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        super().__init__()
        self._progress_text = ProgressText()
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.cancel = button(translate("studio", "Cancel"), translate("studio", "Stop. What is done stays."), cancel)
        self.slow = Hint()
        column(self, row(self.bar, self.cancel, spacing=8), self.slow, spacing=4)
        self.hide()

    def show_work(self, activity: Activity, progress: Progress, unit: str = "", quicker: str = "") -> None:
        """Show how far a work is, or nothing if none is going on.

        ``unit`` is what is counted, ``what`` of the progress if it is empty; ``quicker`` is shown if it takes long.
        """
        self.setVisible(activity is not Activity.IDLE)
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        self.bar.setFormat(self._progress_text.format(activity, progress, unit))
        self.slow.say(f"Slow here; {quicker}." if quicker and self._progress_text.slow else "")
        self.cancel.setEnabled(activity is not Activity.CANCELLING)
