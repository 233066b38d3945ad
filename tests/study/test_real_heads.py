"""Real slices and volumes are read exactly, in order, and quickly. Needs METSEG_DATA."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from metseg.events import drain
from metseg.study import ProblemKind, find_studies, inspect, load

pytestmark = pytest.mark.slow


def test_all_are_found_and_read_quickly(metseg_data: Path) -> None:
    start = time.process_time()
    inspection = drain(inspect(metseg_data / "lgg"))
    seconds = time.process_time() - start
    assert seconds < 30
    assert inspection.patients == 85 == sum(entry.is_dir() for entry in (metseg_data / "lgg").iterdir())
    assert inspection.slices == inspection.pairs == len(list((metseg_data / "lgg").glob("*/*_mask.tif")))
    assert inspection.sizes == {"256 x 256": inspection.slices}
    assert inspection.channels == {"3": inspection.slices}
    assert inspection.refused == ()
    assert all(study.lesion_slices > 0 and not study.gaps for study in inspection.studies)
    assert {finding.kind for finding in inspection.problems} == {ProblemKind.SEQUENCE}


def test_voxels_and_masks_are_those_of_tifffile(metseg_data: Path) -> None:
    for files in find_studies(metseg_data / "lgg")[::20]:
        [study] = load(files).studies
        for z, entry in enumerate(study.slices):
            assert entry.image.name == f"{study.name}_{z + 1}.tif"
            np.testing.assert_array_equal(np.moveaxis(study.voxels[:, z], 0, -1), tifffile.imread(entry.image))
            np.testing.assert_array_equal(study.mask[z], tifffile.imread(entry.mask) > 0)


def test_metastases_are_volumes_with_masks_and_visits_of_one_patient_belong_together(metseg_data: Path) -> None:
    found = find_studies(metseg_data / "mets")
    assert len(found) == 93
    assert len({files.patient for files in found}) == 73
    for files in found[::20]:
        [study] = load(files).studies
        [path] = {entry.image for entry in study.slices}
        np.testing.assert_array_equal(study.voxels[0], tifffile.imread(path))
        np.testing.assert_array_equal(study.mask, tifffile.imread(path.with_stem(f"{path.stem}_mask")) > 0)
