"""A file that says what files are by their names, where the usual rules get it wrong.

It is TOML. The first entry whose pattern fits counts::

    labels = [1, 3]                       # values of all masks that are lesion; all but 0 if not said

    [sequences]                           # what {sequence} stands for, where it is no usual name
    0 = "post-contrast"

    [[file]]
    pattern = "{patient}/{visit}/{sequence}/{slice}"

    [[file]]
    pattern = "{patient}/{visit}/seg/{slice}"
    mask = true

    [[file]]
    pattern = "*_old"
    ignore = true

A field may say what it looks like: ``{patient:P#}`` is P and digits, ``{sequence:t1|flair}`` is one of two words.
The files of :func:`public_rules` are such files for sets that are published.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from metseg.errors import DataError
from metseg.study.formats import suffix_of
from metseg.study.model import Sequence
from metseg.study.naming import FileName, Neighbours, Role, Rule
from metseg.study.sequence_names import sequence_of

_FIELD = re.compile(r"\{(?P<name>[a-z_]+)(?::(?P<form>[^{}]*))?\}|(?P<wild>\*\*|[*?#])")
_FIELDS = ("patient", "part", "visit", "sequence", "slice", "lesion", "any")
_WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]", "#": "[0-9]+"}
_MAX_BYTES = 1 << 20

#: A rules file of this name in a folder of studies holds for it, in every front end.
RULES_FILE = "metseg.toml"

Labels = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class _Entry(BaseModel, frozen=True, extra="forbid"):
    """What files that fit a pattern are."""

    pattern: Annotated[str, Field(min_length=1)]
    patient: str = ""
    visit: str = ""
    sequence: str = ""
    mask: bool = False
    ignore: bool = False
    reason: str = ""
    match_case: bool = False
    labels: Labels | None = None


class _File(BaseModel, frozen=True, extra="forbid"):
    labels: Labels | None = None
    sequences: dict[str, Sequence] = Field(default_factory=dict)
    file: tuple[_Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class NameRules:
    """What a user says of a folder.

    Attributes
    ----------
    rules : tuple of Rule
        Asked before all others.
    labels : tuple of int or None
        Values of masks that are lesion; all but 0 if not said.
    """

    rules: tuple[Rule, ...] = ()
    labels: tuple[int, ...] | None = None

    def with_labels(self, labels: Seq[int] | None) -> NameRules:
        """These rules, with other values of masks that are lesion, if any are given."""
        return self if labels is None else replace(self, labels=tuple(labels))


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder, or a file, and what a user says of the files in it: taken wherever a folder of studies is.

    Attributes
    ----------
    rules : NameRules or None
        Asked before the usual rules, and instead of a :data:`RULES_FILE` in the folder.
    sequences : tuple of Sequence or None
        Which sequence each channel of the files is.
    """

    path: Path
    rules: NameRules | None = None
    sequences: tuple[Sequence, ...] | None = None

    def __str__(self) -> str:
        return str(self.path)

    def with_labels(self, labels: Seq[int] | None) -> DataFolder:
        """This folder, with other values of masks that are lesion, if any are given."""
        if labels is None:
            return self
        stated = rules_of(self.path) if self.rules is None else self.rules
        return replace(self, rules=stated.with_labels(labels))


def rules_of(folder: Path) -> NameRules:
    """The rules in a folder's :data:`RULES_FILE`; none if it has no such file.

    Raises
    ------
    DataError
        If the file is not as it should be.
    """
    file = folder / RULES_FILE
    return read_rules(file) if file.is_file() else NameRules()


def parse_labels(text: str) -> tuple[int, ...]:
    """Values of masks that are lesion, from text such as ``1,3``.

    Raises
    ------
    DataError
        If it is no list of whole numbers above 0.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise DataError(f"{text!r} is no list of mask values; give whole numbers above 0, such as 1,3")
    return tuple(dict.fromkeys(map(int, words)))


def read_rules(path: str | Path) -> NameRules:
    """Reads a rules file.

    Raises
    ------
    DataError
        If it cannot be read, or is not as it should be.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(text) > _MAX_BYTES:
        raise DataError(f"{path}: too long for a rules file")
    return _rules_in(text, str(path), "rules file")


