"""Notes on the open case, for whoever opens it next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLineEdit

from metseg.napari_plugin.controls import Hint, Part, column
from metseg.napari_plugin.studio.state import StudioState
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.curation import Note
    from metseg.napari_plugin.studio.studio import Studio

_LONGEST, _MOST_SHOWN = 2000, 3


class NotesBox(Part[StudioState]):
    """The newest notes, and a line for another one; Return keeps it in the case's journal."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio.state)
        self._studio = studio
        self.known = Hint()
        self.line = QLineEdit()
        self.line.setMaxLength(_LONGEST)
        self.line.setPlaceholderText(translate("studio", "Note on this case, kept with Return"))
        self.line.returnPressed.connect(self._keep)
        column(self, self.known, self.line, spacing=4)
        self.follow(studio.state.events, ("case", "notes"), self._show)
        self._show()

    def _keep(self) -> None:
        text = self.line.text().strip()
        if text and self.state.editable:
            self.line.clear()
            self._studio.cases.add_note(text)

    def _show(self) -> None:
        notes = self.state.notes
        self.line.setEnabled(self.state.editable)
        self.known.say("\n".join(map(_in_words, notes[-_MOST_SHOWN:])))
        self.known.setToolTip("\n".join(map(_in_words, notes)))


def _in_words(note: Note) -> str:
    by = f" {note.annotator}" if note.annotator else ""
    return f"{note.time.astimezone():%d %b %H:%M}{by}: {note.text}"
