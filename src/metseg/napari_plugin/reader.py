"""Open images of every format that is read, patient folders and folders of patients."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from metseg.errors import DataError
from metseg.napari_plugin.layers import PATIENTS_KEY, LayerData, make_layer, mask_layer, study_layers
from metseg.napari_plugin.messages import tell_problems
from metseg.study import Geometry, Problem, find_studies, is_mask_name, load, stem_of
from metseg.study.formats import HEAD, is_outlines, reader_of
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import labels_of
from metseg.study.sidecar import read_spacing

_MOST_ENTRIES = 2000

Paths = str | Path | Sequence[str | Path]


def get_reader(path: Paths) -> Callable[[Paths], list[Any]] | None:
    """Return :func:`read` if ``path`` looks like an image or holds one, else ``None``. Cheap; never raises."""
    try:
        entries = _entries(path)
        return read if entries and all(map(_looks_readable, entries)) else None
    except (OSError, TypeError, ValueError):
        return None


def read(path: Paths) -> list[Any]:
    """Read the studies at ``path`` for napari: as :func:`read_layer_data` does, labels as layers with contours."""
    return [make_layer(data) if data[2] == "labels" else data for data in read_layer_data(path)]


def read_layer_data(path: Paths) -> list[LayerData]:
    """Read the studies at ``path`` as layer data; what is odd or refused is shown to the user.

    Several files, as of *Open Files as Stack*, are read together as if there were no others. A single file whose name
    ends in ``_mask``, and a DICOM SEG, become a labels layer.

    Raises
    ------
    DataError
        If there is no study at all.
    """
    entries = _entries(path)
    if not entries:
        raise DataError("there is nothing to open")
    entry = entries[0]
    together = len(entries) > 1
    if not together and entry.is_file() and (is_mask_name(entry) or is_outlines(entry)):
        header = mask_header(entry)
        geometry = header.geometry if header.geometry.is_placed else Geometry.spaced(read_spacing(entry))
        labels, problems = labels_of(read_mask(header))
        tell_problems(problems)
        return [mask_layer(stem_of(entry), labels, geometry)]
    found = find_studies(Path(os.path.commonpath(entries)), only=_files(entries)) if together else find_studies(entry)
    opened = found[:1]  # more would lie on top of each other: the others are listed beside it
    loaded = [load(files) for files in opened]
    problems = [problem for files in opened for problem in files.problems]
    problems += [problem for result in loaded for problem in result.problems if problem not in problems]
    studies = [study for result in loaded for study in result.studies]
    if not studies:
        raise DataError("\n".join(str(problem) for problem in problems) or f"{path}: no image here")
    tell_problems(problems)
    layers = [layer for study in studies for layer in study_layers(study)]
    if len(found) > 1:
        for _, look, _ in layers:
            look["metadata"][PATIENTS_KEY] = tuple(found)
        _say(f"{len(found)} patients found: {found[0].name} is open, Segment lesions lists the others.")
    return layers


def layers_of(folder: Path) -> tuple[list[LayerData], tuple[Problem, ...]]:
    """Layers of all studies in a folder, and what was odd; nothing is shown.

    Raises
    ------
    DataError
        If there is no study at all.
    """
    found = find_studies(folder)
    loaded = [load(files) for files in found]
    every = [*(files.problems for files in found), *(result.problems for result in loaded)]
    problems = tuple(dict.fromkeys(problem for several in every for problem in several))
    layers = [layer for result in loaded for study in result.studies for layer in study_layers(study)]
    if not layers:
        raise DataError("\n".join(map(str, problems)) or f"{folder}: no image here")
    return layers, problems


def _say(text: str) -> None:
    """Show a text in the status bar, if there is one."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        viewer.status = text


def _entries(path: Paths) -> list[Path]:
    """The files and folders that are to be opened."""
    entries = [path] if isinstance(path, str | os.PathLike) else list(path)
    return [Path(entry).absolute() for entry in entries if entry != ""]


def _files(entries: Iterable[Path]) -> frozenset[Path]:
    """The files among these, and those in the folders among them."""
    folders = [entry for entry in entries if entry.is_dir()]
    inside = (Path(place, name) for folder in folders for place, _, names in os.walk(folder) for name in names)
    return frozenset((*entries, *inside))


def _looks_readable(path: Path) -> bool:
    if path.is_dir():
        return _holds_images(path)
    reader = reader_of(path)
    if reader is None:
        return False
    with path.open("rb") as file:
        return reader.recognises(file.read(HEAD))


def _holds_images(folder: Path) -> bool:
    entries = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return any(reader_of(path) is not None for path in itertools.islice(entries, _MOST_ENTRIES))
