"""Writing an export so that it can be killed at any moment and finished later, and nothing foreign is replaced.

While an export is written there is a hidden folder of work in it. Files are made whole there, their hashes are noted,
and only then do they move to their places. So each file in the export is either one whose hash is noted, or somebody
else's, which is never touched. The manifest comes last, and goes before the first file of an older one is replaced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from filelock import FileLock, Timeout
from pydantic import BaseModel, Field

from metseg.curation.documents import read_document, write_document
from metseg.curation.export.manifest import FILE, ExportedCase, ExportedFile, FileRole, Layout, Manifest, read_manifest
from metseg.errors import DataError
from metseg.study import file_sha256, flush_folder, read_errors, sweep_leftovers, write_errors

FOLDER = ".metseg-export"

_PLAN = "plan.json"
_STAGING = "staging"


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that was made in the staging folder: path from there with ``/``, what it is, the slice it holds."""

    path: str
    role: FileRole
    z: int | None = None


def staged_file(staging: Path, made: StagedFile) -> ExportedFile:
    """A file that was made in ``staging``, as the manifest lists it."""
    path = staging / made.path
    return ExportedFile(path=made.path, role=made.role, sha256=file_sha256(path), bytes=path.stat().st_size, z=made.z)


class Plan(BaseModel, frozen=True, extra="forbid"):
    """Whose unfinished export a folder holds."""

    format: Literal["metseg-export-work"] = "metseg-export-work"
    version: Literal[1] = 1
    project: str
    layout: Layout


