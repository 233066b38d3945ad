"""A case that is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from metseg.curation.changes import Labels
from metseg.curation.description import CaseDescription, read_images
from metseg.curation.enums import EntryKind, Origin, Status
from metseg.curation.journal import read_frames
from metseg.curation.predictions import Prediction, PredictionPlan, load_prediction, plan
from metseg.curation.record import Record
from metseg.curation.recovery import Recovered, Recovery
from metseg.curation.state import EditStatistics
from metseg.curation.summary import CaseSummary, summarise
from metseg.study import Study


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody noted on a case, when."""

    text: str
    annotator: str
    time: datetime


class CaseView:
    """A case as it is on the disk when it is read; see :meth:`metseg.curation.Project.read_case`.

    Attributes
    ----------
    description : CaseDescription
        Shape, spacing, sequences, and the image files with their hashes.
    recovery : Recovery or None
        What came back because the case had not been closed or was damaged: tell the user ``str(recovery)``.
    """

    def __init__(
        self, folder: Path, root: Path, description: CaseDescription, found: Recovered, known_records: int
    ) -> None:
        self.name = description.name
        self.description = description
        self.folder = folder
        report = replace(found.report, lost=max(0, known_records - found.state.seq))
        self.recovery: Recovery | None = report if report != Recovery() else None
        self._root = root
        self._labels = found.labels
        self._state = found.state

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size along (z, y, x)."""
        return self.description.shape

    @property
    def labels(self) -> Labels:
        """What is on the disk, uint16 (z, y, x): 0, or the lesion's id. Read-only; follows commits."""
        view = self._labels.view()
        view.flags.writeable = False
        return view

    @property
    def status(self) -> Status:
        """Where the case stands."""
        return self._state.status

    @property
    def reason(self) -> str:
        """Why it stands there, as said with :meth:`CaseSession.set_status`."""
        return self._state.reason

    @property
    def reviewed(self) -> frozenset[int]:
        """Slices, counted from 0, that somebody has looked at or drawn on since the newest prediction."""
        return frozenset(self._state.reviewed or ())

    @property
    def edits(self) -> int:
        """Number of edits so far; statuses and reviewed slices do not count."""
        return self._state.edits

    @property
    def next_label(self) -> int:
        """An id that no lesion of this case ever had."""
        return self._state.next_label

    @property
    def summary(self) -> CaseSummary:
        """The case in one line."""
        return summarise(self.description, self._state)

    def origins(self) -> dict[int, Origin]:
        """DICOM's word for how each lesion came to be, by id."""
        return {label: lesion.origin for label, lesion in self._state.present.items()}

    def statistics(self) -> EditStatistics:
        """How the case was edited."""
        return self._state.statistics

    def history(self) -> Iterator[Record]:
        """Every record that can be read, oldest first; the numbers of damaged ones are missing."""
        return (frame.record for frame in read_frames(self.folder))

    def notes(self) -> tuple[Note, ...]:
        """What was noted on the case, oldest first; read from the disk."""
        records = (record for record in self.history() if record.kind is EntryKind.NOTE)
        return tuple(Note(record.reason, record.annotator, record.time) for record in records)

    def prediction(self) -> Prediction | None:
        """The newest prediction.

        Raises
        ------
        UnreadableFileError
            If its file is gone or damaged.
        """
        reference = self._state.prediction
        return None if reference is None else load_prediction(self.folder, reference)

    def study(self) -> Study:
        """The images, without mask.

        Raises
        ------
        UnreadableFileError
            If a file is gone, or is not what was added.
        """
        return read_images(self.description, self._root)

    def plan_prediction(self, mask: npt.NDArray[np.generic], *, keep_hand: bool = True) -> PredictionPlan:
        """What taking over a new prediction would change.

        Parameters
        ----------
        mask : ndarray, shape (z, y, x)
            Non-zero where the network sees lesion.
        keep_hand : bool
            Whether lesions drawn or edited by hand stay as they are.

        Raises
        ------
        DataError
            If the mask has another shape.
        """
        return plan(self._labels, self._state, mask, keep_hand=keep_hand)
