"""Export slices and their masks as ``<slice>.tif`` and ``<slice>_mask.tif``, the form that training reads."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from metseg.curation.names import safe_name
from metseg.errors import DataError, UnreadableFileError
from metseg.events import Event, Finished, Progress, drained
from metseg.study import (
    Study,
    read_spacing,
    read_tiff,
    sidecar_of,
    stem_of,
    suffix_of,
    write_atomically,
    write_errors,
    write_tiff,
)
from metseg.study.sidecar import write_sidecar

#: Bytes of a study's name in the names of files, which may have 255 with number, ending and what is temporary.
_LONGEST = 160
_NUMBERED = re.compile(r"(.*?)[ _.\-]*([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Where one slice goes."""

    z: int
    image: Path
    mask: Path


def exporting_pairs(
    study: Study, mask: npt.ArrayLike, out: str | Path, *, z: Sequence[int] | None = None, overwrite: bool = False
) -> Iterator[Event[list[Path]]]:
    """Write slices with their masks to ``out/<study.name>/``.

    What is written reads back as it was: a slice that came from a single-page file is that file, byte for byte;
    any other is encoded losslessly. Each file appears whole or not at all, and the mask before its image, so
    that an image without its mask is never taken for a slice without lesion.

    Parameters
    ----------
    study : Study
        Slices keep their file names if these are numbered in order; else they become ``<study.name>_<k>``.
    mask : array of int or bool, shape (z, y, x)
        Nonzero is lesion; written as 0 and 255.
    out : str or Path
        Is created if need be.
    z : sequence of int, optional
        Slices to export; all by default.
    overwrite : bool
        Replace files that are there.

    Yields
    ------
    Progress, Finished
        ``Progress`` counts slices; the last event carries the written files, image and mask in turn.

    Raises
    ------
    DataError
        If the mask does not fit, no slice is asked for, files are in the way, or they cannot be written.
    """
    lesion = np.asarray(mask) > 0
    if lesion.shape != study.shape:
        raise DataError(f"{study.name}: a mask of shape {lesion.shape} does not fit slices of shape {study.shape}")
    pairs = _pairs(study, Path(out), z)
    if not pairs:
        raise DataError(f"{study.name}: no slice to export")
    folder = pairs[0].image.parent
    _refuse_look_alikes(folder, pairs)
    if not overwrite and (there := _there(pairs)):
        raise DataError(f"{there[0]} and {len(there) - 1} more exist already; nothing was written")
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _note_spacing(study, folder, overwrite=overwrite)
    for done, pair in enumerate(pairs):
        yield Progress(done, len(pairs), pair.image.name)
        write_tiff(pair.mask, lesion[pair.z].astype(np.uint8) * np.uint8(255), channels=False)
        _write_image(study, pair)
    yield Progress(len(pairs), len(pairs), study.name)
    yield Finished([path for pair in pairs for path in (pair.image, pair.mask)])


#: Writes and waits: the arguments of :func:`exporting_pairs`, the list of files at once.
export_pairs = drained(exporting_pairs)


def existing_pairs(study: Study, out: str | Path, *, z: Sequence[int] | None = None) -> list[Path]:
    """Files that :func:`exporting_pairs` with the same arguments would replace."""
    return _there(_pairs(study, Path(out), z))


def _pairs(study: Study, out: Path, z: Sequence[int] | None) -> list[_Pair]:
    wanted = range(study.shape[0]) if z is None else sorted(set(z))
    if any(not 0 <= index < study.shape[0] for index in wanted):
        raise DataError(f"{study.name}: has slices of index 0 to {study.shape[0] - 1}, not {list(wanted)}")
    folder = out / _safe(study.name)
    stems = _stems(study)
    return [_Pair(index, folder / f"{stems[index]}.tif", folder / f"{stems[index]}_mask.tif") for index in wanted]


def _stems(study: Study) -> list[str]:
    """One file name, without suffix, for each slice; readers put them in this order."""
    stems = [entry.image.stem for entry in study.slices if not entry.others]
    matches = [_NUMBERED.fullmatch(stem) for stem in stems]
    numbers = [int(match[2]) for match in matches if match]
    ordered = len(numbers) == len(stems) and all(a < b for a, b in zip(numbers, numbers[1:], strict=False))
    if stems and ordered and len({match[1] for match in matches if match}) == 1:
        return stems
    if len(stems) == 1:
        return stems
    return [f"{_safe(study.name)}_{index + 1}" for index in range(study.shape[0])]


def _safe(name: str) -> str:
    return safe_name(name, _LONGEST) or "study"


def _there(pairs: list[_Pair]) -> list[Path]:
    return [path for pair in pairs for path in (pair.image, pair.mask) if path.exists()]


def _refuse_look_alikes(folder: Path, pairs: list[_Pair]) -> None:
    """Refuse a folder where a file stands that readers would take for the same slice or mask as one of ours."""
    if not folder.is_dir():
        return
    ours = {path for pair in pairs for path in (pair.image, pair.mask)}
    stems = {path.stem.lower() for path in ours}
    for path in folder.iterdir():
        if suffix_of(path) and stem_of(path).lower() in stems and path not in ours:
            raise DataError(f"{path}: would be mixed up with an exported slice; choose another folder")


def _note_spacing(study: Study, folder: Path, *, overwrite: bool) -> None:
    """Keep the study's spacing in ``<folder>/<name>.json``, once for all its slices."""
    stack = folder / f"{folder.name}.tif"
    spacing, stated = study.geometry.spacing, read_spacing(stack)
    if spacing == stated:
        return
    if stated is not None and not overwrite:
        sidecar = sidecar_of(stack)
        raise DataError(f"{sidecar}: states the spacing {stated}, the study's is {spacing}; nothing was written")
    if spacing is None:
        sidecar_of(stack).unlink()
    else:
        write_sidecar(stack, spacing)


def _write_image(study: Study, pair: _Pair) -> None:
    source = _source_file(study, pair.z)
    if source is None:
        voxels = study.voxels[:, pair.z]
        pixels = voxels[0] if len(voxels) == 1 else np.moveaxis(voxels, 0, -1)
        write_tiff(pair.image, pixels, channels=len(voxels) > 1)
    elif not (pair.image.exists() and source.samefile(pair.image)):
        with write_atomically(pair.image) as temporary:
            shutil.copyfile(source, temporary)


def _source_file(study: Study, z: int) -> Path | None:
    """The slice's file, if it still holds exactly this slice and nothing else."""
    if not study.slices:
        return None
    source, voxels = study.slices[z].image, study.voxels[:, z]
    try:
        pages = read_tiff(source)
    except (UnreadableFileError, DataError):
        return None
    same = pages.shape == (1, *voxels.shape) and pages.dtype == voxels.dtype and np.array_equal(pages[0], voxels)
    return source if same else None
