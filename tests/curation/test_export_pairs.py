"""What is exported reads back as it was, and nothing is replaced unasked."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metseg.curation import existing_pairs, export_pairs, exporting_pairs
from metseg.errors import DataError
from metseg.events import Finished, Progress
from metseg.study import TRIPLET, Geometry, Sequence, Study, find_studies, load, read_study


def _study(name: str = "head", *, channels: int = 3, z: int = 4, dtype: type = np.uint8, **fields: object) -> Study:
    rng = np.random.default_rng(3)
    voxels = rng.integers(0, np.iinfo(dtype).max, (channels, z, 20, 24), endpoint=True).astype(dtype)
    sequences = TRIPLET if channels == 3 else (Sequence.UNKNOWN,) * channels
    return Study(name, voxels, sequences, **fields)


def _mask(study: Study) -> np.ndarray:
    mask = np.zeros(study.shape, np.uint8)
    mask[:, 3:9, 5:12] = 1
    mask[0] = 0
    return mask


def _assert_same(read: Study, study: Study, mask: np.ndarray) -> None:
    np.testing.assert_array_equal(read.voxels, study.voxels)
    assert read.voxels.dtype == study.voxels.dtype
    assert read.sequences == study.sequences
    assert read.mask is not None
    np.testing.assert_array_equal(read.mask, mask > 0)
    assert read.geometry == study.geometry


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_study_without_files_reads_back_identically(tmp_path: Path, channels: int, dtype: type) -> None:
    study = _study(channels=channels, dtype=dtype, z=11, geometry=Geometry.spaced((5.0, 0.9, 0.8)))
    mask = _mask(study)
    written = export_pairs(study, mask, tmp_path)
    assert [path.name for path in written[:2]] == ["head_1.tif", "head_1_mask.tif"]
    (files,) = find_studies(tmp_path)
    loaded = load(files)
    assert not [problem for problem in loaded.problems if problem.refused]
    assert files.name == study.name
    _assert_same(loaded.studies[0], study, mask)


def test_masks_are_written_as_0_and_255_and_every_label_counts(tmp_path: Path) -> None:
    study = _study()
    labels = _mask(study).astype(np.int32) * 7
    written = export_pairs(study, labels, tmp_path)
    assert set(np.unique(tifffile.imread(written[3]))) == {0, 255}
    assert read_study(tmp_path / "head").mask.sum() == (labels > 0).sum()


def test_single_page_files_are_copied_byte_for_byte(tmp_path: Path) -> None:
    first = _study("patient", z=12)
    source = tmp_path / "source"
    for path in export_pairs(first, _mask(first), source):
        if path.stem.endswith("_3"):  # another encoding of the same pixels must survive as it is
            tifffile.imwrite(path, tifffile.imread(path), photometric="rgb", compression="lzw", software="somebody")
    study = read_study(source / "patient")
    written = export_pairs(study, study.mask, tmp_path / "out")
    for path in written[::2]:
        assert path.read_bytes() == (source / "patient" / path.name).read_bytes()
    _assert_same(read_study(tmp_path / "out" / "patient"), study, study.mask)


def test_a_source_that_changed_meanwhile_is_not_copied(tmp_path: Path) -> None:
    first = _study("patient")
    export_pairs(first, _mask(first), tmp_path / "source")
    study = read_study(tmp_path / "source")
    tifffile.imwrite(study.slices[1].image, np.zeros((20, 24, 3), np.uint8), photometric="rgb")
    study.slices[2].image.unlink()
    export_pairs(study, study.mask, tmp_path / "out")
    _assert_same(read_study(tmp_path / "out"), study, study.mask)


def test_a_multi_page_file_becomes_numbered_slices(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 4000, (13, 20, 24)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "scan.tif", stack, photometric="minisblack")
    study = read_study(tmp_path / "scan.tif")
    mask = _mask(study)
    export_pairs(study, mask, tmp_path / "out")
    _assert_same(read_study(tmp_path / "out"), study, mask)


def test_one_file_without_number_keeps_its_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "brain.tif", np.arange(480, dtype=np.uint16).reshape(20, 24))
    study = read_study(tmp_path / "brain.tif")
    written = export_pairs(study, np.ones(study.shape), tmp_path / "out")
    assert [path.name for path in written] == ["brain.tif", "brain_mask.tif"]
    _assert_same(read_study(tmp_path / "out"), study, np.ones(study.shape))


def test_chosen_slices_only_and_in_two_goes(tmp_path: Path) -> None:
    study = _study(geometry=Geometry.spaced((3.0, 1.0, 1.0)))
    mask = _mask(study)
    assert len(export_pairs(study, mask, tmp_path, z=[3, 1, 1])) == 4
    export_pairs(study, mask, tmp_path, z=[0, 2])
    _assert_same(read_study(tmp_path), study, mask)


def test_existing_files_are_replaced_only_when_asked(tmp_path: Path) -> None:
    study = _study()
    mask = _mask(study)
    written = export_pairs(study, mask, tmp_path)
    before = {path: path.read_bytes() for path in written}
    assert set(existing_pairs(study, tmp_path)) == set(written)
    assert set(existing_pairs(study, tmp_path, z=[1])) == set(written[2:4])
    with pytest.raises(DataError, match="exist already"):
        export_pairs(study, 1 - mask, tmp_path)
    assert {path: path.read_bytes() for path in written} == before
    export_pairs(study, 1 - mask, tmp_path, overwrite=True)
    _assert_same(read_study(tmp_path), study, 1 - mask)


def test_export_onto_its_own_source_replaces_only_masks(tmp_path: Path) -> None:
    first = _study("patient")
    export_pairs(first, _mask(first), tmp_path)
    study = read_study(tmp_path)
    images = {entry.image: entry.image.stat().st_mtime_ns for entry in study.slices}
    export_pairs(study, 1 - study.mask, tmp_path, overwrite=True)
    assert {path: path.stat().st_mtime_ns for path in images} == images
    np.testing.assert_array_equal(read_study(tmp_path).mask, 1 - study.mask)


def test_another_spelling_of_a_mask_in_the_folder_is_refused(tmp_path: Path) -> None:
    study = _study()
    (tmp_path / "head").mkdir()
    shutil.copy(export_pairs(study, _mask(study), tmp_path / "a")[1], tmp_path / "head" / "head_1_MASK.tiff")
    with pytest.raises(DataError, match="mixed up"):
        export_pairs(study, _mask(study), tmp_path)
    assert [path.name for path in (tmp_path / "head").iterdir()] == ["head_1_MASK.tiff"]


def test_a_contradicting_spacing_is_refused_and_replaced_when_asked(tmp_path: Path) -> None:
    export_pairs(_study(geometry=Geometry.spaced((5.0, 1.0, 1.0))), np.zeros((4, 20, 24)), tmp_path, z=[0])
    other = _study()
    with pytest.raises(DataError, match="spacing"):
        export_pairs(other, _mask(other), tmp_path, z=[1])
    export_pairs(other, _mask(other), tmp_path, overwrite=True)
    assert read_study(tmp_path).geometry.spacing is None


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "x:y*?", "...", "TCGA 12"])
def test_any_layer_name_gives_a_folder_that_is_found(tmp_path: Path, name: str) -> None:
    study = _study(name)
    out = tmp_path / "out"
    written = export_pairs(study, _mask(study), out)
    assert all(path.parent.parent == out for path in written)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    _assert_same(read_study(out), study, _mask(study))


def test_the_mask_is_there_before_its_image(tmp_path: Path) -> None:
    study = _study()
    for event in exporting_pairs(study, _mask(study), tmp_path):
        if isinstance(event, Progress):
            images = [path for path in tmp_path.rglob("*.tif") if not path.stem.endswith("_mask")]
            assert len(images) == event.done
            assert all(path.with_name(f"{path.stem}_mask.tif").exists() for path in images)
    assert isinstance(event, Finished)


@pytest.mark.parametrize(
    ("mask", "z", "said"),
    [
        (np.zeros((4, 20, 23)), None, "does not fit"),
        (np.zeros((4, 20, 24)), [], "no slice"),
        (np.zeros((4, 20, 24)), [4], "0 to 3"),
    ],
)
def test_what_cannot_be_exported_is_said_and_nothing_is_written(
    tmp_path: Path, mask: np.ndarray, z: list[int] | None, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        export_pairs(_study(), mask, tmp_path / "out", z=z)
    assert not (tmp_path / "out").exists()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    voxels=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.sampled_from([1, 3]), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)),
    ),
    data=st.data(),
)
def test_any_voxels_and_any_mask_survive(
    tmp_path_factory: pytest.TempPathFactory, voxels: np.ndarray, data: st.DataObject
) -> None:
    out = tmp_path_factory.mktemp("pairs")
    sequences = TRIPLET if len(voxels) == 3 else (Sequence.UNKNOWN,)
    mask = data.draw(hnp.arrays(np.uint8, voxels.shape[1:], elements=st.integers(0, 1)))
    study = Study("any", voxels, sequences)
    export_pairs(study, mask, out)
    _assert_same(read_study(out), study, mask)


def test_real_slices_come_back_bit_for_bit(metseg_data: Path, tmp_path: Path) -> None:
    folder = sorted(path for path in (metseg_data / "lgg").iterdir() if path.is_dir())[0]
    study = read_study(folder)
    written = export_pairs(study, study.mask, tmp_path)
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in written[::2])
    _assert_same(read_study(tmp_path), study, study.mask)


def test_a_long_name_is_shortened(tmp_path: Path) -> None:
    study = _study("ä" * 160)
    written = export_pairs(study, _mask(study), tmp_path / "out", z=[0, 1])
    assert len(written) == 4
    assert all(len(path.name.encode()) < 200 for path in written)
    assert len(written[0].parent.name.encode()) == 160
