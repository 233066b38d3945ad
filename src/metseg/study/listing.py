"""The files of a tree of folders, before anything is known of them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from metseg.study.formats import is_dicom, is_picture, stem_of, suffix_of
from metseg.study.model import Problem, ProblemKind
from metseg.study.naming import Neighbours, fold
from metseg.study.rules_file import RULES_FILE

#: Files and folders that operating systems leave behind; of these nothing is said.
_LEFT_BEHIND = frozenset({"thumbs.db", "desktop.ini", "__macosx", RULES_FILE, "ehthumbs.db", "icon\r", "$recycle.bin"})
#: Files that say something about images, and need not be remarked on.
_ABOUT = (".json", ".tsv", ".csv", ".bval", ".bvec")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``x_10`` after ``x_9``."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((0, int(part), "") if index % 2 else (1, 0, part.casefold()) for index, part in enumerate(parts))


@dataclass(slots=True)
class Listing:
    """The files of a tree, folder by folder, each real folder once."""

    top: Path
    files: list[Path] = field(default_factory=list)
    dicom: list[Path] = field(default_factory=list)
    folders: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    others: dict[Path, list[str]] = field(default_factory=dict)
    loose: list[Problem] = field(default_factory=list)

    @classmethod
    def of(cls, top: Path, only: Collection[Path] | None = None) -> Listing:
        """Walk the tree below ``top``; of its files note these alone, if any are given."""
        listing, seen, waiting = cls(top), set[tuple[int, int]](), [top]
        while waiting:
            folder = waiting.pop()
            try:
                status = folder.stat()
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                names = sorted(filter(_is_seen, os.listdir(folder)), key=natural_key)
            except OSError as error:
                reason = f"folder cannot be opened: {error.strerror or error}"
                listing.loose.append(Problem(folder, reason, refused=True, kind=ProblemKind.UNREADABLE))
                continue
            inner = [name for name in names if os.path.isdir(folder / name)]
            waiting += [folder / name for name in reversed(inner)]
            listing.folders[folder] = tuple(inner)
            outer = [name for name in names if name not in set(inner) and (only is None or folder / name in only)]
            listing._note(folder, outer, is_leaf=not inner and only is None)
        listing._leave_pictures()
        return listing

    def _leave_pictures(self) -> None:
        """PNG and JPEG beside files of other formats show something; they are not the images."""
        pictures = [path for path in self.files if is_picture(path)]
        if len(pictures) == len(self.files) and not self.dicom:
            return
        self.files = [path for path in self.files if not is_picture(path)]
        for path in pictures:
            self.others[path.parent] = sorted([*self.others[path.parent], path.name], key=natural_key)

    def _note(self, folder: Path, names: list[str], *, is_leaf: bool) -> None:
        dicom = [folder / name for name in names if is_dicom(folder / name)]
        self.dicom += dicom
        images = [path for name in names if suffix_of(name) and (path := folder / name) not in set(dicom)]
        self.files += images
        read = {path.name for path in (*dicom, *images)}
        self.others[folder] = [name for name in names if name not in read and not name.lower().endswith(_ABOUT)]
        if not read and is_leaf:
            self.loose.append(Problem(folder, "no image in this folder", kind=ProblemKind.NOT_READ))

    def neighbours(self) -> Neighbours:
        """For the rules of names."""
        stems: dict[Path, set[str]] = defaultdict(set)
        for path in self.files:
            stems[path.parent].add(fold(stem_of(path)))
        above = self.top.parent
        try:
            beside = tuple(name for name in os.listdir(above) if (above / name).is_dir()) if self.top.name else ()
        except OSError:
            beside = ()
        return Neighbours(self.top, dict(stems), {above: beside, **self.folders})


def _is_seen(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _LEFT_BEHIND
