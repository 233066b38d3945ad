"""Volumes and pictures keep their numbers, and their masks are read as TIFF masks are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from metseg.study import Geometry, Problem, ProblemKind, Sequence, Study, find_studies, load
from metseg.study.formats import header_of, mask_volume, read_voxels
from metseg.study.mask_files import mask_header, read_mask
from metseg.study.masks import labels_of

SIZE = (4, 40, 48)
AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])


def lesion() -> npt.NDArray[np.bool_]:
    mask = np.zeros(SIZE, bool)
    mask[1:3, 10:20, 12:26] = True
    return mask


def nifti(path: Path, voxels: npt.NDArray[Any], codes: str = "LPS") -> None:
    image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), AFFINE, dtype=voxels.dtype)
    wanted = nibabel.orientations.axcodes2ornt(codes)
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(AFFINE), wanted)
    turned = image.as_reoriented(turn)
    nibabel.save(nibabel.Nifti1Image(np.asarray(turned.dataobj), turned.affine, dtype=voxels.dtype), path)


def one(folder: Path) -> tuple[Study, tuple[Problem, ...]]:
    [files] = find_studies(folder)
    loaded = load(files)
    [study] = loaded.studies
    return study, loaded.problems


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64", "uint8", "uint32"])
def test_no_number_is_stretched(tmp_path: Path, dtype: str) -> None:
    top = 250 if dtype == "uint8" else 30_000
    values = np.random.default_rng(0).uniform(0 if dtype[0] == "u" else -1000, top, SIZE).astype(dtype)
    nifti(tmp_path / "P.nii.gz", values)
    study, problems = one(tmp_path)
    assert study.voxels.dtype == dtype
    np.testing.assert_array_equal(study.voxels[0], values)
    assert not [problem for problem in problems if problem.kind is ProblemKind.FORMAT]


def test_what_is_no_number_becomes_the_lowest_of_its_own_sequence(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
    broken = values.copy()
    broken[0, 0, 0], broken[1, 1, 1] = np.nan, np.inf
    nifti(tmp_path / "P_flair.nii.gz", broken)
    nifti(tmp_path / "P_t1c.nii.gz", values + 100)
    study, problems = one(tmp_path)
    flair = study.voxels[study.sequences.index(Sequence.FLAIR)]
    assert flair[0, 0, 0] == flair[1, 1, 1] == values.min()
    assert study.voxels[study.sequences.index(Sequence.POST)].min() == (values + 100).min()
    assert ["2 voxels without a finite value" in problem.reason for problem in problems].count(True) == 1


def test_a_volume_without_any_number_is_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "P.nii.gz", np.full(SIZE, np.nan, np.float32))
    loaded = load(find_studies(tmp_path)[0])
    assert not loaded.studies
    assert "no finite value" in next(problem for problem in loaded.problems if problem.refused).reason


def blurred(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    return ndimage.uniform_filter(mask.astype(np.float32), (1, 2, 2))


MASKS: dict[str, tuple[Callable[[npt.NDArray[np.bool_]], npt.NDArray[Any]], str]] = {
    "0 and 1": (lambda mask: mask.astype(np.uint8), ""),
    "0 and 255": (lambda mask: mask.astype(np.int16) * 255, ""),
    "labels as floats": (lambda mask: mask * (1.0 + np.arange(SIZE[2]) % 3), ""),
    "background 1, lesion 2": (lambda mask: mask.astype(np.uint8) + 1, "has no 0"),
    "grey at its edges": (blurred, "grey at its edges"),
    "inverted": (lambda mask: (~mask).astype(np.uint8), "nearly everything is lesion"),
    "not a number": (lambda mask: np.where(mask, 1.0, np.nan), "taken for background"),
}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("codes", ["LPS", "PIR"])
def test_masks_in_volumes_are_read_as_in_tiff(tmp_path: Path, kind: str, codes: str) -> None:
    write, said = MASKS[kind]
    nifti(tmp_path / "P.nii.gz", np.ones(SIZE, np.int16))
    nifti(tmp_path / "P_mask.nii.gz", write(lesion()), codes)
    study, problems = one(tmp_path)
    expected = ~lesion() if kind == "inverted" else blurred(lesion()) > 0.5 if "grey" in kind else lesion()
    assert study.mask is not None
    np.testing.assert_array_equal(study.mask, expected)
    assert all(entry.mask is not None for entry in study.slices)
    assert [
        problem.reason for problem in problems if problem.kind is ProblemKind.MASK and said not in problem.reason
    ] == []
    assert any(problem.kind is ProblemKind.MASK for problem in problems) == bool(said)


def test_a_picture_is_no_mask(tmp_path: Path) -> None:
    nifti(tmp_path / "P.nii.gz", np.ones(SIZE, np.int16))
    nifti(tmp_path / "P_mask.nii.gz", np.linspace(0, 1, np.prod(SIZE)).reshape(SIZE))
    loaded = load(find_studies(tmp_path)[0])
    assert loaded.studies[0].mask is None
    assert ["not a mask" in problem.reason for problem in loaded.problems if problem.refused] == [True]


@pytest.mark.parametrize(("mode", "ending"), [("L", "png"), ("RGB", "png"), ("1", "png"), ("P", "png"), ("L", "jpg")])
def test_masks_in_pictures_are_read_as_in_tiff(tmp_path: Path, mode: str, ending: str) -> None:
    for number in (1, 2):
        pixels = np.full(SIZE[1:], 40 + number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"P_{number}.{ending}")
        mask = Image.fromarray(lesion()[number] * np.uint8(255)).convert(mode)
        mask.save(tmp_path / f"P_{number}_mask.{ending}", **({"quality": 60} if ending == "jpg" else {}))
    study, problems = one(tmp_path)
    assert study.mask is not None
    np.testing.assert_array_equal(study.mask, lesion()[1:3])
    assert all(not problem.refused for problem in problems)


def test_pictures_of_one_sequence_each_are_channels(tmp_path: Path) -> None:
    for number in (1, 2):
        for place, name in enumerate(("flair", "t1ce")):
            pixels = np.full(SIZE[1:], 100 * place + number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"P_{number}_{name}.png")
    study, _ = one(tmp_path)
    assert study.shape == (2, *SIZE[1:])
    values = {sequence: study.voxels[place, :, 0, 0].tolist() for place, sequence in enumerate(study.sequences)}
    assert values == {Sequence.FLAIR: [1, 2], Sequence.POST: [101, 102]}


@pytest.mark.parametrize("dtype", ["float16", "bool", "float64", "int64"])
def test_any_type_is_written_as_nifti(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).uniform(-3, 3, SIZE).astype(dtype)
    (tmp_path / "a.nii").write_bytes(mask_volume(values, Geometry.spaced((3, 1, 1))))
    np.testing.assert_array_equal(read_voxels(header_of(tmp_path / "a.nii"))[0], values)


def test_labels_that_were_saved_as_floats_keep_their_numbers(tmp_path: Path) -> None:
    labels = lesion() * (1.0 + np.arange(SIZE[2]) % 3)
    nifti(tmp_path / "P_seg.nii.gz", labels)
    found, problems = labels_of(read_mask(mask_header(tmp_path / "P_seg.nii.gz")))
    np.testing.assert_array_equal(found, labels)
    assert found.dtype.kind == "i"
    assert not problems


def at(path: Path, voxels: npt.NDArray[Any], affine: npt.NDArray[Any]) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine, dtype=voxels.dtype), path)


FINE = np.diag([-0.5, -0.5, 1.5, 1.0])


def fine(volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Each voxel as eight, whose first has the same centre."""
    return volume.repeat(2, 0).repeat(2, 1).repeat(2, 2)


