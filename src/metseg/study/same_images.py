"""Studies that hold the same images: copies must not be taken for other patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Seq
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from metseg.errors import DataError, UnreadableFileError
from metseg.study.files import file_sha256
from metseg.study.ifd import open_regular
from metseg.study.tiff import read_tiff

_SAMPLE = 4096


class Twins(NamedTuple):
    """The indices of two studies, and how many image files of theirs are equal, byte for byte."""

    first: int
    second: int
    shared: int


def find_twins(studies: Seq[Seq[Path]]) -> list[Twins]:
    """Finds studies that share image files; images of one value only prove nothing.

    Parameters
    ----------
    studies : sequence of sequence of Path
        The image files of each study.
    """
    alike: dict[tuple[int, bytes], list[tuple[int, Path]]] = defaultdict(list)
    for index, files in enumerate(studies):
        for path in files:
            if (sample := _sample(path)) is not None:
                alike[sample].append((index, path))
    equal: dict[str, dict[int, Path]] = defaultdict(dict)
    for places in alike.values():
        if len({index for index, _ in places}) > 1:
            for index, path in places:
                with suppress(UnreadableFileError):
                    equal[file_sha256(path)].setdefault(index, path)
    shared: dict[tuple[int, int], list[Path]] = defaultdict(list)
    for places_of in equal.values():
        for pair in combinations(sorted(places_of), 2):
            shared[pair].append(places_of[pair[0]])
    return [Twins(*pair, len(paths)) for pair, paths in sorted(shared.items()) if not all(map(is_blank, paths))]


def _sample(path: Path) -> tuple[int, bytes] | None:
    """Size of a file, and bytes from its middle: files that differ in these are not equal."""
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, (size - _SAMPLE) // 2))
            return size, file.read(_SAMPLE)
    except (OSError, UnreadableFileError):
        return None


def is_blank(path: Path) -> bool:
    """Whether an image holds one value only, or cannot be read: it proves nothing."""
    try:
        pixels = read_tiff(path)
    except (DataError, UnreadableFileError):
        return True
    return bool((pixels == pixels.ravel()[0]).all())


def joined(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """One name for all that are joined by pairs: the first of them in order.

    Parameters
    ----------
    pairs : iterable of (str, str)
        Names that belong together; unknown ones are left out.
    """
    of = {name: name for name in names}

    def root(name: str) -> str:
        while of[name] != name:
            name = of[name]
        return name

    for one, other in pairs:
        if one in of and other in of:
            first, second = sorted((root(one), root(other)))
            of[second] = first
    return {name: root(name) for name in of}
