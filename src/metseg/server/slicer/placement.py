"""Images that were uploaded, kept in the project, and where they lie: beside each its affine, which TIFF cannot say."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metseg.curation import CaseDescription, Project
from metseg.curation.documents import read_document, write_document
from metseg.curation.names import safe_name
from metseg.errors import DataError
from metseg.server.intake import Decoded
from metseg.server.problems import ProblemError
from metseg.server.slicer.grids import Grid
from metseg.study import read_study, write_tiff

#: Folder in the project for images that came over the network.
UPLOADS = "uploads"

_ENDING = ".grid.json"
_LONGEST = 80

Row = tuple[float, float, float, float]


class _Placement(BaseModel):
    """``<name>.grid.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["metseg-grid"] = "metseg-grid"
    version: Literal[1] = 1
    affine: Annotated[tuple[Row, ...], Field(min_length=4, max_length=4)]


def placed_grid(project: Path, case: CaseDescription) -> Grid:
    """Where a case's voxels are: as they were uploaded, or axial if nothing but the spacing is known.

    Raises
    ------
    UnreadableFileError
        If the file that says so is damaged.
    """
    usual = Grid.axial(case.shape, case.spacing)
    if len(case.images) != 1:
        return usual
    image = Path(case.images[0].path)
    beside = project / UPLOADS / f"{image.stem}{_ENDING}"
    if image.parent != Path(UPLOADS) or not beside.exists():
        return usual
    return Grid(case.shape, np.array(read_document(beside, _Placement).affine))


def add_upload(project: Project, name: str, decoded: Decoded) -> None:
    """Make a case of an uploaded image; one that is there already, with the same voxels, is left as it is.

    Raises
    ------
    ProblemError
        409 if another image has that name.
    DataError
        If it cannot be written.
    """
    grid = Grid.of_upload(decoded) or Grid.axial(decoded.study.shape, decoded.study.geometry.spacing)
    if any(case.name == name for case in project.cases()):
        _check_same(project, name, decoded, grid)
        return
    folder = project.path / UPLOADS
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from error
    stem = _file_name(name)
    affine = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in grid.affine)
    write_document(folder / f"{stem}{_ENDING}", _Placement(affine=affine))
    voxels = decoded.study.voxels
    pages = voxels[0] if len(voxels) == 1 else voxels.transpose(1, 2, 3, 0)
    path = folder / f"{stem}.tif"
    write_tiff(path, pages, channels=len(voxels) > 1, spacing=decoded.study.geometry.spacing)
    project.add(replace(read_study(path), name=name))


def _file_name(name: str) -> str:
    """What the files of an image are called: no two names share it, also where case does not matter."""
    return f"{safe_name(name, _LONGEST - 20) or 'image'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _check_same(project: Project, name: str, decoded: Decoded, grid: Grid) -> None:
    case = project.read_case(name)
    there = placed_grid(project.path, case.description)
    same = case.shape == decoded.study.shape and np.allclose(there.affine, grid.affine, atol=1e-3)
    if not same or not np.array_equal(case.study().voxels, decoded.study.voxels):
        raise ProblemError(409, f"the project has another image {name!r} already; give this one another name")
