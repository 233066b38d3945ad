"""Patients, visits, sequences and masks are told by the names that people and data sets give them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.study import ProblemKind, StudyFiles, find_studies, load, write_tiff

Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Make small TIFFs, no two alike, at the given relative names: stacks, or slices with ``pages=1``."""
    made = 0

    def make(*names: str, pages: int = 3) -> None:
        nonlocal made
        for name in names:
            made += 1
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(made).integers(0, 200, (pages, 6, 5)).astype(np.uint8)
            mask = any(word in name.lower() for word in ("mask", "seg", "label", "gt"))
            write_tiff(path, pixels // 150 if mask else pixels, channels=False)

    return make


def described(studies: list[StudyFiles], top: Path) -> dict[str, list[str]]:
    """For each study the files of each slice, a plus sign, and its masks."""
    result = {}
    for study in studies:
        lines = []
        for entry in study.slices:
            images = " ".join(path.relative_to(top).as_posix() for path in entry.images)
            masks = " ".join(path.relative_to(top).as_posix() for path in entry.masks)
            lines.append(f"{images} + {masks}" if masks else images)
        result[study.name] = lines
    return result


def reasons(studies: list[StudyFiles]) -> list[str]:
    return [f"{problem.path.name}: {problem.reason}" for study in studies for problem in study.problems]


MASKS = {
    "plural": ("P_1.tif", "P_1_masks.tif"),
    "dash": ("P_1.tif", "P_1-mask.tif"),
    "seg": ("P_1.tif", "P_1_seg.tif"),
    "dash seg": ("P_1.tif", "P_1-seg.tif"),
    "segmentation": ("P_1.tif", "P_1 segmentation.tif"),
    "label": ("P_1.tif", "P_1_label.tif"),
    "labels, capitals": ("P_1.tif", "P_1_LABELS.TIF"),
    "dseg": ("P_1.tif", "P_1_dseg.tif"),
    "dot": ("P_1.tif", "P_1.seg.tif"),
    "before the number": ("P_1.tif", "P_mask_1.tif"),
    "at the front": ("P_1.tif", "mask_P_1.tif"),
    "image and mask": ("P_1_image.tif", "P_1_mask.tif"),
    "img and mask in front": ("img_1.tif", "mask_1.tif"),
    "image and label in front": ("image_1.tif", "label_1.tif"),
    "without separator": ("P_1.tif", "P_1mask.tif"),
    "ground truth": ("P_1.tif", "P_1_gt.tif"),
    "lesion": ("P_1.tif", "P_1_lesion.tif"),
    "folders": ("images/P_1.tif", "masks/P_1.tif"),
    "folders, short": ("imgs/P_1.tif", "masks/P_1.tif"),
    "folders, labels": ("image/P_1.tif", "label/P_1.tif"),
    "folders and endings": ("images/P_1.tif", "masks/P_1_mask.tif"),
    "folders of patients": ("images/P/P_1.tif", "masks/P/P_1.tif"),
    "folders in patients": ("P/images/P_1.tif", "P/masks/P_1.tif"),
    "folder below": ("P/P_1.tif", "P/masks/P_1.tif"),
    "folders in parts": ("train/images/P_1.tif", "train/masks/P_1.tif"),
    "folders with parts": ("train_images/P_1.tif", "train_masks/P_1.tif"),
    "folder beside": ("train/P_1.tif", "train_masks/P_1.tif"),
    "numbers in brackets": ("P (1).tif", "P_mask (1).tif"),
    "sequence only in the image": ("P_flair_1.tif", "P_1_mask.tif"),
    "sequence in both": ("P_1_flair.tif", "P_1_flair_mask.tif"),
}


@pytest.mark.parametrize("names", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("pages", [1, 3])
def test_masks_belong_to_their_images(tmp_path: Path, put: Put, names: tuple[str, str], pages: int) -> None:
    top = tmp_path / "set"
    put(*(f"set/{name}" for name in names), pages=pages)
    if pages == 1:
        put(*(f"set/{name}".replace("_1", "_2").replace("1m", "2m").replace("(1", "(2") for name in names), pages=1)
    studies = find_studies(top)
    assert [path for entry in studies[0].slices for path in entry.masks]
    assert [entry.mask is not None for study in studies for entry in study.slices] == [True] * (2 if pages == 1 else 1)
    assert len(studies) == 1
    assert reasons(studies) == []


def test_copies_of_masks_are_left_out_and_named(tmp_path: Path, put: Put) -> None:
    put("P/P_1.tif", "P/P_1_mask.tif", pages=1)
    for name in ("P_1_mask (1).tif", "P_1_mask - Copy.tif", "P_1 (1).tif"):
        original = "P_1_mask.tif" if "mask" in name else "P_1.tif"
        (tmp_path / "P" / name).write_bytes((tmp_path / "P" / original).read_bytes())
    studies = find_studies(tmp_path)
    assert described(studies, tmp_path / "P") == {"P": ["P_1.tif + P_1_mask.tif"]}
    assert sorted(reasons(studies)) == [
        "P_1 (1).tif: is a copy of P_1.tif and was left out",
        "P_1_mask (1).tif: is a copy of P_1_mask.tif and was left out",
        "P_1_mask - Copy.tif: is a copy of P_1_mask.tif and was left out",
    ]


def test_a_mask_that_was_copied_and_changed_is_not_chosen_at_random(tmp_path: Path, put: Put) -> None:
    put("P/P_1.tif", "P/P_1_mask.tif", "P/P_1_mask (1).tif", pages=1)
    [study] = find_studies(tmp_path)
    assert study.slices[0].mask is None
    assert "more than one mask" in reasons([study])[0]
    assert study.problems[0].refused


def test_masks_of_masks_and_of_brains_are_no_patients(tmp_path: Path, put: Put) -> None:
    put("P/P.tif", "P/P_mask.tif", "P/P_mask_mask.tif", "P/P_brain_mask.tif", "P/P_prob.tif")
    studies = find_studies(tmp_path)
    assert described(studies, tmp_path / "P") == {"P": ["P.tif + P_mask.tif"]}
    assert sorted(reasons(studies)) == [
        "P_brain_mask.tif: is a mask of the brain by its name, not of lesions",
        "P_mask_mask.tif: is a mask of a mask by its name, and was left out",
        "P_prob.tif: is a map of probabilities by its name",
    ]


def test_a_folder_of_masks_alone_is_no_folder_of_patients(tmp_path: Path, put: Put) -> None:
    put("images/P_1.tif", "masks/P_1.tif", pages=1)
    with pytest.raises(DataError, match=r"P_1\.tif: is a mask without an image"):
        find_studies(tmp_path / "masks")


def test_a_folder_called_like_masks_that_holds_pairs_holds_images(tmp_path: Path, put: Put) -> None:
    put("segmentation/P_1.tif", "segmentation/P_1_mask.tif", "lgg-segmentation/Q/Q_1.tif", pages=1)
    assert described(find_studies(tmp_path), tmp_path) == {
        "segmentation": ["segmentation/P_1.tif + segmentation/P_1_mask.tif"],
        "Q": ["lgg-segmentation/Q/Q_1.tif"],
    }


SEQUENCES = {
    "BraTS 2020": ("P/P_t1.tif", "P/P_flair.tif", "P/P_t1ce.tif", "P/P_t2.tif", "P/P_seg.tif"),
    "BraTS 2023": ("P/P-t1n.tif", "P/P-t2f.tif", "P/P-t1c.tif", "P/P-t2w.tif", "P/P-seg.tif"),
    "no patient in the names": ("P/t1.tif", "P/flair.tif", "P/t1ce.tif", "P/t2.tif", "P/seg.tif"),
    "UCSF": ("P/P_T1pre.tif", "P/P_FLAIR.tif", "P/P_T1post.tif", "P/P_T2.tif", "P/P_seg.tif"),
    "words": ("P/P T1.tif", "P/P T2 FLAIR.tif", "P/P T1 Gd.tif", "P/P T2.tif", "P/P mask.tif"),
    "dashes": ("P/P-T1w.tif", "P/P-T2-FLAIR.tif", "P/P-T1w-post.tif", "P/P-T2w.tif", "P/P-mask.tif"),
    "sequence first": ("P/t1_P.tif", "P/flair_P.tif", "P/t1c_P.tif", "P/t2_P.tif", "P/P_mask.tif"),
    "flat": ("P_t1.tif", "P_flair.tif", "P_t1gd.tif", "P_t2.tif", "P_seg.tif"),
    "planes": ("P/P_ax_t1.tif", "P/P_ax_flair.tif", "P/P_t1_mprage_gd.tif", "P/P_t2_tse_tra.tif", "P/P_seg.tif"),
    "BIDS": (
        "sub-P/anat/sub-P_T1w.tif",
        "sub-P/anat/sub-P_FLAIR.tif",
        "sub-P/anat/sub-P_ce-GAD_T1w.tif",
        "sub-P/anat/sub-P_T2w.tif",
        "derivatives/manual/sub-P/anat/sub-P_dseg.tif",
    ),
}


@pytest.mark.parametrize("names", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_a_file_for_each_sequence_is_one_patient(tmp_path: Path, put: Put, names: tuple[str, ...]) -> None:
    put(*(f"set/{name}" for name in names))
    [files] = find_studies(tmp_path / "set")
    assert files.patient in ("P", "sub-P")
    assert described([files], tmp_path / "set") == {files.name: [f"{' '.join(names[:4])} + {names[4]}"]}
    [study] = load(files).studies
    assert study.sequences == ("pre-contrast", "flair", "post-contrast", "t2")
    assert study.voxels.shape == (4, 3, 6, 5)
    assert study.mask is not None
    assert reasons([files]) == []


def test_slices_of_each_sequence_are_put_together(tmp_path: Path, put: Put) -> None:
    put(*(f"P/P_{sequence}_{k}.tif" for sequence in ("t1", "flair") for k in (9, 10)), "P/P_10_seg.tif", pages=1)
    studies = find_studies(tmp_path)
    assert described(studies, tmp_path / "P") == {
        "P": ["P_t1_9.tif P_flair_9.tif", "P_t1_10.tif P_flair_10.tif + P_10_seg.tif"]
    }
    assert load(studies[0]).studies[0].voxels.shape == (2, 2, 6, 5)


@pytest.mark.parametrize("pattern", ["P_{k}_flair.tif", "slice ({k}).tif", "{k}_P.tif", "P_slice{k}_axial.tif"])
def test_numbers_need_not_be_last(tmp_path: Path, put: Put, pattern: str) -> None:
    wanted = [pattern.format(k=k) for k in (2, 9, 10)]
    put(*(f"P/{name}" for name in wanted), pages=1)
    assert described(find_studies(tmp_path), tmp_path / "P") == {"P": wanted}


def test_sequences_in_folders_are_put_together(tmp_path: Path, put: Put) -> None:
    put("P/T1/1.tif", "P/T1/2.tif", "P/FLAIR/1.tif", "P/FLAIR/2.tif", "P/masks/1.tif", "P/masks/2.tif", pages=1)
    studies = find_studies(tmp_path)
    assert described(studies, tmp_path / "P") == {
        "P": ["T1/1.tif FLAIR/1.tif + masks/1.tif", "T1/2.tif FLAIR/2.tif + masks/2.tif"]
    }
    assert studies[0].named == ("pre-contrast", "flair")


def test_patients_called_t1_t2_t3_are_no_sequences(tmp_path: Path, put: Put) -> None:
    put("T1_1.tif", "T2_1.tif", "T3_1.tif", pages=1)
    studies = find_studies(tmp_path)
    assert [study.name for study in studies] == ["T1", "T2", "T3"]
    assert all(study.named is None for study in studies)


def test_a_sequence_alone_is_called_what_it_is(tmp_path: Path, put: Put) -> None:
    put("P/P_t1.tif", "Q/Q_t2w.tif")
    p, q = find_studies(tmp_path)
    assert load(p).studies[0].sequences == ("pre-contrast",)
    assert load(q).studies[0].sequences == ("t2",)


def test_nnunet_channels_are_named_by_dataset_json(tmp_path: Path, put: Put) -> None:
    put("D/imagesTr/a_1_0000.tif", "D/imagesTr/a_1_0001.tif", "D/labelsTr/a_1.tif", "D/imagesTs/b_0000.tif")
    put("D/imagesTs/b_0001.tif")
    (tmp_path / "D/dataset.json").write_text(json.dumps({"channel_names": {"0": "T1w post contrast", "1": "FLAIR"}}))
    for top in (tmp_path, tmp_path / "D"):
        studies = find_studies(top)
        assert described(studies, tmp_path / "D") == {
            "a_1": ["imagesTr/a_1_0000.tif imagesTr/a_1_0001.tif + labelsTr/a_1.tif"],
            "b": ["imagesTs/b_0000.tif imagesTs/b_0001.tif"],
        }
        assert all(study.named == ("post-contrast", "flair") for study in studies)
    assert find_studies(tmp_path / "D" / "imagesTr")[0].named == ("post-contrast", "flair")


def test_nnunet_channels_without_names_are_of_unknown_sequence(tmp_path: Path, put: Put) -> None:
    put("D/imagesTr/a_0000.tif", "D/imagesTr/a_0001.tif", "D/labelsTr/a.tif")
    [files] = find_studies(tmp_path)
    assert load(files).studies[0].sequences == ("unknown", "unknown")
    [named] = find_studies(tmp_path, ("post-contrast", "flair"))  # type: ignore[arg-type]
    assert load(named).studies[0].sequences == ("post-contrast", "flair")


def test_numbered_slices_are_no_channels(tmp_path: Path, put: Put) -> None:
    put("P/P_0000.tif", "P/P_0001.tif", pages=1)
    [study] = find_studies(tmp_path)
    assert len(study.slices) == 2


VISITS = {
    "BIDS": ("sub-1/ses-1/anat/sub-1_ses-1_FLAIR.tif", "sub-1/ses-2/anat/sub-1_ses-2_FLAIR.tif", "sub-1"),
    "BraTS": (
        "BraTS-MET-00001-000/BraTS-MET-00001-000-t1c.tif",
        "BraTS-MET-00001-001/BraTS-MET-00001-001-t1c.tif",
        "BraTS-MET-00001",
    ),
    "folders": ("P01/visit1/flair.tif", "P01/visit2/flair.tif", "P01"),
    "folders of files of any name": ("P01/baseline/scan.tif", "P01/followup/scan.tif", "P01"),
    "dates": ("P01/2019-03-01/flair.tif", "P01/2020-11-30/flair.tif", "P01"),
    "dates in names": ("P01_20190301.tif", "P01_20201130.tif", "P01"),
    "words in names": ("P01_visit1_flair.tif", "P01_visit2_flair.tif", "P01"),
    "letters": ("100101A/100101A_FLAIR.tif", "100101B/100101B_FLAIR.tif", "100101"),
    "named after the folder": ("P/P-0.tif", "P/P-1.tif", "P"),
    "visits above patients": ("week1/P01_flair.tif", "week2/P01_flair.tif", "P01"),
}


@pytest.mark.parametrize("names", VISITS.values(), ids=VISITS.keys())
def test_visits_are_of_one_patient(tmp_path: Path, put: Put, names: tuple[str, str, str]) -> None:
    put(*(f"set/{name}" for name in names[:2]), "set/Q/Q_flair.tif")
    studies = find_studies(tmp_path / "set")
    assert [study.patient for study in studies if "Q" not in study.name] == [names[2]] * 2
    assert len({study.name for study in studies}) == 3
    assert reasons(studies) == []


def test_masks_stay_with_their_visit(tmp_path: Path, put: Put) -> None:
    put("P/baseline/IM_1.tif", "P/baseline/IM_1_mask.tif", "P/followup/IM_1.tif", pages=1)
    assert described(find_studies(tmp_path), tmp_path / "P") == {
        "P_baseline": ["baseline/IM_1.tif + baseline/IM_1_mask.tif"],
        "P_followup": ["followup/IM_1.tif"],
    }


def test_patients_are_called_after_their_folders_where_files_are_called_alike(tmp_path: Path, put: Put) -> None:
    put("P/image.tif", "P/label.tif", "Q/image.tif", "Q/label.tif")
    assert described(find_studies(tmp_path), tmp_path) == {
        "P": ["P/image.tif + P/label.tif"],
        "Q": ["Q/image.tif + Q/label.tif"],
    }


def test_a_date_alone_is_part_of_the_patients_name(tmp_path: Path, put: Put) -> None:
    put("TCGA_A_19980826/TCGA_A_19980826_1.tif", "TCGA_B_19980826/TCGA_B_19980826_1.tif", pages=1)
    assert [study.patient for study in find_studies(tmp_path)] == ["TCGA_A_19980826", "TCGA_B_19980826"]


def test_unicode_forms_of_one_name_are_one(tmp_path: Path, put: Put) -> None:
    composed, apart = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
    put(f"D/{composed}_flair.tif", f"D/{apart}_t1.tif", f"D/{apart}_mask.tif")
    [study] = find_studies(tmp_path)
    assert study.name == composed
    assert len(study.slices[0].images) == 2
    assert study.slices[0].mask is not None


def test_files_that_systems_leave_behind_are_not_spoken_of(tmp_path: Path, put: Put) -> None:
    put("P/P_1.tif", pages=1)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._P_1.tif"):
        (tmp_path / "P" / name).write_bytes(b"x")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "P_1.tif").write_bytes(b"x")
    [study] = find_studies(tmp_path)
    assert study.problems == ()


def test_one_mask_for_each_lesion_is_united(tmp_path: Path, put: Put) -> None:
    put("P/P.tif", "P/P_mask_lesion_0.tif", "P/P_mask_lesion_1.tif")
    [files] = find_studies(tmp_path)
    assert described([files], tmp_path / "P") == {"P": ["P.tif + P_mask_lesion_0.tif P_mask_lesion_1.tif"]}
    [study] = load(files).studies
    [one] = load(find_studies(tmp_path / "P" / "P.tif")[0]).studies
    assert study.mask is not None
    assert one.mask is not None
    assert np.array_equal(study.mask, one.mask)
    assert study.mask.any()


def test_sequences_on_another_grid_are_left_out_with_a_remark(tmp_path: Path, put: Put) -> None:
    put("P/P_t1.tif", pages=5)
    put("P/P_flair.tif", "P/P_t1c.tif", "P/P_seg.tif")
    loaded = load(find_studies(tmp_path)[0])
    assert loaded.studies[0].sequences == ("flair", "post-contrast")
    [problem] = loaded.problems
    assert problem.kind is ProblemKind.SEQUENCE
    assert "P_flair.tif is 3 slices of 6 x 5: the sequence was left out" in problem.reason


def test_the_grid_of_the_mask_decides_between_sequences(tmp_path: Path, put: Put) -> None:
    put("P/P_t1c.tif", "P/P_seg.tif", pages=5)
    put("P/P_flair.tif", "P/P_t1.tif")
    assert load(find_studies(tmp_path)[0]).studies[0].sequences == ("post-contrast",)


def test_a_slice_that_lacks_a_sequence_is_left_out(tmp_path: Path, put: Put) -> None:
    put("P/P_t1_1.tif", "P/P_t1_2.tif", "P/P_t1_3.tif", "P/P_flair_1.tif", "P/P_flair_3.tif", pages=1)
    [study] = find_studies(tmp_path)
    assert [entry.image.name for entry in study.slices] == ["P_t1_1.tif", "P_t1_3.tif"]
    assert any("has no flair" in problem.reason and problem.refused for problem in study.problems)


def test_grey_images_that_were_saved_in_colour_have_one_sequence(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (6, 5)).astype(np.uint8)
    write_tiff(tmp_path / "P_flair_1.tif", np.stack([grey] * 3, axis=-1), channels=True)
    [study] = load(find_studies(tmp_path)[0]).studies
    assert study.sequences == ("flair",)
    assert study.voxels.shape == (1, 1, 6, 5)


def test_what_the_user_says_goes_before_the_name(tmp_path: Path, put: Put) -> None:
    put("P_t1.tif")
    loaded = load(find_studies(tmp_path, ("post-contrast",))[0])  # type: ignore[arg-type]
    assert loaded.studies[0].sequences == ("post-contrast",)
    assert "is pre-contrast by its name, and taken for post-contrast as you said" in loaded.problems[0].reason