class _Work(BaseModel, frozen=True, extra="forbid"):
    """A case that is written, and every hash that a file of it may have: of this version and of those before."""

    case: ExportedCase | None = None
    ours: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Workspace:
    """The folder of an export while it is written; a context manager that one process at a time can enter.

    Parameters
    ----------
    out : Path
        Is made if need be.
    """

    def __init__(self, out: Path, plan: Plan) -> None:
        self._out = out
        self._plan = plan
        self._folder = out / FOLDER
        self._lock = FileLock(self._folder / "lock", thread_local=False)
        self._cases: dict[str, ExportedCase] = {}
        self._ours: dict[str, set[str]] = defaultdict(set)
        self._numbers: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Take the folder.

        Raises
        ------
        DataError
            If it holds anything but an export, finished or not, of this project in this layout, if another export
            writes there, or if it cannot be written to.
        """
        self._refuse_foreign()
        with write_errors(self._out):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:
                raise DataError(f"{self._out}: another export is writing there") from error
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def kept(self, wanted: ExportedCase) -> ExportedCase | None:
        """What was exported of this very state of the case, if all its files are in place and as they were."""
        there = self._cases.get(wanted.name)
        if there is None or there.model_copy(update={"files": ()}) != wanted:
            return None
        return there if all(self._hash(file.path) == file.sha256 for file in there.files) else None

    def staging(self) -> Path:
        """An empty folder to make files in; :meth:`commit` brings them to their places."""
        folder = self._folder / _STAGING
        shutil.rmtree(folder, ignore_errors=True)
        with write_errors(folder):
            folder.mkdir()
        return folder

    def commit(self, made: Sequence[StagedFile], case: ExportedCase | None = None) -> tuple[ExportedFile, ...]:
        """Move files from the staging folder to their places, masks before images.

        Parameters
        ----------
        case : ExportedCase, optional
            Whose they are, without files.

        Raises
        ------
        DataError
            If a file is in the way that this export did not write, or was changed since. Nothing is moved.
        """
        staging = self._folder / _STAGING
        files = tuple(staged_file(staging, entry) for entry in made)
        moving = [file for file in files if self._must_move(file)]
        self._note(case.model_copy(update={"files": files}) if case else None, files)
        if moving:
            self._reopen()
        with write_errors(self._out):
            for file in sorted(moving, key=lambda file: file.role is FileRole.IMAGE):
                target = self._out / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / file.path, target)
            for folder in {(self._out / file.path).parent for file in moving}:
                flush_folder(folder)
        return files

    def remove_others(self, wanted: Iterable[ExportedFile]) -> None:
        """Remove what earlier runs wrote and is not ``wanted`` any more.

        Raises
        ------
        DataError
            If such a file was changed since; it stays.
        """
        keep = {file.path for file in wanted}
        old = [path for path in self._ours if path not in keep and (self._out / path).exists()]
        for path in old:
            if self._hash(path) not in self._ours[path]:
                raise self._in_the_way(path)
        if old:
            self._reopen()
        for path in sorted(old):
            with write_errors(self._out / path):
                (self._out / path).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # stops at the first folder in which there is something
                for folder in (self._out / path).parents:
                    if folder == self._out:
                        break
                    folder.rmdir()

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, and leave nothing else behind; DataError if it cannot be written."""
        write_document(self._out / FILE, manifest.sealed())
        for path in self._folder.iterdir():
            if path.name == _STAGING:
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != "lock":
                path.unlink(missing_ok=True)
        self._lock.release()
        with contextlib.suppress(OSError):
            (self._folder / "lock").unlink(missing_ok=True)
            self._folder.rmdir()

    def _refuse_foreign(self) -> None:
        if not self._out.exists():
            return
        if not self._out.is_dir():
            raise DataError(f"{self._out}: is no folder")
        there: Plan | None = None
        if (self._out / FILE).exists():
            manifest = read_manifest(self._out)
            there = Plan(project=manifest.project, layout=manifest.layout)
        elif (self._folder / _PLAN).exists():
            there = read_document(self._folder / _PLAN, Plan)
        elif any(path.name != FOLDER for path in self._out.iterdir()):
            raise DataError(f"{self._out}: is not empty and holds no export of this project; choose another folder")
        if there is not None and there.project != self._plan.project:
            raise DataError(f"{self._out}: holds an export of another project; choose another folder")
        if there is not None and there.layout is not self._plan.layout:
            raise DataError(f"{self._out}: holds an export laid out as {there.layout}; choose another folder")

    def _begin(self) -> None:
        self._refuse_foreign()
        sweep_leftovers(self._out)
        sweep_leftovers(self._folder)
        write_document(self._folder / _PLAN, self._plan)
        if (self._out / FILE).exists():
            manifest = read_manifest(self._out)
            for path in self._works():
                path.unlink()
            for case in manifest.cases:
                self._note(case, case.files)
            self._note(None, manifest.files)
            return
        for path in self._works():
            self._remember(path, read_document(path, _Work))

    def _works(self) -> list[Path]:
        return sorted(path for path in self._folder.glob("*.json") if path.stem.isdecimal())

    def _remember(self, path: Path, work: _Work) -> None:
        name = work.case.name if work.case else ""
        self._numbers[name] = int(path.stem)
        if work.case:
            self._cases[name] = work.case
        for file, hashes in work.ours.items():
            self._ours[file].update(hashes)

    def _note(self, case: ExportedCase | None, files: Iterable[ExportedFile]) -> None:
        """Write down that these files are ours, beside those of earlier versions of the case."""
        name = case.name if case else ""
        number = self._numbers.get(name, max(self._numbers.values(), default=0) + 1)
        path = self._folder / f"{number:06d}.json"
        ours: dict[str, set[str]] = defaultdict(set)
        if name in self._numbers:
            for file, hashes in read_document(path, _Work).ours.items():
                ours[file].update(hashes)
        for entry in files:
            ours[entry.path].add(entry.sha256)
        work = _Work(case=case, ours={file: tuple(sorted(hashes)) for file, hashes in ours.items()})
        write_document(path, work)
        self._remember(path, work)

    def _must_move(self, file: ExportedFile) -> bool:
        there = self._hash(file.path)
        if there is not None and there != file.sha256 and there not in self._ours.get(file.path, ()):
            raise self._in_the_way(file.path)
        return there != file.sha256

    def _reopen(self) -> None:
        """What follows changes the export: it is not finished any more."""
        with write_errors(self._out / FILE):
            (self._out / FILE).unlink(missing_ok=True)

    def _hash(self, path: str) -> str | None:
        target = self._out / path
        if not target.is_file():
            return "" if os.path.lexists(target) else None
        return file_sha256(target)

    def _in_the_way(self, path: str) -> DataError:
        return DataError(
            f"{self._out / path}: was not written by this export, or was changed since; it was left as it is. "
            "Move it away and export again"
        )


def has_unfinished(out: Path) -> bool:
    """Whether an export was begun in ``out`` and not finished."""
    with read_errors(out):
        return not (out / FILE).exists() and (out / FOLDER / _PLAN).exists()
