"""What a file is by its name: what is known of it, and the ordered rules that find that out.

Each rule looks at what the rules before it left of the name, and takes away what it understands. What is left in the
end is the patient and the number of the slice. The rules are in :mod:`metseg.study.name_rules`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from metseg.study.formats import stem_of
from metseg.study.model import Problem, Sequence, SliceFile
from metseg.study.sequence_names import channel_names


class Role(StrEnum):
    """What a file is."""

    IMAGE = "image"
    MASK = "mask"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class FileName:
    """What is known of a file by its name.

    Attributes
    ----------
    place : tuple of str
        Folders from the top to it, without those that name a role, a sequence or a visit.
    home : Path
        The last of these folders.
    stem : str
        What is left of the name: patient and slice number.
    raw : str
        The name without suffix, and without the word that marks a mask: a mask's is that of its image.
    role : Role
        What the file is.
    patient, visit : str
        Where a rule says so, else empty.
    sequence : Sequence or None
        Where a rule says so.
    channel : int or None
        Number of the channel, where nnU-Net's names give one.
    number : int or None
        Number of the slice, where a rules file says so.
    target : str
        Of a mask: what stands behind the word that marks it, such as the number of a lesion.
    copy : bool
        Whether the name is that of a copy beside the original.
    labels : tuple of int or None
        Of a mask: the values that are lesion, where a rules file says so.
    stated : bool
        Whether a rules file says whom it is of: then its own name tells the slice alone.
    reason : str
        Why the file is neither image nor mask; empty if that need not be said.
    rules : tuple of str
        Names of the rules that applied, in order.
    """

    path: Path
    place: tuple[str, ...]
    home: Path
    stem: str
    raw: str
    role: Role = Role.IMAGE
    patient: str = ""
    visit: str = ""
    sequence: Sequence | None = None
    channel: int | None = None
    number: int | None = None
    target: str = ""
    copy: bool = False
    labels: tuple[int, ...] | None = None
    stated: bool = False
    reason: str = ""
    rules: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """The same for the files of one examination, except for the numbers of slices."""
        return tuple(map(fold, self.place)), fold(self.patient), fold(self.visit)


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """Files of one study, found but not yet read.

    Attributes
    ----------
    name : str
        Name of the patient: of the folder if it holds one numbered series, else of the series or file.
    folder : Path
        Where the files are.
    slices : tuple of SliceFile
        Images in natural order; a file with several slices appears once, as its page 0.
    visit_of : str or None
        The patient, where there are several visits; else the study is the patient's only one.
    sequences : tuple of Sequence or None
        Which sequence each channel is, where the user has said so.
    named : tuple of Sequence or None
        Which sequence the file of each channel is by its name.
    labels : tuple of int or None
        Values of the masks that are lesion; all but 0 if not said.
    same_as : str or None
        Patient of another study with the same images; such patients must not be told apart by a split.
    names : tuple of FileName
        What each file is, and by which rules.
    series : tuple of tuples of Path
        All files of each DICOM series, whose first ones stand in ``slices``.
    problems : tuple of Problem
        What is odd about the names: gaps, duplicates, masks without image, images without mask. Problems of the
        tree that belong to no study come with the first study found.
    """

    name: str
    folder: Path
    slices: tuple[SliceFile, ...]
    problems: tuple[Problem, ...] = ()
    visit_of: str | None = None
    sequences: tuple[Sequence, ...] | None = None
    named: tuple[Sequence, ...] | None = None
    labels: tuple[int, ...] | None = None
    same_as: str | None = None
    names: tuple[FileName, ...] = ()
    series: tuple[tuple[Path, ...], ...] = ()

    @property
    def channels(self) -> int | None:
        """How many channels each image must have; ``None`` where nobody named them."""
        return None if self.sequences is None or any(entry.others for entry in self.slices) else len(self.sequences)

    @property
    def patient(self) -> str:
        """Whom the study is of."""
        return self.name if self.visit_of is None else self.visit_of


@dataclass(frozen=True)
class Neighbours:
    """The other files of the tree, for rules that need them.

    Attributes
    ----------
    top : Path
        The folder that is looked at.
    stems : dict of Path to set of str
        Names without suffix in each folder, as :func:`fold` gives them.
    folders : dict of Path to tuple of str
        Names of the folders in each folder.
    """

    top: Path
    stems: dict[Path, set[str]]
    folders: dict[Path, tuple[str, ...]]
    _channels: dict[Path, tuple[str, ...] | None] = field(default_factory=dict)
    _ancestors: dict[Path, tuple[Path, ...]] = field(default_factory=dict)

    def holds(self, folder: Path, stem: str) -> bool:
        """Whether a file of that name, with any suffix, is in ``folder``."""
        return fold(stem) in self.stems.get(folder, ())

    def ancestors(self, folder: Path) -> tuple[Path, ...]:
        """``folder`` and the folders above it, up to the top."""
        if folder not in self._ancestors:
            above = () if folder == self.top else self.ancestors(folder.parent)
            self._ancestors[folder] = (folder, *above)
        return self._ancestors[folder]

    def beside(self, folder: Path) -> tuple[str, ...]:
        """Names of the folders beside ``folder``."""
        return tuple(name for name in self.folders.get(folder.parent, ()) if name != folder.name)

    def below(self, folder: Path) -> Iterable[tuple[Path, set[str]]]:
        """Names in ``folder`` and the folders in it."""
        return ((where, stems) for where, stems in self.stems.items() if where.is_relative_to(folder))

    def channels(self, folder: Path) -> tuple[str, ...] | None:
        """Channel names of the nearest ``dataset.json`` in ``folder`` or above it, up to the folder above the top."""
        if folder not in self._channels:
            names = channel_names(folder / "dataset.json")
            if names is None and folder not in (self.top.parent, folder.parent):
                names = self.channels(folder.parent)
            self._channels[folder] = names
        return self._channels[folder]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``apply`` gives what the name says by it, or ``None`` if it says nothing.

    Attributes
    ----------
    name : str
        As it is shown.
    final : bool
        Whether no further rule is asked if this one applies.
    """

    name: str
    apply: Callable[[FileName, Neighbours], FileName | None]
    final: bool = False


@lru_cache(maxsize=1 << 14)
def fold(name: str) -> str:
    """A name so that two forms of one (Unicode, upper and lower case) are the same."""
    return unicodedata.normalize("NFC", name).casefold()


def read_name(path: Path, neighbours: Neighbours, rules: Seq[Rule]) -> FileName:
    """Applies the rules in order to a file below ``neighbours.top``."""
    place = tuple(unicodedata.normalize("NFC", part) for part in path.parent.relative_to(neighbours.top).parts)
    stem = unicodedata.normalize("NFC", stem_of(path))
    name = FileName(path, place, path.parent, stem, stem)
    for rule in rules:
        changed = rule.apply(name, neighbours)
        if changed is None:
            continue
        name = replace(changed, rules=(*name.rules, rule.name))
        if rule.final or name.role is Role.NEITHER:
            break
    return replace(name, home=_home(name, neighbours.top))


def _home(name: FileName, top: Path) -> Path:
    """The last folder of the file that its place names."""
    folder = name.path.parent
    while folder != top and (not name.place or fold(folder.name) != fold(name.place[-1])):
        folder = folder.parent
    return folder
