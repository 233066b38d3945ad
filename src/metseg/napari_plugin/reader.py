"""Open TIFF slices, patient folders and folders of patients."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from metseg.errors import DataError
from metseg.napari_plugin.layers import LayerData, mask_layer, study_layers
from metseg.napari_plugin.messages import tell_problems
from metseg.napari_plugin.patients import PATIENTS_KEY
from metseg.study import SUFFIXES, find_studies, is_mask_name, load, read_tiff, suffix_of
from metseg.study.sidecar import read_spacing

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_ENTRIES = 2000

Paths = str | Path | Sequence[str | Path]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return :func:`read` if ``path`` looks like TIFF slices, else ``None``. Cheap; never raises."""
    try:
        entry = _one(path)
        return read if entry is not None and _looks_readable(entry) else None
    except (OSError, TypeError, ValueError):
        return None


def read(path: Paths) -> list[LayerData]:
    """Read the studies at ``path`` as layers; what is odd or refused is shown to the user.

    A single file whose name ends in ``_mask`` becomes a labels layer.

    Raises
    ------
    DataError
        If there is no study at all.
    """
    entry = _one(path)
    if entry is None:
        raise DataError("give one file or folder at a time")
    if is_mask_name(entry) and entry.is_file():
        return [mask_layer(entry.stem, read_tiff(entry), read_spacing(entry))]
    found = find_studies(entry)
    opened = found[:1]  # more would lie on top of each other: the others are listed beside it
    loaded = [load(files) for files in opened]
    problems = [problem for files in opened for problem in files.problems]
    problems += [problem for result in loaded for problem in result.problems if problem not in problems]
    studies = [study for result in loaded for study in result.studies]
    if not studies:
        raise DataError("\n".join(str(problem) for problem in problems) or f"{path}: no TIFF slices here")
    tell_problems(problems)
    layers = [layer for study in studies for layer in study_layers(study)]
    if len(found) > 1:
        for _, look, _ in layers:
            look["metadata"][PATIENTS_KEY] = tuple(found)
        _say(f"{len(found)} patients found: {found[0].name} is open, Segment lesions lists the others.")
    return layers


def _say(text: str) -> None:
    """Show a text in the status bar, if there is one."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        viewer.status = text


def _one(path: Paths) -> Path | None:
    """The only path given; a stack of several is left to napari's own reader."""
    entries = [path] if isinstance(path, str | os.PathLike) else list(path)
    return Path(entries[0]) if len(entries) == 1 and entries[0] != "" else None


def _looks_readable(path: Path) -> bool:
    if path.is_dir():
        return _holds_tiff(path)
    if not suffix_of(path):
        return False
    with path.open("rb") as file:
        return file.read(4) in _SIGNATURES


def _holds_tiff(folder: Path) -> bool:
    entries = (name for _, _, names in os.walk(folder) for name in names)
    return any(name.lower().endswith(SUFFIXES) for name in itertools.islice(entries, _MOST_ENTRIES))
