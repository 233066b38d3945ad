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
from metseg.study.model import Sequence
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
    said : bool
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
    said: bool = False
    reason: str = ""
    rules: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """The same for the files of one examination, except for the numbers of slices."""
        return tuple(map(fold, self.place)), fold(self.patient), fold(self.visit)


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
