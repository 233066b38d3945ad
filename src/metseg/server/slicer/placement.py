"""Images that were uploaded, kept in the project as TIFF; where they lie, their case says."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from metseg.curation import Project
from metseg.curation.description import UPLOADS
from metseg.curation.names import safe_name
from metseg.errors import DataError
from metseg.server.problems import ProblemError
from metseg.server.upload_decoding import Decoded
from metseg.study import Geometry, Study, read_study, write_tiff
from metseg.study.formats import without_made_up_place

_LONGEST = 80


def add_upload(project: Project, name: str, decoded: Decoded) -> None:
    """Make a case of an uploaded image; one that is there already, with the same voxels, is left as it is.

    Raises
    ------
    ProblemError
        409 if another image has that name.
    DataError
        If it cannot be written.
    """
    if any(case.name == name for case in project.cases()):
        _check_same(project, name, decoded)
        return
    folder = project.path / UPLOADS
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from error
    stem = _file_name(name)
    voxels, geometry = decoded.study.voxels, _known_geometry(decoded.study)
    pages = voxels[0] if len(voxels) == 1 else voxels.transpose(1, 2, 3, 0)
    path = folder / f"{stem}.tif"
    write_tiff(path, pages, channels=len(voxels) > 1, spacing=geometry.spacing)
    project.add(replace(read_study(path, decoded.study.sequences), name=name, geometry=geometry))


def _file_name(name: str) -> str:
    """What the files of an image are called: no two names share it, also where case does not matter."""
    return f"{safe_name(name, _LONGEST - 20) or 'image'}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _known_geometry(study: Study) -> Geometry:
    """Where an upload lies; of one that this server made up a place for, no more than was known before."""
    header = b"" if study.stored is None else study.stored.header
    return without_made_up_place(study.geometry, study.shape, header)


def _check_same(project: Project, name: str, decoded: Decoded) -> None:
    case, study = project.read_case(name), decoded.study
    there, here = (Geometry.placed(one.drawn) for one in (case.description.geometry, study.geometry))
    same = case.shape == study.shape and there.is_same(here, study.shape)
    if not same or not np.array_equal(case.study().voxels, study.voxels):
        raise ProblemError(409, f"the project has another image {name!r} already; give this one another name")
