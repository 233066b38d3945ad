"""A case as one volume: 3D Slicer shows one sequence at a time, FLAIR."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from metseg.errors import UnreadableFileError
from metseg.server.problems import ProblemError
from metseg.server.slicer.cases import ProjectCases
from metseg.server.slicer.volumes import case_volume
from metseg.study import Sequence


@dataclass(frozen=True, slots=True)
class Volume:
    """A ``.nii.gz``, and the SHA-256 of its content."""

    content: bytes
    sha256: str


def image_of_case(cases: ProjectCases, name: str) -> Volume:
    """FLAIR, or what stands for it, on the case's grid; the same bytes each time. 404, or 500 if its files are gone."""
    return _image(cases, name, cases.view(name).description.identity)


@lru_cache(maxsize=4)  # whoever is told of the next image downloads it at once
def _image(cases: ProjectCases, name: str, _identity: str) -> Volume:
    try:
        study = cases.view(name).study()
    except UnreadableFileError as error:
        raise ProblemError(500, f"an image file of this case on the server {error.reason}") from error
    content = case_volume(study.voxels[study.channel(Sequence.FLAIR)], study.geometry)
    return Volume(content, hashlib.sha256(content).hexdigest())
