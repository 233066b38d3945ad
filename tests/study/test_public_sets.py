"""Published sets of metastases are understood as they are unpacked.

The names are those of docs/data.md, which says where each is written; no data of the sets is here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from metseg.errors import DataError
from metseg.study import find_studies, load, read_rules

ALL = ("pre-contrast", "flair", "post-contrast", "t2")
POST = ("post-contrast",)


@dataclass(frozen=True)
class Set:
    """Names of files, and what is to come of them: for each study patient, sequences, and names of masks."""

    files: tuple[str, ...]
    studies: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]
    remarks: tuple[str, ...] = ()


def brats(*cases: str) -> tuple[str, ...]:
    return tuple(f"{case}/{case}-{kind}.nii.gz" for case in cases for kind in ("t1c", "t1n", "t2f", "t2w", "seg"))


_BCBM = "BCBM-RadioGenomics"
_UCSF = ("T1pre", "T1post", "FLAIR", "subtraction", "T2Synth", "seg", "BraTS-seg")
_NYU = ("T1", "CT1", "T2", "FLAIR", "RTSTRUCT_MRI", "RTSTRUCT_segmentation")

SETS = {
    "BraTS-METS": Set(
        brats("BraTS-MET-00001-000", "BraTS-MET-00001-001", "BraTS-MET-00002-000"),
        {
            "BraTS-MET-00001-000": ("BraTS-MET-00001", ALL, ("BraTS-MET-00001-000-seg.nii.gz",)),
            "BraTS-MET-00001-001": ("BraTS-MET-00001", ALL, ("BraTS-MET-00001-001-seg.nii.gz",)),
            "BraTS-MET-00002-000": ("BraTS-MET-00002", ALL, ("BraTS-MET-00002-000-seg.nii.gz",)),
        },
    ),
    "PROTEAS": Set(
        (
            *(
                f"{patient}/BraTS/{visit}/{kind}.nii.gz"
                for patient in ("P01", "P04a", "P04b")
                for visit in ("baseline", "fu1")
                for kind in ("t1", "t1c", "t2", "fla")
            ),
            *(f"P01/tumor segmentation/P01_tumor_mask_{visit}.nii.gz" for visit in ("baseline", "fu1")),
            *(f"P04a/tumor_segmentation/P04a_tumor_mask_{visit}.nii.gz" for visit in ("baseline", "fu1")),
            "P04b/tumor_segmentation/P04b_tumor_mask_fu1.nii.gz",
            "P01/P01_CT.nii.gz",
            "P01/P01_RTP.nii.gz",
        ),
        {
            "P01_baseline": ("P01", ALL, ("P01_tumor_mask_baseline.nii.gz",)),
            "P01_fu1": ("P01", ALL, ("P01_tumor_mask_fu1.nii.gz",)),
            "P04_a_baseline": ("P04", ALL, ("P04a_tumor_mask_baseline.nii.gz",)),
            "P04_a_fu1": ("P04", ALL, ("P04a_tumor_mask_fu1.nii.gz",)),
            "P04_b_baseline": ("P04", ALL, ()),
            "P04_b_fu1": ("P04", ALL, ("P04b_tumor_mask_fu1.nii.gz",)),
        },
        ("is no MRI, but the CT or the dose of radiotherapy",) * 2,
    ),
    "UCSF-BMSR": Set(
        tuple(f"{case}/{case}_{kind}.nii.gz" for case in ("100101A", "100101B", "100104A") for kind in _UCSF),
        {
            "100101A": ("100101", ALL, ("100101A_seg.nii.gz",)),
            "100101B": ("100101", ALL, ("100101B_seg.nii.gz",)),
            "100104A": ("100104A", ALL, ("100104A_seg.nii.gz",)),
        },
        (
            *("is of another sequence than those that are used, and was left out",) * 3,
            *(
                f"is another mask beside {case}_seg.nii.gz, and was left out"
                for case in ("100101A", "100101B", "100104A")
            ),
        ),
    ),
    "BrainMetShare": Set(
        tuple(f"Mets_{p}/{folder}/{k}.png" for p in ("001", "005") for folder in "0123" for k in (9, 10, 11))
        + tuple(f"Mets_{p}/seg/{k}.png" for p in ("001", "005") for k in (9, 10, 11)),
        {
            "Mets_001": ("Mets_001", ALL[:3], ("9.png", "10.png", "11.png")),
            "Mets_005": ("Mets_005", ALL[:3], ("9.png", "10.png", "11.png")),
        },
    ),
    "BrainMetShare as NIfTI": Set(
        tuple(f"Mets_001/{kind}.nii" for kind in ("bravo", "t1_pre", "t1_gd", "flair", "seg")),
        {"Mets_001": ("Mets_001", ALL[:3], ("seg.nii",))},
        ("is of another sequence than those that are used, and was left out",),
    ),
    "BCBM-RadioGenomics": Set(
        (
            *(f"{_BCBM}-{scan}/{_BCBM}-{scan}_image_ss_n4.nii.gz" for scan in ("0-0", "101-0", "155-2", "155-4")),
            f"{_BCBM}-0-0/{_BCBM}-0-0_mask_tumor.nii.gz",
            *(f"{_BCBM}-101-0/{_BCBM}-101-0_mask_tumor-{lesion}.nii.gz" for lesion in (1, 2)),
            f"{_BCBM}-155-2/{_BCBM}-155-2_mask_tumor.nii.gz",
            *(
                f"{_BCBM}-155-4/{_BCBM}-155-4_mask_Plan1_{target}.nii.gz"
                for target in ("TgtA_220Gy80", "TgtB_180Gy50", "TgtC")
            ),
        ),
        {
            f"{_BCBM}-0_0": (f"{_BCBM}-0", POST, (f"{_BCBM}-0-0_mask_tumor.nii.gz",)),
            f"{_BCBM}-101_0": (
                f"{_BCBM}-101",
                POST,
                (f"{_BCBM}-101-0_mask_tumor-1.nii.gz", f"{_BCBM}-101-0_mask_tumor-2.nii.gz"),
            ),
            f"{_BCBM}-155_2": (f"{_BCBM}-155", POST, (f"{_BCBM}-155-2_mask_tumor.nii.gz",)),
            f"{_BCBM}-155_4": (
                f"{_BCBM}-155",
                POST,
                (
                    f"{_BCBM}-155-4_mask_Plan1_TgtA_220Gy80.nii.gz",
                    f"{_BCBM}-155-4_mask_Plan1_TgtB_180Gy50.nii.gz",
                    f"{_BCBM}-155-4_mask_Plan1_TgtC.nii.gz",
                ),
            ),
        },
    ),
    "MOTUM": Set(
        (
            *(
                f"sub-{n}/anat/sub-{n}_{kind}.nii.gz"
                for n in ("0001", "0002")
                for kind in ("flair", "t1", "t1ce", "t2")
            ),
            *(
                f"derivatives/sub-{n}/{mask}.nii.gz"
                for n in ("0001",)
                for mask in ("flair_seg_label1", "t1ce_seg_label2")
            ),
        ),
        {"sub-0001": ("sub-0001", ALL, ("t1ce_seg_label2.nii.gz",)), "sub-0002": ("sub-0002", ALL, ())},
        ("is the mask of what FLAIR shows; that of what enhances is used",),
    ),
    "OpenBTAI": Set(
        tuple(
            f"{p}/{p}/NIFTI/{p}_{t}_{kind}.nii" for p in ("040102", "040105") for t in "12" for kind in ("img", "msk")
        ),
        {f"{p}_{t}": (p, POST, (f"{p}_{t}_msk.nii",)) for p in ("040102", "040105") for t in "12"},
    ),
    "NYUMets": Set(
        tuple(
            f"imaging/patientId/{study}/{kind}.nii.gz"
            for study in ("10000001/studyId/2000000001", "10000001/studyId/2000000002", "10000009/studyId/2000000003")
            for kind in _NYU
        )
        + ("imaging/patientId/10000009/studyId/2000000004/RTSTRUCT_MRI.nii.gz",),
        {
            "10000001_2000000001": ("10000001", ALL, ("RTSTRUCT_segmentation.nii.gz",)),
            "10000001_2000000002": ("10000001", ALL, ("RTSTRUCT_segmentation.nii.gz",)),
            "10000009_2000000003": ("10000009", ALL, ("RTSTRUCT_segmentation.nii.gz",)),
            "10000009_2000000004": ("10000009", POST, ()),
        },
        ("is a second post-contrast beside CT1.nii.gz, and was left out",) * 3,
    ),
    "Yale": Set(
        tuple(
            f"YG_A1/{day}/YG_A1_{day}_10-20-30_{kind}.nii.gz"
            for day in ("2005-01-02", "2006-03-04")
            for kind in ("PRE", "POST", "T2", "FLAIR")
        ),
        {"YG_A1_2005-01-02": ("YG_A1", ALL, ()), "YG_A1_2006-03-04": ("YG_A1", ALL, ())},
    ),
}


def put(top: Path, names: Iterable[str]) -> None:
    chance = np.random.default_rng(0)
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lesion = np.zeros((6, 5, 4), np.uint8)
        lesion[2:4, 1:3, 1:3] = 1
        is_mask = any(word in name.lower() for word in ("seg", "mask", "msk"))
        voxels = lesion if is_mask else chance.integers(1, 200, lesion.shape).astype(np.uint8)
        if path.suffix == ".png":
            Image.fromarray(voxels[..., 1] * np.uint8(255 if is_mask else 1)).save(path)
        else:
            nibabel.save(nibabel.Nifti1Image(voxels, np.diag([-1.0, -1, 3, 1])), path)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("above", ["", "unpacked/here/"], ids=["itself", "a folder above"])
def test_a_published_set_is_understood_as_it_is_unpacked(tmp_path: Path, name: str, above: str) -> None:
    one = SETS[name]
    put(tmp_path / "set" / above, one.files)
    found = {files.name: files for files in find_studies(tmp_path / "set")}
    masks = {name: [path.name for entry in files.slices for path in entry.masks] for name, files in found.items()}
    described = {name: (files.patient, files.named, tuple(masks[name])) for name, files in found.items()}
    assert described == one.studies
    assert sorted(problem.reason for files in found.values() for problem in files.problems) == sorted(one.remarks)
    for files in found.values():
        [study] = load(files).studies
        assert study.sequences == files.named
        assert (study.mask is not None) == bool(masks[files.name])
        assert study.mask is None or study.mask.any()


def test_others_who_call_their_folders_so_lose_nothing(tmp_path: Path) -> None:
    put(
        tmp_path,
        ("P1/P1_CTA.nii.gz", "P1/DICOM/scan.nii.gz", "P1/BraTS/notes.nii.gz", "sub-01/anat/sub-01_FLAIR.nii.gz"),
    )
    assert len(find_studies(tmp_path)) == 4


def test_a_users_rules_come_before_those_for_published_sets(tmp_path: Path) -> None:
    put(tmp_path / "set", SETS["MOTUM"].files)
    (tmp_path / "flair.toml").write_text(
        '[[file]]\npattern = "derivatives/{patient}/flair_seg_label1"\nmask = true\n'
        '[[file]]\npattern = "derivatives/{patient}/t1ce_seg_label2"\nignore = true\n'
    )
    first, _ = find_studies(tmp_path / "set", rules=read_rules(tmp_path / "flair.toml"))
    assert [path.name for path in first.slices[0].masks] == ["flair_seg_label1.nii.gz"]
    assert first.problems == ()


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        ("{patient:P#}{part:a|b|}/{sequence:t1|flair}", "P07b/flair", "P07c/flair"),
        ("{patient:P#}{part:a|b|}/{sequence:t1|flair}", "P07/t1", "P07/t2"),
        ("scan#_{patient}", "scan12_x", "scan_x"),
        ("{patient:A?-*}/{any}", "Ab-cd/e", "A-cd/e"),
    ],
)
def test_a_field_says_what_it_looks_like(tmp_path: Path, pattern: str, fits: str, fails: str) -> None:
    put(tmp_path / "set", (f"{fits}.nii.gz", f"{fails}.nii.gz"))
    (tmp_path / "rules.toml").write_text(f"[[file]]\npattern = {pattern!r}\nignore = true\n")
    [left] = find_studies(tmp_path / "set", rules=read_rules(tmp_path / "rules.toml"))
    assert left.slices[0].image == tmp_path / "set" / f"{fails}.nii.gz"


def test_a_field_that_is_not_known_is_named(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("[[file]]\npattern = '{hospital:H#}/{patient}'\n")
    with pytest.raises(DataError, match=r"\{hospital\} in a pattern is not known"):
        read_rules(tmp_path / "rules.toml")
