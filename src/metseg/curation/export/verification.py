"""Check an export against its manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metseg.curation.export.manifest import FILE, read_manifest
from metseg.curation.export.workspace import FOLDER, has_unfinished
from metseg.errors import DataError, UnreadableFileError
from metseg.events import Event, Finished, Progress, drained
from metseg.study import file_sha256


@dataclass(frozen=True, slots=True)
class Verification:
    """How a folder differs from the manifest in it.

    Attributes
    ----------
    files : int
        How many the manifest lists.
    missing, changed, extra : tuple of str
        Paths in the folder, with ``/``: files that are gone or cannot be read, that have other bytes, and that the
        manifest does not list. The manifest itself is ``changed`` if it is not what was written.
    """

    files: int
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.changed or self.extra)


def verifying(out: str | Path) -> Iterator[Event[Verification]]:
    """Hash every file of an export again.

    Yields
    ------
    Progress, Finished
        ``Progress`` counts files; the last event carries the :class:`Verification`.

    Raises
    ------
    DataError
        If there is no manifest in ``out``.
    """
    folder = Path(out)
    if not (folder / FILE).exists():
        if has_unfinished(folder):
            raise DataError(f"{folder}: the export was not finished; run the same export again")
        raise DataError(f"{folder}: is no export (there is no {FILE} in it)")
    try:
        listed = {file.path: file for file in read_manifest(folder).all_files()}
    except UnreadableFileError:
        yield Finished(Verification(0, changed=(FILE,)))
        return
    missing: list[str] = []
    changed: list[str] = []
    for done, (path, file) in enumerate(listed.items()):
        yield Progress(done, len(listed), path)
        try:
            if file_sha256(folder / path) != file.sha256:
                changed.append(path)
        except UnreadableFileError:
            missing.append(path)
    extra = tuple(path for path in _found(folder) if path not in listed and path != FILE)
    yield Finished(Verification(len(listed), tuple(missing), tuple(changed), extra))


#: Checks and waits: the argument of :func:`verifying`, the :class:`Verification` at once.
verify = drained(verifying)


def _found(folder: Path) -> Iterator[str]:
    """Every file below ``folder`` but those that metseg works with."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if Path(place) != folder or name != FOLDER)
        for name in sorted(names):
            yield Path(place, name).relative_to(folder).as_posix()
