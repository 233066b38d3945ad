"""A case that is edited. What :meth:`CaseSession.commit` returned from is on the disk."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from metseg.curation.changes import LabelChange, find_change, put
from metseg.curation.description import CaseDescription
from metseg.curation.enums import DONE, EditKind, EntryKind, Status
from metseg.curation.journal import JournalWriter, begin_journal, segment_path
from metseg.curation.locking import CaseLock
from metseg.curation.predictions import PredictionPlan, save_prediction
from metseg.curation.record import Base, Record, encode, now, software
from metseg.curation.recovery import Recovered, recover, repair
from metseg.curation.state import CaseState, Provenance
from metseg.curation.summary import known_records, write_summary
from metseg.curation.view import CaseView
from metseg.errors import DataError
from metseg.study import file_sha256, write_errors, write_tiff

#: A snapshot is taken after so many records, or so many bytes of them.
SNAPSHOT_RECORDS = 200
SNAPSHOT_BYTES = 16 << 20

_SNAPSHOTS_KEPT = 2
_MAX_DETAIL = 1 << 16
_MAX_NAME = 64

#: Characters of a note.
_LONGEST_NOTE = 2000


class CaseSession(CaseView):
    """A case open for editing, by this process alone; see :meth:`metseg.curation.Project.open_case`.

    May be used by several threads. A context manager that closes it.
    """

    def __init__(
        self, folder: Path, root: Path, description: CaseDescription, *, annotator: str = "", timeout: float = 0.0
    ) -> None:
        if len(annotator) > _MAX_NAME or not annotator.isprintable():
            raise DataError(f"an annotator's name has at most {_MAX_NAME} printable characters")
        self._annotator = annotator
        self._process = os.getpid()
        self._mutex = threading.RLock()
        self._writer: JournalWriter | None = None
        self._lock = CaseLock(folder, description.name)
        self._lock.acquire(annotator=annotator, timeout=timeout)
        try:
            found = recover(folder, description)
            super().__init__(folder, root, description, found, known_records(folder))
            self._start_writing(found)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the case was closed."""
        return self._writer is None

    def commit(
        self, labels: npt.NDArray[np.generic], kind: EditKind, *, detail: Mapping[str, Any] | None = None
    ) -> Record | None:
        """Put on the disk what differs from :attr:`labels`.

        Parameters
        ----------
        labels : ndarray of int, shape (z, y, x)
            The case's labels now, 0 to 65535.
        kind : EditKind
            What was done; a model's result is committed by :meth:`predict`.
        detail : mapping, optional
            What the tool says of itself; JSON, at most 64 KiB.

        Returns
        -------
        Record or None
            ``None`` if nothing differs.

        Raises
        ------
        DataError
            If it could not be written: the message says why and what to do. What was on the disk still is, and the
            next commit brings what this one could not.
        """
        if kind is EditKind.MODEL:
            raise ValueError("a model's result is committed by predict()")
        with self._mutex:
            writer = self._writing()
            change = find_change(self._labels, labels, self._state.lesions)
            if change is None:
                return None
            record = self._record(kind, change, detail=_checked(detail))
            return self._write(writer, record, change)

    def predict(
        self,
        plan: PredictionPlan,
        probabilities: npt.NDArray[np.floating[Any]],
        provenance: Provenance,
        *,
        disagreement: npt.NDArray[np.floating[Any]] | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Record:
        """Keep a prediction and take over what :meth:`plan_prediction` planned, in one record.

        Parameters
        ----------
        plan : PredictionPlan
            Of the case as it is now.
        probabilities : ndarray of float, shape (z, y, x)
            0 to 1; kept in steps of 1/255.
        disagreement : ndarray of float, shape (z, y, x), optional
            How far the members of an ensemble are apart, 0 to 1; kept likewise.
        detail : mapping, optional
            See :meth:`commit`.

        Raises
        ------
        DataError
            If the case was edited since the plan was made, or nothing could be written.
        """
        with self._mutex:
            writer = self._writing()
            if plan.edits != self._state.edits:
                raise DataError(f"{self.name}: was edited while the network was at work; look at the changes again")
            for given in (probabilities, disagreement):
                if given is not None and given.shape != self.shape:
                    raise DataError(f"a prediction of shape {given.shape} does not fit a case of {self.shape}")
            checked = _checked(detail)
            change = find_change(self._labels, plan.labels, self._state.lesions)
            reference = save_prediction(self.folder, probabilities, provenance, disagreement)
            record = self._record(EditKind.MODEL, change, detail=checked, prediction=reference)
            return self._write(writer, record, change)

    def set_status(self, status: Status, reason: str = "") -> Record | None:
        """Say where the case stands.

        Parameters
        ----------
        reason : str
            Why; must be given to reject.

        Returns
        -------
        Record or None
            ``None`` if it stands there already.

        Raises
        ------
        DataError
            If a reason or a prediction is missing, or it could not be written.
        """
        with self._mutex:
            writer = self._writing()
            if status is Status.REJECTED and not reason.strip():
                raise DataError(f"{self.name}: say why the case is rejected")
            if status is Status.PREDICTED and self._state.prediction is None:
                raise DataError(f"{self.name}: no network has predicted anything yet")
            if (status, reason) == (self.status, self.reason):
                return None
            return self._write(writer, self._record(EntryKind.STATUS, None, status=status, reason=reason), None)

    def reopen(self) -> Record | None:
        """Takes an approval or rejection back: the case stands again where it stood before.

        Returns
        -------
        Record or None
            ``None`` if the case is neither approved nor rejected.

        Raises
        ------
        DataError
            If it could not be written.
        """
        with self._mutex:
            self._writing()
            return self.set_status(self._status_before()) if self.status in DONE else None

    def mark_reviewed(self, slices: Iterable[int]) -> Record | None:
        """Keeps which slices the annotator has looked at, in one record.

        Parameters
        ----------
        slices : iterable of int
            Counted from 0. Those that are known as reviewed already are left out.

        Returns
        -------
        Record or None
            ``None`` if all are known.

        Raises
        ------
        DataError
            If there is no such slice, or it could not be written.
        """
        with self._mutex:
            writer = self._writing()
            new = tuple(sorted({int(z) for z in slices} - self.reviewed))
            if new and not 0 <= new[0] <= new[-1] < self.shape[0]:
                raise DataError(f"{self.name}: has {self.shape[0]} slices; these are none: {new}")
            return self._write(writer, self._record(EntryKind.REVIEWED, None, slices=new), None) if new else None

    def add_note(self, text: str) -> Record:
        """Keeps a note on the case, with who and when.

        Parameters
        ----------
        text : str
            At most 2,000 characters; white space at its ends is left out.

        Raises
        ------
        DataError
            If there is no text, it is too long, or it could not be written.
        """
        note = text.strip()
        if not 0 < len(note) <= _LONGEST_NOTE:
            raise DataError(f"{self.name}: a note has 1 to {_LONGEST_NOTE:,} characters, this one {len(note):,}")
        with self._mutex:
            return self._write(self._writing(), self._record(EntryKind.NOTE, None, reason=note), None)

    def _status_before(self) -> Status:
        """The newest status that was neither approval nor rejection."""
        state, before = CaseState(), Status.TODO
        for record in self.history():
            state = state.after(record)
            before = before if state.status in DONE else state.status
        return before

    def close(self) -> None:
        """Take a snapshot if there is something new, and let others in. May be called twice.

        Never fails: what was committed is on the disk already, and is found there if no snapshot can be taken.
        """
        with self._mutex:
            if self._writer is None:
                return
            try:
                if self._process == os.getpid():
                    self._finish(self._writer)
            finally:
                self._writer.close()
                self._writer = None
                if self._process == os.getpid():  # a copy of the process must not let go of what is not its own
                    self._lock.release()

    def _finish(self, writer: JournalWriter) -> None:
        if self._since:
            with contextlib.suppress(DataError):
                self._take_snapshot(writer)
        write_summary(self.folder, writer.position, self.summary)

    def _start_writing(self, found: Recovered) -> None:
        if self.recovery is not None:
            self.recovery = replace(repair(found), lost=self.recovery.lost)
        if found.segment is None:
            writer, first = begin_journal(self.folder, self.description.identity, self._annotator)
            self._snapshot, self._state = ("", ""), self._state.after(first)
        else:
            self._snapshot = found.snapshot
            writer = JournalWriter(found.segment.path, found.segment.valid, found.state.seq, found.digest)
        self._since, self._bytes, self._edited = found.since_base, 0, found.edited_since_base
        if self.recovery is not None and self.recovery.harmed:
            self._edited = True  # have a new snapshot, for the old one may be what is damaged
            self._write(writer, self._record(EntryKind.RECOVERY, None, reason=str(self.recovery)), None)
            write_summary(self.folder, writer.position, self.summary)
        self._writer = writer

    def _writing(self) -> JournalWriter:
        if self._writer is None:
            raise DataError(f"{self.name}: the case was closed; open it again")
        if self._process != os.getpid():
            raise DataError(f"{self.name}: is open in process {self._process}; a copy of that may not write")
        return self._writer

    def _record(self, kind: EditKind | EntryKind, change: LabelChange | None, **fields: Any) -> Record:
        if change is not None:
            fields |= {"bbox": change.box, "before": change.before, "after": change.after, "lesions": change.lesions}
        return Record(seq=self._state.seq + 1, kind=kind, time=now(), annotator=self._annotator, **fields)

    def _write(self, writer: JournalWriter, record: Record, change: LabelChange | None) -> Record:
        record = record.model_copy(update={"prev": writer.digest})
        data = encode(record, b"" if change is None else change.payload)
        state = self._state.after(record)
        writer.append(data, record.seq)
        self._state = state
        if change is not None:
            put(self._labels, change)
            self._edited = True
        self._since += 1
        self._bytes += len(data)
        if self._since % SNAPSHOT_RECORDS == 0 or self._bytes >= SNAPSHOT_BYTES:
            self._bytes = 0
            with contextlib.suppress(DataError):  # the journal alone is enough; tried again later and at the end
                self._take_snapshot(writer)
        return record

    def _take_snapshot(self, writer: JournalWriter) -> None:
        base = Base(
            format=1,
            software=software(),
            case=self.description.identity,
            snapshot=self._snapshot[0],
            sha256=self._snapshot[1],
            state=self._state,
        )
        if self._edited:
            name = f"labels/{self._state.seq:06d}.tif"
            path = self.folder / name
            with write_errors(path.parent):
                path.parent.mkdir(exist_ok=True)
            write_tiff(path, self._labels, channels=False)
            base = base.model_copy(update={"snapshot": name, "sha256": file_sha256(path)})
        record = self._record(EntryKind.SNAPSHOT, None, base=base, prev=writer.digest)
        writer.begin_segment(segment_path(self.folder, record.seq), encode(record))
        keep = {self._snapshot[0], base.snapshot}
        self._state, self._snapshot = self._state.after(record), (base.snapshot, base.sha256)
        self._since, self._bytes, self._edited = 0, 0, False
        _remove_old_snapshots(self.folder, keep)


def _checked(detail: Mapping[str, Any] | None) -> dict[str, Any]:
    if detail is None:
        return {}
    try:
        text = json.dumps(dict(detail), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"the detail of an edit must be JSON: {error}") from error
    if len(text) > _MAX_DETAIL:
        raise DataError(f"the detail of an edit has at most {_MAX_DETAIL >> 10} KiB")
    checked: dict[str, Any] = json.loads(text)
    return checked


def _remove_old_snapshots(folder: Path, keep: set[str]) -> None:
    """All but those in ``keep`` and the newest; the journal leads from any of them, or from none, to the labels."""
    with contextlib.suppress(OSError):
        numbered = sorted(path for path in (folder / "labels").glob("*.tif") if path.stem.isdecimal())
        for path in numbered[:-_SNAPSHOTS_KEPT]:
            if f"labels/{path.name}" not in keep:
                path.unlink()
