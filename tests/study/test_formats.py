"""One head, however it is stored, has the same voxels at the same place."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.encaps import encapsulate

from metseg.errors import TooLargeError, UnreadableFileError, UnsupportedFileError
from metseg.study import Known, ProblemKind, Sequence, Study
from metseg.study.formats import Header, find_images, header_of, mask_volume, read_voxels, stem_of, suffix_of

KINDS = [f"NIfTI {codes}" for codes in ("LPS", "RAS", "ASL", "PIR", "SAL", "IPR", "int16", "float32")]
KINDS += ["NIfTI-2", "NRRD", "MetaImage", "DICOM"]

Saved = dict[str, Path]


@pytest.fixture(scope="module")
def saved(one_head: Saved) -> Saved:
    return one_head


def only(path: Path) -> Header:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = find_images(files)
    assert not found.problems
    assert len(found.images) == 1
    return found.images[0]


@pytest.mark.parametrize("kind", KINDS)
def test_voxels_and_place_are_the_same(
    saved: Saved, flair: npt.NDArray[np.uint16], oblique: npt.NDArray[np.float64], kind: str
) -> None:
    header = only(saved[kind])
    voxels = read_voxels(header)
    assert voxels.shape == header.shape == (1, *flair.shape)
    assert voxels.dtype == header.dtype
    assert np.array_equal(voxels[0], flair)
    assert header.geometry.orientation == "LPS"
    assert np.allclose(header.geometry.affine, oblique, atol=1e-4)
    assert not header.problems


@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_lies_on_the_source_as_simpleitk_reads_both(
    saved: Saved, head: Study, tmp_path: Path, kind: str
) -> None:
    header = only(saved[kind])
    assert head.mask is not None
    (tmp_path / "mask.nii").write_bytes(mask_volume(head.mask, header.geometry, header.stored))
    if kind == "NIfTI-2":  # which SimpleITK does not read
        source, answer = nibabel.load(saved[kind]), nibabel.load(tmp_path / "mask.nii")
        assert np.array_equal(source.affine, answer.affine)
        assert answer.header["sform_code"] == 1
        return
    answer = sitk.ReadImage(str(tmp_path / "mask.nii"))
    if kind == "DICOM":
        series = sitk.ImageSeriesReader()
        series.SetFileNames(series.GetGDCMSeriesFileNames(str(saved[kind])))
        source = series.Execute()
    else:
        source = sitk.ReadImage(str(saved[kind]))
    assert answer.GetSize() == source.GetSize()
    for corner in ((0, 0, 0), tuple(size - 1 for size in source.GetSize())):
        here, there = (image.TransformIndexToPhysicalPoint(corner) for image in (source, answer))
        assert np.allclose(here, there, atol=1e-3)
    inside = sitk.GetArrayFromImage(answer) > 0
    assert inside.sum() == np.count_nonzero(head.mask)
    assert np.array_equal(
        np.sort(sitk.GetArrayFromImage(source)[inside]), np.sort(read_voxels(header)[0][head.mask > 0])
    )


def test_names_are_told_from_their_endings() -> None:
    assert (stem_of("P_1.nii.gz"), suffix_of("P_1.NII.GZ")) == ("P_1", ".NII.GZ")
    assert (stem_of("a.b.tif"), stem_of("IM0001"), suffix_of(".nii.gz")) == ("a.b", "IM0001", "")


def test_dicom_headers_say_what_it_is(saved: Saved) -> None:
    header = only(saved["DICOM"])
    assert header.sequences == (Sequence.FLAIR,)
    assert header.acquisition.patient == "P1"
    assert header.acquisition.date == "20200102"
    assert [header.files[file].name for file, _ in header.pages] == [path.name for path in header.files]


SYNTAXES = {
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "RLE": "1.2.840.10008.1.2.5",
}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_compressed_dicom_is_read(saved: Saved, flair: npt.NDArray[np.uint16], tmp_path: Path, syntax: str) -> None:
    import imagecodecs

    encoders: dict[str, Callable[[Any], bytes]] = {
        "JPEG lossless": lambda plane: bytes(imagecodecs.ljpeg_encode(plane, bitspersample=16)),
        "JPEG-LS": lambda plane: bytes(imagecodecs.jpegls_encode(plane)),
        "JPEG 2000": lambda plane: bytes(imagecodecs.jpeg2k_encode(plane, level=0, codecformat="j2k")),
    }
    for path in saved["DICOM"].iterdir():
        data = pydicom.dcmread(path)
        if syntax == "RLE":
            data.compress(SYNTAXES[syntax])
        else:
            data.PixelData = encapsulate([encoders[syntax](data.pixel_array)])
            data["PixelData"].VR = "OB"
            data["PixelData"].is_undefined_length = True
            data.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
        data.save_as(tmp_path / path.name)
    assert np.array_equal(read_voxels(only(tmp_path))[0], flair)


def changed(saved: Saved, folder: Path, change: Callable[[Any], None]) -> Path:
    """The DICOM series with something changed in each file."""
    for path in sorted(saved["DICOM"].iterdir()):
        data = pydicom.dcmread(path)
        change(data)
        data.save_as(folder / path.name)
    return folder


def test_missing_slices_are_named_and_no_place_is_made_up(saved: Saved, tmp_path: Path) -> None:
    header = only(saved["DICOM"])
    for path in (*header.files[:4], *header.files[6:]):
        shutil.copy(path, tmp_path)
    (problem,) = only(tmp_path).problems
    assert problem.kind is ProblemKind.GAP
    assert "2 after slice 4 (of 8)" in problem.reason
    assert only(tmp_path).geometry.known is Known.SPACING


def test_positions_that_are_missing_are_named(saved: Saved, flair: npt.NDArray[np.uint16], tmp_path: Path) -> None:
    def forget(data: Any) -> None:
        del data.ImagePositionPatient

    header = only(changed(saved, tmp_path, forget))
    assert "does not say where its slices are" in header.problems[0].reason
    assert header.geometry.spacing == pytest.approx((3.0, 0.8, 0.9))
    assert header.geometry.known is Known.SPACING


def test_series_and_echoes_are_told_apart(saved: Saved, tmp_path: Path) -> None:
    for series in ("1.2.3.4", "1.2.3.5"):
        for echo in (10, 80):
            (tmp_path / f"{series}-{echo}").mkdir()

            def name(data: Any, series: str = series, echo: int = echo) -> None:
                data.SeriesInstanceUID, data.EchoTime = series, echo
                data.SOPInstanceUID = f"{series}.{echo}.{data.InstanceNumber}"

            changed(saved, tmp_path / f"{series}-{echo}", name)
    found = find_images(sorted(path for path in tmp_path.rglob("*") if path.is_file()))
    assert len(found.images) == 4
    assert ["2 volumes" in problem.reason for problem in found.problems] == [True, True]


def test_the_same_slice_twice_is_left_out_once(saved: Saved, tmp_path: Path) -> None:
    changed(saved, tmp_path, lambda data: None)
    twice = next(tmp_path.iterdir())
    shutil.copy(twice, tmp_path / "copy")
    found = find_images(sorted(tmp_path.iterdir()))
    assert [problem.kind for problem in found.problems] == [ProblemKind.DUPLICATE]
    assert found.images[0].shape[1] == 10


def test_enhanced_multi_frame_mr_is_read(
    saved: Saved, flair: npt.NDArray[np.uint16], enhanced: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    enhanced(saved["DICOM"], tmp_path / "enhanced.dcm")
    header = only(tmp_path)
    assert np.array_equal(read_voxels(header)[0], flair)
    assert np.allclose(header.geometry.affine, only(saved["DICOM"]).geometry.affine)


def test_scaled_and_inverted_dicom_has_true_values(saved: Saved, flair: npt.NDArray[np.uint16], tmp_path: Path) -> None:
    def scale(data: Any) -> None:
        data.RescaleSlope, data.RescaleIntercept = "0.5", "-100"

    header = only(changed(saved, tmp_path, scale))
    assert header.dtype == np.float32
    assert np.array_equal(read_voxels(header)[0], flair * 0.5 - 100)


def nifti(shape: tuple[int, ...] = (4, 5, 6), **fields: Any) -> bytes:
    whole = nibabel.Nifti1Image(np.ones(shape, np.int16), np.eye(4)).to_bytes()
    header = nibabel.Nifti1Header(whole[:348])
    for name, value in fields.items():
        header[name] = value
    return bytes(header.binaryblock + whole[348:])


def test_two_places_are_named(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 7
    image.set_sform(moved, 1)
    image.set_qform(np.eye(4), 1)
    nibabel.save(image, tmp_path / "a.nii.gz")
    header = header_of(tmp_path / "a.nii.gz")
    assert "differ by up to 7 mm" in header.problems[0].reason
    assert np.array_equal(header.stored.geometry.affine, moved)


@pytest.mark.parametrize(("units", "known"), [(0, Known.NOTHING), (2, Known.SPACING)])
def test_a_nifti_that_says_no_place_has_none(tmp_path: Path, units: int, known: Known) -> None:
    (tmp_path / "a.nii").write_bytes(nifti(sform_code=0, qform_code=0, xyzt_units=units))
    header = header_of(tmp_path / "a.nii")
    assert header.geometry.known is known
    assert "does not say how it lies" in header.problems[0].reason


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("a.nii", b"", UnreadableFileError, "empty"),
        ("a.nii", b"nothing of the kind" * 40, UnsupportedFileError, "no NIfTI"),
        ("a.nii.gz", b"\x1f\x8b\x08", UnreadableFileError, "gzip"),
        ("a.nii", nifti()[:-9], UnreadableFileError, "cut short"),
        ("a.nii", nifti((4, 4, 4, 5)), UnsupportedFileError, "series of 5"),
        (
            "a.nii.gz",
            gzip.compress(nifti()[:40] + struct.pack("<8h", 3, 9999, 9999, 9999, 1, 1, 1, 1) + nifti()[56:], mtime=0),
            TooLargeError,
            "MiB",
        ),
        ("a.nii", nifti(srow_x=(0, 0, 0, 0)), UnreadableFileError, "transform"),
        ("a.nrrd", b"NRRD0004\ntype: short\n", UnreadableFileError, "no end"),
        ("a.mha", b"ObjectType = Image\nNDims = 3\n", UnreadableFileError, "no end"),
        ("a.mha", b"NDims =73\nDimSize = 2 2 2\nElementDataFile = LOCAL\n12345678", UnsupportedFileError, "four axes"),
        ("a.mhd", b"ObjectType = Image\nNDims = 3\nElementDataFile = /etc/passwd\n", UnsupportedFileError, "beside"),
        ("a.nhdr", b"NRRD0004\ntype: uchar\ndimension: 3\ndata file: ../x.raw\n\n", UnsupportedFileError, "beside"),
        ("a.dcm", b"no preamble" * 40, UnreadableFileError, "DICOM"),
        ("a.xyz", b"x", UnsupportedFileError, "no format that is read"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes, error: type[UnreadableFileError], said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=said):
        read_voxels(header_of(tmp_path / name))


@pytest.mark.parametrize("kind", ["NRRD", "MetaImage"])
def test_volumes_without_a_place_have_none(tmp_path: Path, saved: Saved, kind: str) -> None:
    content = saved[kind].read_bytes()
    lines = (b"space directions", b"space origin", b"space:", b"kinds") if kind == "NRRD" else (b"TransformMatrix",)
    lines += (b"ElementSpacing", b"Offset", b"CenterOfRotation")
    head, separator, rest = content.partition(b"\n\n" if kind == "NRRD" else b"LOCAL\n")
    kept = b"\n".join(line for line in head.split(b"\n") if not line.startswith(lines))
    path = tmp_path / saved[kind].name
    path.write_bytes(kept + separator + rest)
    header = header_of(path)
    assert header.geometry.known is Known.NOTHING
    assert header.geometry.spacing is None
    assert read_voxels(header).shape == header.shape


def test_the_table_in_the_documentation_is_that_of_the_registry(repository: Path) -> None:
    from metseg.study.formats import readers

    rows = [f"| {reader.name} | `{'`, `'.join(reader.suffixes)}` | {reader.about} |" for reader in readers()]
    written = (repository / "docs/studies.md").read_text(encoding="utf-8").splitlines()
    table = written[written.index("| format | names end in | what is read |") + 2 :]
    assert table[: len(rows)] == rows


def test_the_table_of_layouts_in_the_documentation_is_current(repository: Path) -> None:
    command = [sys.executable, repository / "docs/scripts/tables_of_studies.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_reader_of_another_package_is_found(repository: Path, tmp_path: Path) -> None:
    """As docs/extending.md has it: a module, and its entry point."""
    installed = tmp_path / "site"
    (installed / "npy_reader-1.dist-info").mkdir(parents=True)
    shutil.copy(repository / "docs" / "examples" / "npy_reader.py", installed)
    entry_points = "[metseg.readers]\nnpy = npy_reader:NpyReader\n"
    (installed / "npy_reader-1.dist-info" / "entry_points.txt").write_text(entry_points)
    data = tmp_path / "data"
    data.mkdir()
    voxels = np.random.default_rng(0).integers(0, 500, (3, 6, 7)).astype(np.int16)
    np.save(data / "P1_t1c.npy", voxels)
    np.save(data / "P1_t1c_mask.npy", (voxels > 400).astype(np.uint8))
    (data / "P2_t1c.npy").write_bytes(b"\x93NUMPY")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    command = [sys.executable, "-m", "metseg.cli", "inspect", str(data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = json.loads(done.stdout)
    study = found["studies"][0]
    assert (study["name"], study["slices"], study["sequences"]) == ("P1", 3, ["post-contrast"])
    assert study["lesion_voxels"] == np.count_nonzero(voxels > 400)
    refused = [Path(finding["path"]).name for finding in found["problems"] if finding["refused"]]
    assert refused == ["P2_t1c.npy"]