@lru_cache(maxsize=1)
def public_rules() -> tuple[Rule, ...]:
    """The rules for sets that are published under names of their own; each file names its source."""
    folder = files("metseg.study").joinpath("public_sets")
    found = sorted(folder.iterdir(), key=lambda file: file.name)
    return tuple(
        rule
        for file in found
        if file.name.endswith(".toml")
        for rule in _rules_in(file.read_bytes(), file.name, f"public set {file.name.removesuffix('.toml')}").rules
    )


def _rules_in(text: bytes, path: str, title: str) -> NameRules:
    """The rules in the ``text`` of a file; ``title`` begins the name of each."""
    try:
        content = _File.model_validate(tomllib.loads(text.decode()))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a rules file: it is not text in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path}: not a rules file: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}") from error
    try:
        rules = tuple(_rule(entry, content.sequences, title) for entry in content.file)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return NameRules(rules, content.labels)


def _rule(entry: _Entry, words: dict[str, Sequence], title: str) -> Rule:
    pattern = re.compile(rf"(?:.*/)?{_expression(entry.pattern)}", 0 if entry.match_case else re.IGNORECASE)
    if entry.sequence and _meant(entry.sequence, words) is None:
        raise DataError(f"{entry.sequence!r} is no sequence; there are: {', '.join(Sequence)}")

    def apply(name: FileName, near: Neighbours) -> FileName | None:
        path = unicodedata.normalize("NFC", name.path.relative_to(near.top).as_posix())
        match = pattern.fullmatch(path[: len(path) - len(suffix_of(path))]) or pattern.fullmatch(path)
        if match is None:
            return None
        if entry.ignore:
            return replace(name, role=Role.NEITHER, reason=entry.reason)
        found = {key: value or "" for key, value in match.groupdict().items()}
        sequence = entry.sequence or found.get("sequence", "")
        patient = entry.patient or found.get("patient", "")
        visit = entry.visit or "_".join(filter(None, (found.get("part"), found.get("visit"))))
        stem = "_".join(filter(None, (patient, visit))) or name.stem
        number = found.get("slice", "")
        digits = re.findall(r"[0-9]+", number)
        return replace(
            name,
            role=Role.MASK if entry.mask else Role.IMAGE,
            place=() if patient else name.place,
            stem=stem,
            raw=f"{stem}/{number}" if entry.mask else name.raw,
            patient=patient,
            visit=visit,
            sequence=_meant(sequence, words) if sequence else None,
            number=int(digits[-1]) if digits else None,
            target=found.get("lesion", ""),
            labels=entry.labels,
            stated=bool(patient),
        )

    return Rule(f"{title}: {entry.pattern}", apply, final=True)


def _meant(word: str, words: dict[str, Sequence]) -> Sequence | None:
    return words.get(word) or sequence_of(word)


def _expression(pattern: str) -> str:
    """Regular expression of a pattern with ``{patient}``, ``{patient:P#}``, ``*``, ``**``, ``?`` and ``#``."""
    pattern = unicodedata.normalize("NFC", pattern)
    parts: list[str] = []
    seen: set[str] = set()
    end = 0
    for match in _FIELD.finditer(pattern):
        parts.append(re.escape(pattern[end : match.start()]))
        name, form, end = match["name"], match["form"], match.end()
        if name is None:
            parts.append(_WILD[match["wild"]])
            continue
        if name not in _FIELDS:
            raise DataError(
                f"{{{name}}} in a pattern is not known; there are: {', '.join(f'{{{one}}}' for one in _FIELDS)}"
            )
        written = "[^/]+?" if form is None else "|".join(map(_form, form.split("|")))
        if name == "any":
            parts.append("[^/]*?" if form is None else f"(?:{written})")
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(f"(?P<{name}>{written})")
    parts.append(re.escape(pattern[end:]))
    return "".join(parts)


def _form(text: str) -> str:
    """What a field looks like, such as ``P#``."""
    return "".join(_WILD.get(character, re.escape(character)) for character in text)
