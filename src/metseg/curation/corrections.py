"""Masks that were corrected elsewhere, taken back into a case."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.curation.changes import Labels
from metseg.errors import DataError, UnreadableFileError
from metseg.lesions import label_lesions
from metseg.study import MASK_ENDING, Study, read_errors
from metseg.study.formats import Header, stem_of, suffix_of
from metseg.study.geometry import on_grid
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import NEARLY_ALL, lesions

_HIGHEST = int(np.iinfo(np.uint16).max)


@dataclass(frozen=True, eq=False, slots=True)
class Corrections:
    """Masks for slices of a study.

    Attributes
    ----------
    mask : ndarray of bool, shape (z, y, x)
        ``True`` inside lesions; holds for ``slices`` alone.
    left_over : tuple of Path
        Masks in the folder that are of no slice of the study.
    """

    mask: npt.NDArray[np.bool_]
    slices: tuple[int, ...]
    left_over: tuple[Path, ...]

    def applied_to(self, labels: Labels, next_label: int) -> Labels:
        """Labels with these masks in them.

        Voxels keep the lesion they belong to. Voxels that become lesion join the nearest lesion that they are
        connected to, or else are a new one.

        Parameters
        ----------
        labels : ndarray of uint16, shape (z, y, x)
            0, or the lesion's id.
        next_label : int
            First id that is free.

        Raises
        ------
        DataError
            If there are no ids left.
        """
        drawn = labels > 0
        drawn[list(self.slices)] = self.mask[list(self.slices)]
        result: Labels = np.where(drawn, labels, np.uint16(0))
        parts = label_lesions(drawn)
        for part, box in enumerate(ndimage.find_objects(parts), start=1):
            inside = parts[box] == part
            here = result[box]
            new = inside & (here == 0)
            known = np.where(inside, here, np.uint16(0))
            if known.any() and new.any():
                nearest = ndimage.distance_transform_edt(known == 0, return_distances=False, return_indices=True)
                here[new] = known[tuple(nearest)][new]
            elif new.any():
                if next_label > _HIGHEST:
                    raise DataError(f"a case has ids up to {_HIGHEST}, and all have been given")
                here[new] = next_label
                next_label += 1
        return result


def read_corrections(study: Study, folder: str | Path) -> Corrections:
    """Read ``<image>_mask``, in any format, for the images of a study; ``<study>_mask`` may hold all of a volume.

    Parameters
    ----------
    study : Study
        As from :meth:`metseg.curation.CaseView.study`; the names of its images say what the masks are called.
    folder : str or Path
        Where the masks are: in a folder in it that is called like the study, if there is one, else in itself.

    Raises
    ------
    UnreadableFileError
        If a mask cannot be read, is no mask, or has another size than its image.
    DataError
        If there is no mask for any slice, or two for one.
    """
    place = Path(folder)
    place = place / study.name if (place / study.name).is_dir() else place
    found = _masks_in(place)
    mask = np.zeros(study.shape, np.bool_)
    pages: dict[Path, list[int]] = defaultdict(list)
    for z, entry in enumerate(study.slices):
        pages[entry.image].append(z)
    done: list[int] = []
    for image, slices in pages.items():
        if (path := found.pop(stem_of(image).casefold(), None)) is None:
            continue
        count = study.shape[0] if study.stored is not None else 1 + max(study.slices[z].page for z in slices)
        header = mask_header(path, count, (study.geometry, study.shape))
        if study.stored is not None:
            mask[slices] = _on_case(header, study)[slices]
        else:
            mask[slices] = _of_pages(header, image, (count, *study.shape[1:]))[[study.slices[z].page for z in slices]]
        done += slices
    if not done and study.stored is not None and (path := found.pop(study.name.casefold(), None)) is not None:
        mask[:] = _on_case(mask_header(path, study.shape[0], (study.geometry, study.shape)), study)
        done = list(range(study.shape[0]))
    if not done:
        name = stem_of(study.slices[0].image)
        raise DataError(f"{place}: no mask of {study.name}; they are called like {name}_mask.tif")
    return Corrections(mask, tuple(sorted(done)), tuple(sorted(found.values())))


def _masks_in(folder: Path) -> dict[str, Path]:
    """Mask files by the name of their image, without its suffix and in lower case."""
    with read_errors(folder):
        names = sorted(os.listdir(folder))
    found: dict[str, Path] = {}
    for name in names:
        path = folder / name
        stem = stem_of(path).casefold()
        if not suffix_of(path) or not stem.endswith(MASK_ENDING) or name.startswith("."):
            continue
        image = stem.removesuffix(MASK_ENDING)
        if image in found:
            raise DataError(f"{path} and {found[image].name} are both masks of one slice; remove one")
        found[image] = path
    return found


def _on_case(header: Header, study: Study) -> npt.NDArray[np.bool_]:
    """A mask of a whole case that is a volume."""
    try:
        return on_grid(_lesion(header), header.geometry, study.geometry, study.shape)
    except DataError as error:
        raise UnreadableFileError(header.path, f"does not fit {study.name}: {error}") from error


def _of_pages(header: Header, image: Path, wanted: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    if (shape := header.shape[1:]) != wanted:
        raise UnreadableFileError(header.path, f"does not fit {image.name}: (pages, y, x) is {shape}, not {wanted}")
    return _lesion(header)


def _lesion(header: Header) -> npt.NDArray[np.bool_]:
    [mask], problems = lesions([read_mask(header)])
    if mask is None or mask.mean() > NEARLY_ALL:
        raise UnreadableFileError(header.path, problems[0].reason)
    return mask.view(np.bool_)
