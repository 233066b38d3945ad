"""nnU-Net v2: ``imagesTr``, ``labelsTr``, ``dataset.json``, ``splits_final.json``.

See "dataset_format.md" and "manual_data_splits.md" in the documentation of nnU-Net (Isensee et al. 2021,
doi 10.1038/s41592-020-01008-z). Who is held out is in ``imagesTs`` and ``labelsTs``, which nnU-Net does not train on.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from metseg.curation.changes import Labels
from metseg.curation.documents import write_json
from metseg.curation.export.layout import LayoutWriter
from metseg.curation.export.manifest import ExportedCase, FileRole, SplitRule, Subset
from metseg.curation.export.splitting import folds_of
from metseg.curation.export.volumes import check_placement, unknown_spacing_remark, write_volume
from metseg.curation.export.workspace import StagedFile
from metseg.errors import DataError
from metseg.study import Study

ENDING = ".nii.gz"

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_FOLDER_NAME = re.compile(r"Dataset[0-9]{3}_.+")
_PART = {Subset.TRAIN: "Tr", Subset.HELD_OUT: "Ts"}
_FOLDS = 5


class NnunetLayout(LayoutWriter):
    """A dataset folder for ``nnUNet_raw``."""

    def stem(self, name: str) -> str:
        """``name`` as a case identifier."""
        return _UNSAFE.sub("-", name).strip("-_")

    def remarks(self, cases: Sequence[ExportedCase], out: Path) -> list[str]:
        """The folder's name, unknown spacing, and too few patients; all cases must have the same channels."""
        check_placement(cases)
        usual = cases[0].sequences
        for case in cases:
            if case.sequences != usual:
                raise DataError(
                    f"{case.name} has the channels {', '.join(case.sequences)}, {cases[0].name} has "
                    f"{', '.join(usual)}; nnU-Net needs the same in all: export them apart (--case)"
                )
        remarks = unknown_spacing_remark([case.name for case in cases if case.spacing is None], "nnU-Net")
        if not _FOLDER_NAME.fullmatch(out.name):
            remarks.append(f"nnU-Net finds a data set by its folder's name, Dataset123_Name; rename {out.name}.")
        if len({case.patient for case in cases if case.side is Subset.TRAIN}) < 2:
            remarks.append("There is one patient to train on: no splits_final.json, which needs two, is written.")
        return remarks

    def write_case(
        self, case: ExportedCase, study: Study, labels: Labels, folder: Path
    ) -> Generator[str, None, list[StagedFile]]:
        """Make a volume for each channel, and one of 0 and 1."""
        part = _PART[case.side]
        mask = f"labels{part}/{case.stem}{ENDING}"
        yield mask
        write_volume(folder / mask, (labels > 0).astype(np.uint8), case.geometry)
        made = [StagedFile(mask, FileRole.MASK)]
        for channel, voxels in enumerate(study.voxels):
            image = f"images{part}/{case.stem}_{channel:04d}{ENDING}"
            yield image
            write_volume(folder / image, voxels, case.geometry)
            made.append(StagedFile(image, FileRole.IMAGE))
        return made

    def write_dataset(
        self, cases: Sequence[ExportedCase], rule: SplitRule, licence: str, folder: Path
    ) -> list[StagedFile]:
        """Make ``dataset.json``, and ``splits_final.json`` for cross-validation by patient."""
        training = [case for case in cases if case.side is Subset.TRAIN]
        content = {
            "channel_names": {str(number): str(sequence) for number, sequence in enumerate(cases[0].sequences)},
            "labels": {"background": 0, "lesion": 1},
            "numTraining": len(training),
            "file_ending": ENDING,
            "licence": licence or "unknown",
            "spacing_unknown": [case.stem for case in cases if case.spacing is None],
        }
        write_json(folder / "dataset.json", content)
        made = [StagedFile("dataset.json", FileRole.ABOUT)]
        if folds := _folds(training, rule.seed):
            write_json(folder / "splits_final.json", folds)
            made.append(StagedFile("splits_final.json", FileRole.ABOUT))
        return made


def _folds(training: Sequence[ExportedCase], seed: int) -> list[dict[str, list[str]]]:
    parts = folds_of([case.patient for case in training], _FOLDS, seed)
    if len(parts) < 2:
        return []
    return [
        {
            "train": [case.stem for case in training if case.patient not in part],
            "val": [case.stem for case in training if case.patient in part],
        }
        for part in parts
    ]
