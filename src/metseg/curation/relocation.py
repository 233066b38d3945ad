"""Find the images of a project again after they were moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metseg.curation.description import CaseDescription, ImageFile, portable, read_description
from metseg.curation.documents import write_document
from metseg.curation.locking import CaseLock
from metseg.curation.project import CASE_FILE, Project
from metseg.errors import DataError, UnreadableFileError
from metseg.events import Event, Finished, Progress, drained
from metseg.study import file_sha256


@dataclass(frozen=True, slots=True)
class Relocation:
    """Which cases have their images now, and which images are missing.

    Attributes
    ----------
    found : tuple of str
        Cases whose images are all known again.
    changed : tuple of Path
        Files of the right name, but with other bytes than were added; they are not used.
    missing : tuple of str
        Image files, as ``case: file``, that are not there.
    """

    found: tuple[str, ...]
    changed: tuple[Path, ...]
    missing: tuple[str, ...]


def relocating(project: Project, data: str | Path) -> Iterator[Event[Relocation]]:
    """Look for missing images below ``data``, by name and bytes, and note their new places.

    Parameters
    ----------
    data : str or Path
        Folder, searched at any depth.

    Yields
    ------
    Progress, Finished
        ``Progress`` counts cases; the last event carries the :class:`Relocation`.

    Raises
    ------
    DataError
        If ``data`` is no folder.
    CaseBusyError
        If a case is open for editing.
    """
    top = Path(data)
    if not top.is_dir():
        raise DataError(f"{top}: is no folder")
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(top.rglob("*")):
        files[path.name].append(path)
    found: list[str] = []
    changed: list[Path] = []
    missing: list[str] = []
    folders = sorted(path.parent for path in (project.path / "cases").glob(f"*/{CASE_FILE}"))
    for done, folder in enumerate(folders):
        description = read_description(folder / CASE_FILE, project.path)
        yield Progress(done, len(folders), description.name)
        listed = dict.fromkeys(image for group in (description.images, *description.others) for image in group)
        places: dict[ImageFile, ImageFile] = {}
        for image in listed:
            place = _place(image, project.path, files, changed)
            if place is None:
                missing.append(f"{description.name}: {image.path}")
            else:
                places[image] = place
        if len(places) < len(listed):
            continue
        found.append(description.name)
        images = tuple(places[image] for image in description.images)
        others = tuple(tuple(places[image] for image in group) for group in description.others)
        if (images, others) != (description.images, description.others):
            _note(folder, description.model_copy(update={"images": images, "others": others}))
    yield Progress(len(folders), len(folders), "")
    yield Finished(Relocation(tuple(found), tuple(dict.fromkeys(changed)), tuple(missing)))


#: Looks and waits: the arguments of :func:`relocating`, the :class:`Relocation` at once.
relocate = drained(relocating)


def _place(image: ImageFile, root: Path, files: dict[str, list[Path]], changed: list[Path]) -> ImageFile | None:
    """Where ``image`` is now; files of its name with other bytes are added to ``changed`` if it is nowhere."""
    others: list[Path] = []
    for path in (root / image.path, *files[Path(image.path).name]):
        try:
            if file_sha256(path) == image.sha256:
                return ImageFile(path=portable(path, root), sha256=image.sha256)
        except UnreadableFileError:
            continue
        others.append(path)
    changed += others
    return None


def _note(folder: Path, description: CaseDescription) -> None:
    lock = CaseLock(folder, description.name)
    lock.acquire()
    try:
        write_document(folder / CASE_FILE, description)
    finally:
        lock.release()
