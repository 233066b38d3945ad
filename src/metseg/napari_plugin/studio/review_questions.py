"""The questions, below the buttons, before a case is rejected or approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QKeyEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QPushButton, QWidget

from metseg.napari_plugin.controls import Hint, column, reveal, row, sign_button
from metseg.napari_plugin.studio.panel import button
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.reviewing import Reviewing

_RETURN = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
_MOST_NAMED = 8


class Question(QWidget):
    """A question where it stands; Esc hides it, Return presses the button that has the focus."""

    def __init__(self, reviewing: Reviewing) -> None:
        super().__init__()
        self._reviewing = reviewing
        self.hide()

    def _open(self, focused: QWidget) -> None:
        """Show the question, with the keyboard on a part of it."""
        self.show()
        reveal(self)
        focused.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Hide the question on Esc, press the button that has the focus on Return."""
        focused = self.focusWidget()
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.hide()
        elif event is not None and event.key() in _RETURN and isinstance(focused, QPushButton):
            focused.click()
        else:
            super().keyPressEvent(event)


class RejectQuestion(Question):
    """A line for the reason; Return rejects, Esc thinks better of it."""

    def __init__(self, reviewing: Reviewing) -> None:
        super().__init__(reviewing)
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(translate("studio", "Why? For example: movement, no FLAIR, not this patient"))
        self.reason.returnPressed.connect(self._reject)
        self.reason.textChanged.connect(lambda text: self.confirm.setEnabled(bool(text.strip())))
        self.confirm = QPushButton(translate("studio", "Reject"))
        self.confirm.clicked.connect(self._reject)
        cancel = QPushButton(translate("studio", "Cancel"))
        cancel.clicked.connect(self.hide)
        column(self, self.reason, row(self.confirm, cancel, stretch=(1, 1)))

    def open(self) -> None:
        """Show the question and put the cursor into it."""
        self.reason.clear()
        self.confirm.setEnabled(False)
        self._open(self.reason)

    def _reject(self) -> None:
        if reason := self.reason.text().strip():
            self.hide()
            self._reviewing.reject(reason)


class UnseenQuestion(Question):
    """Shows before a case is approved which slices were not looked at; Return looks at them, Esc does nothing.

    A second *A* does not approve: whoever holds the key down has not read the question.
    """

    def __init__(self, reviewing: Reviewing) -> None:
        self._subject: tuple[object, tuple[int, ...]] | None = None
        self._before: QWidget | None = None
        super().__init__(reviewing)
        self.text = Hint("notice")
        self.look = button(
            translate("studio", "Look (⏎)"),
            translate("studio", "Show the first of the slices that were not looked at (Return)."),
            self._look,
        )
        self.anyway = button(
            translate("studio", "Approve anyway"),
            translate("studio", "They stay marked as not looked at."),
            self._approve,
        )
        self.cancel = sign_button("✕", translate("studio", "Change nothing (Esc)."), self.hide)
        column(self, self.text, row(self.look, self.anyway, self.cancel, stretch=(2, 3)), spacing=4)

    def open(self) -> None:
        """Show how many slices remain, and take the keyboard."""
        case, remaining = self._reviewing.case, self._reviewing.remaining
        if case is None:
            return
        self._subject = case, remaining
        self.text.say(_unseen_line(self._reviewing, [case.numbers[z] for z in sorted(remaining)]))
        if self.isHidden():
            self._before = QApplication.focusWidget()
        self._open(self.look)

    def keep_up(self) -> None:
        """Hide once another case is open, or the slices were looked at."""
        if self._subject is not None and self._subject != (self._reviewing.case, self._reviewing.remaining):
            self.hide()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Give the keyboard back."""
        super().hideEvent(event)
        before, self._before, self._subject = self._before, None, None
        if before is not None and self.isAncestorOf(QApplication.focusWidget() or self):
            before.setFocus()

    def _look(self) -> None:
        remaining = self._reviewing.remaining
        self.hide()
        if remaining:
            self._reviewing.go_to(remaining[0])

    def _approve(self) -> None:
        self.hide()
        self._reviewing.approve_anyway()


def _unseen_line(reviewing: Reviewing, numbers: list[int]) -> str:
    """How many slices were not looked at, and which: the first few."""
    count = len(numbers)
    if reviewing.plan is None:
        total = len(reviewing.case.numbers) if reviewing.case else count
        text = translate("studio", "Not looked at: {count} of {total} slices ({which}). Approve all the same?")
    else:
        total = len(reviewing.plan.first)
        text = translate(
            "studio", "Not looked at: {count} of {total} slices that matter ({which}). Approve all the same?"
        )
    which = ", ".join(map(str, numbers[:_MOST_NAMED])) + ", …" * (count > _MOST_NAMED)
    return text.format(count=count, total=total, which=which)
