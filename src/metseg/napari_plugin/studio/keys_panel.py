"""All keys: the studio's, which can be changed, and those of napari that an annotator needs; with a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QT_TRANSLATE_NOOP, QEvent, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QFormLayout, QLabel, QLineEdit, QPushButton, QWidget

from metseg.napari_plugin.controls import Hint, row
from metseg.napari_plugin.studio.panel import Panel
from metseg.napari_plugin.translations import title_of, translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio

#: napari's own, as they are unless the user changed them in its preferences.
NAPARI = (
    ("Left, Right", QT_TRANSLATE_NOOP("studio", "slice before, next slice")),
    ("2 or P", QT_TRANSLATE_NOOP("studio", "brush")),
    ("1 or E", QT_TRANSLATE_NOOP("studio", "eraser")),
    ("3", QT_TRANSLATE_NOOP("studio", "polygon")),
    ("4 or F", QT_TRANSLATE_NOOP("studio", "fill")),
    ("5 or L", QT_TRANSLATE_NOOP("studio", "pick the lesion under the mouse")),
    ("6 or Z", QT_TRANSLATE_NOOP("studio", "move and zoom")),
    ("Space", QT_TRANSLATE_NOOP("studio", "move and zoom while held")),
    ("X", QT_TRANSLATE_NOOP("studio", "swap lesion and background")),
    ("B", QT_TRANSLATE_NOOP("studio", "leave other lesions as they are")),
    ("V", QT_TRANSLATE_NOOP("studio", "show or hide the selected layer")),
    ("Ctrl-Z", QT_TRANSLATE_NOOP("studio", "undo")),
    ("Ctrl-Shift-Z", QT_TRANSLATE_NOOP("studio", "redo")),
)
#: What the mouse does beside its left button.
MOUSE = (
    ("Wheel", QT_TRANSLATE_NOOP("studio", "slices, if that is chosen above; else zoom")),
    ("Ctrl-Wheel", QT_TRANSLATE_NOOP("studio", "zoom, if the wheel turns slices; else slices")),
    ("Shift-Wheel", QT_TRANSLATE_NOOP("studio", "thinner or thicker brush")),
    (
        "Right drag",
        QT_TRANSLATE_NOOP(
            "studio", "brightness up and down, contrast left and right; not while napari's brush is chosen"
        ),
    ),
)
_MODIFIERS = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr)


class KeyButton(QPushButton):
    """Shows a key; after a click on it, the next key pressed takes its place. Esc keeps it, Backspace resets it."""

    def __init__(self, panel: KeysPanel, title: str) -> None:
        super().__init__()
        self._panel = panel
        self._title = title
        self.setObjectName("key")
        self.setCheckable(True)
        self.setToolTip(
            translate("studio", "Click, then press another key. Esc: leave it. Backspace: as it was at first.")
        )
        self.toggled.connect(lambda waits: self.setText(translate("studio", "press a key …") if waits else self._key()))
        self.setText(self._key())

    def event(self, event: QEvent | None) -> bool:
        """Take every key while waiting for one, Tab and napari's own included."""
        if self.isChecked() and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                if event.key() not in _MODIFIERS:
                    self._take(event)
                return True
        if event is not None and event.type() == QEvent.Type.FocusOut:
            self.setChecked(False)
        return bool(super().event(event))

    def _take(self, event: QKeyEvent) -> None:
        self.setChecked(False)
        if event.key() == Qt.Key.Key_Escape:
            return
        name = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
        self._panel.change(self._title, "" if event.key() == Qt.Key.Key_Backspace else napari_key(name))
        self.setText(self._key())

    def _key(self) -> str:
        return next((one.key for one in self._panel.studio.shortcuts if one.title == self._title), "")


class KeysPanel(Panel):
    """A list of keys and what they do; all keys of the studio must be bound already."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(translate("studio", "Keys and mouse"), studio)
        self.search = QLineEdit()
        self.search.setPlaceholderText(translate("studio", "Search: a key, or what it does"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.wheel = self.field(
            studio.state,
            "wheel_turns_slices",
            text=translate("studio", "The wheel turns slices"),
            tooltip=translate("studio", "While a case is open. The wheel zooms otherwise, as napari has it."),
        )
        self.refusal = Hint("notice")
        self._described: list[tuple[QWidget, str]] = []
        self._form = QFormLayout(table := QWidget())
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(5)
        self.buttons = {one.title: KeyButton(self, one.title) for one in studio.shortcuts}
        self.add_wide(self.search)
        self.add_wide(self.wheel)
        self.add_wide(self.refusal)
        self.add_wide(table)
        self._add_rows(
            translate("studio", "The studio's: click on one to change it"),
            [(self.buttons[one.title], one.title, one.key) for one in studio.shortcuts],
        )
        self._add_rows(translate("studio", "Mouse"), [(_cap(key), title, key) for key, title in MOUSE])
        self._add_rows(
            translate("studio", "napari's own, see its preferences"), [(_cap(key), title, key) for key, title in NAPARI]
        )

    def change(self, title: str, key: str) -> None:
        """Give the action ``title`` another key, or the usual one if ``key`` is empty; show why if that cannot be."""
        try:
            self.studio.shortcuts.change(title, key)
        except ValueError as error:
            self.refusal.say(f"{error}".capitalize())
        else:
            self.refusal.say("")

    def _add_rows(self, heading: str, rows: list[tuple[QWidget, str, str]]) -> None:
        title = QLabel(heading)
        title.setObjectName("sectionTitle")
        self._form.addRow(title)
        for cap, name, key in rows:
            what = title_of(name)
            text = QLabel(what[:1].upper() + what[1:])
            text.setWordWrap(True)
            cap.setFixedWidth(104)
            self._form.addRow(cap, text)
            self._described.append((text, f"{key} {what}".lower()))

    def _filter(self, text: str) -> None:
        terms = text.lower().split()
        for what, described in self._described:
            self._form.setRowVisible(what, all(term in described for term in terms))


def napari_key(name: str) -> str:
    """A key as Qt writes it, as napari does."""
    *modifiers, key = name[:-1].split("+") if name.endswith("+") else name.split("+")
    known = {"Del": "Delete", "Ins": "Insert", "PgUp": "PageUp", "PgDown": "PageDown", "Return": "Enter", "": "+"}
    return "-".join([*(modifier for modifier in modifiers if modifier), known.get(key, key)])


def _cap(key: str) -> QWidget:
    cap = QLabel(key)
    cap.setObjectName("key")
    return row(cap, QWidget(), stretch=(0, 1))
