"""A project: a folder of cases that are corrected one after the other. ``docs/projects.md`` describes its files."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from metseg.curation.default_model import FILE as DEFAULT_MODEL
from metseg.curation.default_model import DefaultModel
from metseg.curation.description import CaseDescription, describe, read_description
from metseg.curation.documents import read_document, write_document
from metseg.curation.journal import begin_journal, read_segment, segment_paths
from metseg.curation.locking import CaseLock
from metseg.curation.names import safe_name
from metseg.curation.record import now, software
from metseg.curation.recovery import recover
from metseg.curation.session import CaseSession
from metseg.curation.summary import CaseSummary, known_records, read_summary
from metseg.curation.view import CaseView
from metseg.errors import DataError, UnreadableFileError
from metseg.study import Study, natural_key, read_errors, write_errors

FILE = "project.json"
CASES = "cases"
CASE_FILE = "case.json"

_LONGEST = 80
_PATIENCE = 30.0


class ProjectDescription(BaseModel, frozen=True, extra="forbid"):
    """``project.json``."""

    format: Literal["metseg-project"] = "metseg-project"
    version: Literal[1] = 1
    id: str
    created: AwareDatetime
    software: str


class Project:
    """A folder of cases; made by :meth:`create` or :meth:`open`."""

    def __init__(self, path: Path, description: ProjectDescription) -> None:
        self.path = path
        self.description = description

    @classmethod
    def create(cls, path: str | Path) -> Project:
        """Make a project in a new or empty folder.

        Raises
        ------
        DataError
            If there is something in the folder, or it cannot be made.
        """
        folder = Path(path)
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if any(not name.startswith(".") for name in os.listdir(folder)):
                raise DataError(f"{folder}: is not empty; a project needs a folder of its own")
            (folder / CASES).mkdir()
        description = ProjectDescription(id=uuid.uuid4().hex, created=now(), software=software())
        write_document(folder / FILE, description)
        return cls(folder, description)

    @classmethod
    def open(cls, path: str | Path) -> Project:
        """Open the project in a folder.

        Raises
        ------
        DataError
            If there is none.
        UnreadableFileError
            If its ``project.json`` is damaged or of a later version of metseg.
        """
        folder = Path(path)
        if not (folder / FILE).is_file():
            raise DataError(f"{folder}: is no project (there is no {FILE} in it)")
        return cls(folder, read_document(folder / FILE, ProjectDescription))

    def cases(self) -> tuple[CaseSummary, ...]:
        """All cases in natural order of their names; those that cannot be opened say so in ``problem``.

        Raises
        ------
        UnreadableFileError
            If the folder cannot be listed.
        """
        found = []
        for folder in self._folders():
            try:
                found.append(read_summary(folder, read_description(folder / CASE_FILE, self.path)))
            except UnreadableFileError as error:
                found.append(CaseSummary(name=folder.name, shape=(0, 0, 0), problem=str(error)))
        return tuple(sorted(found, key=lambda summary: natural_key(summary.name)))

    def add(self, study: Study) -> CaseSummary:
        """Add a study as a case, without labels. Its image files stay where they are.

        A study that is there already, by name and bytes, is left as it is.

        Raises
        ------
        DataError
            If the study is not from files, another of the same name is there, or it cannot be written.
        """
        description = describe(study, self.path)
        folder = self._place_for(description.name)
        with write_errors(folder):
            for name in ("journal", "labels", "predictions"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        if not (folder / CASE_FILE).exists():
            _begin(folder, description)
        there = read_description(folder / CASE_FILE, self.path)
        if there.identity != description.identity:
            raise DataError(f"{description.name}: another study of this name is in the project already")
        return read_summary(folder, there)

    def open_case(self, name: str, *, annotator: str = "", timeout: float = 0.0) -> CaseSession:
        """Open a case for editing; close it afterwards, or use ``with``.

        Parameters
        ----------
        annotator : str
            Pseudonym that is written into the journal.
        timeout : float
            Seconds to wait while somebody else has it open.

        Raises
        ------
        CaseBusyError
            If somebody else has it open.
        DataError
            If there is no such case, or its folder is read-only or full.
        UnreadableFileError
            If its files are not those of this case, or of a later version of metseg.
        """
        folder, description = self._find(name)
        return CaseSession(folder, self.path, description, annotator=annotator, timeout=timeout)

    def read_case(self, name: str) -> CaseView:
        """Look at a case as it is on the disk, also while somebody edits it; nothing is written.

        Raises
        ------
        DataError
            If there is no such case.
        UnreadableFileError
            If its files are not those of this case, or of a later version of metseg.
        """
        folder, description = self._find(name)
        known = known_records(folder)  # before the journal, to which somebody may be writing
        return CaseView(folder, self.path, description, recover(folder, description), known)

    @property
    def default_model(self) -> DefaultModel | None:
        """The network that is asked first, see :func:`metseg.curation.promote_model`; ``None`` if nobody chose one.

        Raises
        ------
        UnreadableFileError
            If ``model.json`` is damaged or of a later version of metseg.
        """
        path = self.path / DEFAULT_MODEL
        return read_document(path, DefaultModel) if path.exists() else None

    def _folders(self) -> list[Path]:
        folder = self.path / CASES
        with read_errors(folder):
            return [folder / name for name in os.listdir(folder) if (folder / name / CASE_FILE).is_file()]

    def _find(self, name: str) -> tuple[Path, CaseDescription]:
        """Folder and description of a case; a folder is mostly named like its case."""
        first = _folder_name(name)
        for folder in sorted(self._folders(), key=lambda folder: folder.name != first):
            with contextlib.suppress(UnreadableFileError):
                description = read_description(folder / CASE_FILE, self.path)
                if description.name == name:
                    return folder, description
            if folder.name == name:
                read_description(folder / CASE_FILE, self.path)
        raise DataError(f"{self.path}: has no case {name}")

    def _place_for(self, name: str) -> Path:
        """The folder of case ``name``, or one that is free for it."""
        with contextlib.suppress(DataError):
            return self._find(name)[0]
        taken = {folder.name.casefold() for folder in self._folders()}
        wanted, number = _folder_name(name), 2
        free = wanted
        while free.casefold() in taken:
            free, number = f"{wanted}-{number}", number + 1
        return self.path / CASES / free


def _begin(folder: Path, description: CaseDescription) -> None:
    """Write journal and description of a new case, the description last: it makes the folder a case."""
    lock = CaseLock(folder, description.name)
    lock.acquire(timeout=_PATIENCE)
    try:
        if not (folder / CASE_FILE).exists():
            _begin_journal(folder, description)
            write_document(folder / CASE_FILE, description)
    finally:
        lock.release()


def _begin_journal(folder: Path, description: CaseDescription) -> None:
    """Make sure that the journal in ``folder`` is that of ``description``; one with edits is never written over."""
    for path in segment_paths(folder):
        frames = read_segment(path).frames
        if frames and frames[0].record.base is not None and frames[0].record.base.case == description.identity:
            return
        if len(frames) > 1 or path.stem != "000001":
            raise DataError(f"{path}: is the journal of another study than {description.name}; move {folder} away")
    begin_journal(folder, description.identity)[0].close()


def _folder_name(name: str) -> str:
    return safe_name(name, _LONGEST) or "case"
