"""Descriptions of cases, also of projects that earlier versions wrote.

Those knew no more of a case than its spacing. Where an image came over the network from 3D Slicer, its affine lay
beside it, in ``uploads/<name>.grid.json``: it is read from there, and nothing is rewritten.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from metseg.curation.description import CaseDescription
from metseg.curation.documents import read_document
from metseg.errors import DataError, UnreadableFileError
from metseg.study import Geometry

#: Folder in the project for images that came over the network.
UPLOADS = "uploads"

_ENDING = ".grid.json"

_Row = tuple[float, float, float, float]


class _Placement(BaseModel, frozen=True, extra="forbid"):
    """``<name>.grid.json``."""

    format: Literal["metseg-grid"] = "metseg-grid"
    version: Literal[1] = 1
    affine: Annotated[tuple[_Row, ...], Field(min_length=4, max_length=4)]


def read_description(path: Path, project: Path) -> CaseDescription:
    """Read the ``case.json`` at ``path``, of the project in ``project``; UnreadableFileError if it is damaged."""
    case = read_document(path, CaseDescription)
    return case if case.version == 2 else case.model_copy(update={"version": 2, **_placement(case, project)})


def _placement(case: CaseDescription, project: Path) -> dict[str, Any]:
    """What is known of the place of a case of the first version beside its spacing."""
    image = Path(case.images[0].path) if len(case.images) == 1 else None
    if image is None or image.parent != Path(UPLOADS):
        return {}
    try:
        beside = read_document(project / UPLOADS / f"{image.stem}{_ENDING}", _Placement)
        geometry = Geometry.placed(beside.affine)
    except (UnreadableFileError, DataError):
        return {"placement_lost": True}
    was_assumed = np.allclose(geometry.drawn, case.geometry.drawn, atol=1e-6)
    return {} if was_assumed else {"geometry": geometry}
