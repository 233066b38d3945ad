"""COCO: slices as TIFF, lesions as run-length encoded masks, one list of annotations for each side of the split.

See "Data format" on cocodataset.org (Lin et al. 2014, doi 10.1007/978-3-319-10602-1_48). The encoding is pycocotools'.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.curation.changes import Labels
from metseg.curation.documents import write_json
from metseg.curation.export.as_pairs import PairsLayout
from metseg.curation.export.manifest import ExportedCase, FileRole, SplitRule, Subset, labels_from_runs
from metseg.curation.export.workspace import StagedFile
from metseg.study import Study, read_study

_IMAGES = "images"
_LESION = 1


class CocoLayout(PairsLayout):
    """Slices as in the pairs, below ``images``; masks in ``annotations``."""

    packages = ("pycocotools",)

    def write_case(
        self, case: ExportedCase, study: Study, labels: Labels, folder: Path
    ) -> Generator[str, None, list[StagedFile]]:
        """Make the images, and the spacing if it is known."""
        made = yield from super().write_case(case, study, labels, folder / _IMAGES)
        return [replace(entry, path=f"{_IMAGES}/{entry.path}") for entry in made if entry.role is not FileRole.MASK]

    def write_dataset(
        self, cases: Sequence[ExportedCase], rule: SplitRule, licence: str, folder: Path
    ) -> list[StagedFile]:
        """Make ``annotations/train.json`` and ``annotations/held_out.json``."""
        made = []
        for side in Subset:
            path = f"annotations/{side}.json"
            write_json(folder / path, _annotations([case for case in cases if case.side is side], licence))
            made.append(StagedFile(path, FileRole.MASK))
        return made

    def read_study(self, case: ExportedCase, out: Path, images: Path) -> Study:
        """The images as they are in the export."""
        return replace(read_study(out / _IMAGES / case.stem), name=case.name, mask=None)


def _annotations(cases: Sequence[ExportedCase], licence: str) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for case in cases:
        labels = labels_from_runs(case.lesions, case.shape)
        origins = {lesion.id: str(lesion.origin) for lesion in case.lesions}
        for file in case.images:
            z = file.z or 0
            image = {
                "id": len(images) + 1,
                "file_name": file.path.removeprefix(f"{_IMAGES}/"),
                "height": case.shape[1],
                "width": case.shape[2],
                "license": 1,
                "case": case.name,
                "patient": case.patient,
                "z": z,
            }
            images.append(image)
            for label in np.unique(labels[z][labels[z] > 0]).tolist():
                one = {"id": len(annotations) + 1, "image_id": image["id"], **_annotation(labels[z] == label)}
                annotations.append({**one, "lesion": label, "algorithm_type": origins[label]})
    return {
        "info": {"description": "Lesion masks checked by a person"},
        "licenses": [{"id": 1, "name": licence or "unknown", "url": ""}],
        "categories": [{"id": _LESION, "name": "lesion", "supercategory": "finding"}],
        "images": images,
        "annotations": annotations,
    }


def _annotation(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    from pycocotools import mask as coco  # type: ignore[import-untyped]

    encoded = coco.encode(np.asfortranarray(mask, np.uint8))
    return {
        "category_id": _LESION,
        "iscrowd": 0,
        "area": int(coco.area(encoded)),
        "bbox": [float(value) for value in coco.toBbox(encoded)],
        "segmentation": {"size": list(map(int, encoded["size"])), "counts": encoded["counts"].decode("ascii")},
    }
