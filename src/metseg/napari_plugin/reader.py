"""Open images of every format that is read, patient folders and folders of patients."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from metseg.errors import DataError
from metseg.napari_plugin.layers import PATIENTS_KEY, LayerData, mask_layer, study_layers
from metseg.napari_plugin.messages import tell_problems
from metseg.study import Geometry, find_studies, is_mask_name, load, stem_of
from metseg.study.formats import HEAD, is_outlines, reader_of
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import labels_of
from metseg.study.sidecar import read_spacing

_MOST_ENTRIES = 2000

Paths = str | Path | Sequence[str | Path]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return :func:`read` if ``path`` looks like an image or holds one, else ``None``. Cheap; never raises."""
    try:
        entry = _one(path)
        return read if entry is not None and _looks_readable(entry) else None
    except (OSError, TypeError, ValueError):
        return None


def read(path: Paths) -> list[LayerData]:
    """Read the studies at ``path`` as layers; what is odd or refused is shown to the user.

    A single file whose name ends in ``_mask``, and a DICOM SEG, become a labels layer.

    Raises
    ------
    DataError
        If there is no study at all.
    """
    entry = _one(path)
    if entry is None:
        raise DataError("give one file or folder at a time")
    if entry.is_file() and (is_mask_name(entry) or is_outlines(entry)):
        header = mask_header(entry)
        geometry = header.geometry if header.geometry.is_placed else Geometry.spaced(read_spacing(entry))
        labels, problems = labels_of(read_mask(header))
        tell_problems(problems)
        return [mask_layer(stem_of(entry), labels, geometry)]
    found = find_studies(entry)
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
        return _holds_images(path)
    reader = reader_of(path)
    if reader is None:
        return False
    with path.open("rb") as file:
        return reader.recognises(file.read(HEAD))


def _holds_images(folder: Path) -> bool:
    entries = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return any(reader_of(path) is not None for path in itertools.islice(entries, _MOST_ENTRIES))
