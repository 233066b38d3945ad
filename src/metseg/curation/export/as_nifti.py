"""NIfTI volumes with names and sidecars in the manner of BIDS derivatives.

See "Imaging data types" under "Derivatives" in the Brain Imaging Data Structure, version 1.10 (Gorgolewski et al. 2016,
doi 10.1038/sdata.2016.44). ``label-L`` is its abbreviation for lesions.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metseg.curation.changes import Labels
from metseg.curation.documents import write_json
from metseg.curation.export.layout import LayoutWriter
from metseg.curation.export.manifest import ExportedCase, FileRole, SplitRule
from metseg.curation.export.volumes import (
    check_placement,
    unknown_spacing_remark,
    write_volume,
)
from metseg.curation.export.workspace import StagedFile
from metseg.curation.record import software
from metseg.study import Sequence as MrSequence
from metseg.study import Study, write_text

_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9]+")
_ORIENTATION = "not stated by the source; slices taken as axial, radiological, the lowest first"
_SUFFIXES = {
    MrSequence.PRE: "T1w",
    MrSequence.FLAIR: "FLAIR",
    MrSequence.POST: "ce-unknown_T1w",
    MrSequence.T2: "T2w",
    MrSequence.OTHER: "acq-other_MR",
    MrSequence.UNKNOWN: "acq-unknown_MR",
}


class NiftiLayout(LayoutWriter):
    """A BIDS-like derivative data set."""

    def stem(self, name: str) -> str:
        """``name`` as the label of a subject: letters and digits."""
        return _NOT_ALLOWED.sub("", name)

    def remarks(self, cases: Sequence[ExportedCase], out: Path) -> list[str]:
        """Unknown spacing."""
        check_placement(cases)
        return unknown_spacing_remark([case.name for case in cases if case.spacing is None], "most software")

    def write_case(
        self, case: ExportedCase, study: Study, labels: Labels, folder: Path
    ) -> Generator[str, None, list[StagedFile]]:
        """Make a volume for each channel, the mask (0 and 1) and the lesions (their ids), each with its sidecar."""
        subject = f"sub-{case.stem}"
        images = [f"{subject}_{suffix}" for suffix in _suffixes(case.sequences)]
        sources = [f"bids::{subject}/anat/{image}.nii.gz" for image in images]
        lesion = {**_geometry(case), **_about_mask(case), "Sources": sources}
        volumes: list[tuple[str, FileRole, Any, dict[str, Any]]] = [
            (f"{subject}_space-orig_label-L_mask", FileRole.MASK, (labels > 0).astype(np.uint8), lesion),
            (f"{subject}_space-orig_seg-lesions_dseg", FileRole.MASK, labels, lesion),
        ]
        for name, sequence, voxels in zip(images, case.sequences, study.voxels, strict=True):
            volumes.append((name, FileRole.IMAGE, voxels, {**_geometry(case), "MRSequence": str(sequence)}))
        made = []
        for name, role, voxels, about in volumes:
            path = f"{subject}/anat/{name}"
            yield name
            write_json(folder / f"{path}.json", about)
            write_volume(folder / f"{path}.nii.gz", voxels, case.geometry)
            made += [StagedFile(f"{path}.json", FileRole.ABOUT), StagedFile(f"{path}.nii.gz", role)]
        table = f"{subject}/anat/{subject}_space-orig_seg-lesions_dseg.tsv"
        rows = [f"{lesion.id}\tlesion {lesion.id}" for lesion in case.lesions]
        write_text(folder / table, "\n".join(["index\tname", "0\tbackground", *rows]) + "\n")
        return [*made, StagedFile(table, FileRole.ABOUT)]

    def write_dataset(
        self, cases: Sequence[ExportedCase], rule: SplitRule, licence: str, folder: Path
    ) -> list[StagedFile]:
        """Make ``dataset_description.json`` and ``participants.tsv``."""
        name, version = software().split(" ", 1)
        description = {
            "Name": "Lesion masks checked by a person",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": licence or "unknown",
            "GeneratedBy": [{"Name": name, "Version": version}],
        }
        write_json(folder / "dataset_description.json", description)
        rows = [f"sub-{case.stem}\t{case.name}\t{case.patient}\t{case.side}" for case in cases]
        write_text(folder / "participants.tsv", "\n".join(["participant_id\tcase\tpatient\tsplit", *rows]) + "\n")
        return [StagedFile("dataset_description.json", FileRole.ABOUT), StagedFile("participants.tsv", FileRole.ABOUT)]


def _suffixes(sequences: Sequence[MrSequence]) -> list[str]:
    """How the names of the channels end; sequences that are there twice are counted."""
    ends = []
    for place, sequence in enumerate(sequences):
        *entities, suffix = _SUFFIXES[sequence].split("_")
        if sequences.count(sequence) > 1:
            entities.append(f"run-{sequences[: place + 1].count(sequence)}")
        ends.append("_".join([*entities, suffix]))
    return ends


def _geometry(case: ExportedCase) -> dict[str, Any]:
    orientation = {"Orientation": case.geometry.orientation or _ORIENTATION}
    if case.spacing is None:
        return {"VoxelSpacing": "unknown", **orientation}
    return {"VoxelSpacing": list(reversed(case.spacing)), "VoxelSpacingUnits": "mm", **orientation}


def _about_mask(case: ExportedCase) -> dict[str, Any]:
    return {
        "Type": "Lesion",
        "SpatialReference": "orig",
        "Status": str(case.status),
        "Manual": bool(case.statistics.annotators),
        "SegmentAlgorithmType": {str(lesion.id): str(lesion.origin) for lesion in case.lesions},
        "Model": case.model.provenance.model if case.model else None,
        "Target": str(case.model.provenance.target) if case.model else None,
        "ModelWeightsSha256": case.model.provenance.weights_sha256 if case.model else None,
        "Software": case.software,
    }