def test_all_sequences_are_brought_to_the_grid_that_the_mask_is_drawn_on(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1, 900, SIZE).astype(np.int16)
    at(tmp_path / "P_flair.nii.gz", values, AFFINE)
    at(tmp_path / "P_t1c.nii.gz", fine(values), FINE)
    study, problems = one(tmp_path)
    assert study.shape == SIZE
    at(tmp_path / "P_seg.nii.gz", fine(lesion().astype(np.uint8)), FINE)
    study, problems = one(tmp_path)
    assert study.mask is not None
    np.testing.assert_array_equal(study.mask, fine(lesion()))
    np.testing.assert_array_equal(study.voxels[study.sequences.index(Sequence.POST)], fine(values))
    [said] = [problem.reason for problem in problems]
    assert said.startswith("lies on other voxels than P_t1c.nii.gz: interpolated there by its place")


def test_a_mask_on_voxels_of_its_own_is_taken_to_its_place_with_a_remark(tmp_path: Path) -> None:
    at(tmp_path / "P_flair.nii.gz", np.random.default_rng(0).integers(1, 900, SIZE).astype(np.int16), AFFINE)
    at(tmp_path / "P_seg.nii.gz", fine(lesion().astype(np.uint8)), FINE)
    study, problems = one(tmp_path)
    assert study.mask is not None
    np.testing.assert_array_equal(study.mask, lesion())
    assert study.slices[0].mask == tmp_path / "P_seg.nii.gz"
    [said] = problems
    assert (said.refused, said.kind) == (False, ProblemKind.MASK)
    assert "taken there by its place" in said.reason


def test_a_mask_that_lies_elsewhere_in_the_patient_is_refused(tmp_path: Path) -> None:
    away = AFFINE.copy()
    away[:3, 3] = 1000
    at(tmp_path / "P_flair.nii.gz", np.random.default_rng(0).integers(1, 900, SIZE).astype(np.int16), AFFINE)
    at(tmp_path / "P_seg.nii.gz", lesion().astype(np.uint8), away)
    study, problems = one(tmp_path)
    assert study.mask is None
    assert study.slices[0].mask is None
    [said] = problems
    assert said.refused
    assert "does not lie on the voxels" in said.reason
