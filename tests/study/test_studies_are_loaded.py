"""Found files become studies; a bad file is listed and never changes what is read of the others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError, UnreadableFileError
from metseg.study import (
    TRIPLET,
    LoadedStudies,
    Problem,
    ProblemKind,
    Sequence,
    find_studies,
    load,
    read_study,
    write_tiff,
)

SIZE = (6, 7)


def image(k: int, channels: int = 3, size: tuple[int, int] = SIZE, dtype: type = np.uint8) -> np.ndarray:
    pixels = np.random.default_rng(k).integers(1, 200, (*size, channels)).astype(dtype)
    return pixels if channels == 3 else pixels[..., 0]


def lesion(k: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    mask[1 : 2 + k % 3, 2:4] = 255
    return mask


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    """Five slices of three channels; masks on all but the second."""
    folder = tmp_path / "P"
    folder.mkdir()
    for k in range(1, 6):
        write_tiff(folder / f"P_{k}.tif", image(k))
        if k != 2:
            write_tiff(folder / f"P_{k}_mask.tif", lesion(k))
    return folder


def load_one(path: Path) -> LoadedStudies:
    [files] = find_studies(path)
    return load(files)


def refused(loaded: LoadedStudies) -> dict[str, Problem]:
    return {problem.path.name: problem for problem in loaded.problems if problem.refused}


def test_voxels_masks_and_sequences(patient: Path) -> None:
    [study] = load_one(patient).studies
    assert study.name == "P"
    assert study.sequences == TRIPLET
    assert study.voxels.shape == (3, 5, *SIZE)
    assert study.voxels.flags.c_contiguous
    assert study.geometry.spacing is None
    for z, entry in enumerate(study.slices):
        np.testing.assert_array_equal(study.voxels[:, z], np.moveaxis(image(z + 1), -1, 0))
        assert entry.image.name == f"P_{z + 1}.tif"
        assert (entry.mask is None) == (z == 1)
        np.testing.assert_array_equal(study.mask[z], lesion(z + 1) > 0 if z != 1 else np.zeros(SIZE))
    assert set(np.unique(study.mask)) == {0, 1}
    assert read_study(patient).slices == study.slices


def test_one_channel_is_of_unknown_sequence_and_16_bit_stays(tmp_path: Path) -> None:
    write_tiff(tmp_path / "scan.tif", image(1, 1, dtype=np.uint16) * 300)
    study = read_study(tmp_path / "scan.tif")
    assert study.sequences == (Sequence.UNKNOWN,)
    assert study.voxels.dtype == np.uint16
    assert study.mask is None
    assert study.name == "scan"
    np.testing.assert_array_equal(study.voxels[0, 0], image(1, 1, dtype=np.uint16) * 300)


def test_a_stack_with_its_mask_is_one_study(tmp_path: Path) -> None:
    stack = np.stack([image(k) for k in range(4)])
    masks = np.stack([lesion(k) for k in range(4)])
    write_tiff(tmp_path / "scan.tif", stack)
    write_tiff(tmp_path / "scan_mask.tif", masks)
    study = read_study(tmp_path)
    np.testing.assert_array_equal(study.voxels, np.moveaxis(stack, -1, 0))
    np.testing.assert_array_equal(study.mask, masks > 0)
    assert [entry.page for entry in study.slices] == [0, 1, 2, 3]
    assert {entry.mask for entry in study.slices} == {tmp_path / "scan_mask.tif"}


class TestABadImage:
    def test_is_listed_and_the_others_are_read(self, patient: Path) -> None:
        whole = (patient / "P_3.tif").read_bytes()
        (patient / "P_3.tif").write_bytes(whole[:-20])
        (patient / "P_5.tif").write_bytes(b"")
        loaded = load_one(patient)
        assert {name: problem.kind for name, problem in refused(loaded).items()} == {
            "P_3.tif": ProblemKind.UNREADABLE,
            "P_5.tif": ProblemKind.UNREADABLE,
        }
        [study] = loaded.studies
        assert [entry.image.name for entry in study.slices] == ["P_1.tif", "P_2.tif", "P_4.tif"]
        for z, k in enumerate((1, 2, 4)):
            np.testing.assert_array_equal(study.voxels[:, z], np.moveaxis(image(k), -1, 0))
            np.testing.assert_array_equal(study.mask[z], lesion(k) > 0 if k != 2 else np.zeros(SIZE))

    def test_that_shows_only_on_decoding_is_left_out_too(self, patient: Path) -> None:
        content = bytearray((patient / "P_2.tif").read_bytes())
        start = content.index(b"\x78")
        content[start + 5 : start + 40] = bytes(35)
        (patient / "P_2.tif").write_bytes(content)
        loaded = load_one(patient)
        assert "cannot be decoded" in refused(loaded)["P_2.tif"].reason
        [study] = loaded.studies
        assert study.shape == (4, *SIZE)
        np.testing.assert_array_equal(study.voxels[:, 1], np.moveaxis(image(3), -1, 0))
        np.testing.assert_array_equal(study.mask[1], lesion(3) > 0)

    def test_stops_read_study(self, patient: Path) -> None:
        (patient / "P_3.tif").write_bytes(b"")
        with pytest.raises(UnreadableFileError, match=r"P_3\.tif: the file is empty") as caught:
            read_study(patient)
        assert caught.value.path == patient / "P_3.tif"

    def test_alone_leaves_no_study(self, tmp_path: Path) -> None:
        (tmp_path / "a.tif").write_bytes(b"not an image")
        loaded = load_one(tmp_path)
        assert loaded.studies == ()
        assert refused(loaded)["a.tif"].reason == "not a TIFF file"


class TestABadMask:
    @pytest.mark.parametrize(
        ("pixels", "reason"),
        [
            (np.zeros((6, 8), np.uint8), "the mask is 6 x 8 but its image P_3.tif is 6 x 7"),
            (np.zeros((2, 6, 7), np.uint8), "the mask is 2 slices of 6 x 7 but its image P_3.tif is 6 x 7"),
            (image(3), "a mask has one channel, this file has 3"),
            (np.arange(42, dtype=np.uint8).reshape(6, 7), "not a mask: it has 42 distinct values"),
            (np.arange(42, dtype=np.uint16).reshape(6, 7) * 999, "not a mask: it has 42 distinct values"),
        ],
    )
    def test_leaves_its_slice_without_mask(self, patient: Path, pixels: np.ndarray, reason: str) -> None:
        write_tiff(patient / "P_3_mask.tif", pixels)
        loaded = load_one(patient)
        problem = refused(loaded)["P_3_mask.tif"]
        assert problem.kind is ProblemKind.MASK
        assert reason in problem.reason
        [study] = loaded.studies
        assert study.shape == (5, *SIZE)
        assert [entry.mask is not None for entry in study.slices] == [True, False, False, True, True]
        assert study.mask[2].sum() == 0
        np.testing.assert_array_equal(study.mask[3], lesion(4) > 0)
        with pytest.raises(UnreadableFileError, match=r"P_3_mask\.tif"):
            read_study(patient)

    def test_that_is_the_only_one_leaves_the_study_without_masks(self, tmp_path: Path) -> None:
        write_tiff(tmp_path / "a.tif", image(1))
        (tmp_path / "a_mask.tif").write_bytes(b"")
        [study] = load_one(tmp_path).studies
        assert study.mask is None
        assert study.slices[0].mask is None

    @pytest.mark.parametrize("value", [1, 7, 255, 65535])
    def test_is_not_one_with_another_value_for_lesion(self, tmp_path: Path, value: int) -> None:
        write_tiff(tmp_path / "a.tif", image(1))
        write_tiff(tmp_path / "a_mask.tif", (lesion(1) > 0).astype(np.uint16) * np.uint16(value))
        np.testing.assert_array_equal(read_study(tmp_path).mask[0], lesion(1) > 0)


def test_slices_of_another_kind_become_a_study_of_their_own(patient: Path) -> None:
    write_tiff(patient / "P_2.tif", image(2, size=(8, 8)))
    write_tiff(patient / "P_4.tif", image(4, 1))
    loaded = load_one(patient)
    assert not any(problem.refused for problem in loaded.problems if problem.kind is not ProblemKind.MASK)
    assert [(study.name, study.voxels.shape) for study in loaded.studies] == [
        ("P", (3, 3, *SIZE)),
        ("P", (3, 1, 8, 8)),
        ("P", (1, 1, *SIZE)),
    ]
    kinds = {problem.path.name: problem.reason for problem in loaded.problems if problem.kind is ProblemKind.FORMAT}
    assert kinds["P_2.tif"] == (
        "is 8 x 8, 3 channels, 8 bit, unlike most slices of its study (6 x 7, 3 channels, 8 bit); "
        "read as a study of its own"
    )
    assert set(kinds) == {"P_2.tif", "P_4.tif"}
    with pytest.raises(DataError, match="not of one kind"):
        read_study(patient)


def test_flair_in_the_place_of_another_sequence_is_reported_and_kept(tmp_path: Path) -> None:
    for k in range(3):
        pixels = image(k)
        pixels[..., 2] = pixels[..., 1]
        write_tiff(tmp_path / f"a_{k}.tif", pixels)
    loaded = load_one(tmp_path)
    [problem] = loaded.problems
    assert problem.reason == "post-contrast is missing: FLAIR stands in its place"
    assert problem.kind is ProblemKind.SEQUENCE
    assert not problem.refused
    np.testing.assert_array_equal(loaded.studies[0].voxels[2], loaded.studies[0].voxels[1])
    write_tiff(tmp_path / "a_1.tif", image(1))
    assert load_one(tmp_path).problems == ()


def test_read_study_wants_exactly_one(tmp_path: Path) -> None:
    for name in "AB":
        write_tiff(tmp_path / f"{name}.tif", image(1))
    with pytest.raises(DataError, match=r"holds 2 studies \(A, B\); choose one"):
        read_study(tmp_path)


class TestSpacing:
    def test_of_sidecars_is_known(self, tmp_path: Path) -> None:
        for k in range(3):
            write_tiff(tmp_path / f"a_{k}.tif", image(k), spacing=(5.5, 1, 0.9))
        assert read_study(tmp_path).geometry.spacing == (5.5, 1.0, 0.9)

    def test_of_one_sidecar_for_the_whole_series_is_known(self, patient: Path) -> None:
        (patient / "P.json").write_text(json.dumps({"spacing": [2, 1, 1]}))
        [study] = load_one(patient).studies
        assert study.geometry.spacing == (2.0, 1.0, 1.0)

    def test_that_two_sidecars_state_differently_is_not_known(self, tmp_path: Path) -> None:
        for k in range(3):
            write_tiff(tmp_path / f"a_{k}.tif", image(k), spacing=(5, 1, 1 + k // 2))
        loaded = load_one(tmp_path)
        assert loaded.studies[0].geometry.spacing is None
        assert [problem.reason for problem in loaded.problems] == [
            "states another spacing than a_2.json; the spacing is not known"
        ]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ('{"spacing": [1, 1]}', "gives no distance between slices"),
            ('{"spacing": [1, 1, -1]}', "spacing must be three lengths"),
            ('{"spacing": [1, 1, NaN]}', "spacing must be three lengths"),
            ('{"spacing": [1, 1, true]}', "spacing must be three lengths"),
            ('{"spacing": [1, 1, 1' + "0" * 400 + "]}", "spacing must be three lengths"),
            ('{"spacing": "1 1 1"}', "spacing must be three lengths"),
            ('{"spacing": [1', "not valid JSON"),
            ("[" * 60_000, "not valid JSON"),
            ("\xff\xfe", "not valid JSON"),
            (" " * 70_000, "too long for a spacing"),
        ],
        ids=range(10),
    )
    def test_that_cannot_be_used_is_a_remark(self, tmp_path: Path, content: str, reason: str) -> None:
        write_tiff(tmp_path / "a.tif", image(1))
        (tmp_path / "a.json").write_bytes(content.encode("latin-1"))
        loaded = load_one(tmp_path)
        assert loaded.studies[0].geometry.spacing is None
        [problem] = loaded.problems
        assert reason in problem.reason
        assert problem.kind is ProblemKind.SPACING
        assert not problem.refused

    @pytest.mark.parametrize("content", ["{}", "[]", '{"EchoTime": 0.1}'])
    def test_is_not_looked_for_in_a_sidecar_about_something_else(self, tmp_path: Path, content: str) -> None:
        write_tiff(tmp_path / "a.tif", image(1))
        (tmp_path / "a.json").write_text(content)
        assert load_one(tmp_path).problems == ()
