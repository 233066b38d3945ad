"""What nnU-Net, NIfTI readers, COCO's own code and Croissant's validator make of an export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project, Status
from metseg.curation.export import Layout, Subset, export_project, exporting_project, read_manifest
from metseg.errors import DataError
from metseg.events import Notice
from metseg.study import Study, read_study, write_tiff

nibabel = pytest.importorskip("nibabel")


def _approve(project: Project, study: Study) -> None:
    project.add(study)
    with project.open_case(study.name) as case:
        labels = case.labels.copy()
        labels[0, 2:5, 2:5] = 1
        case.commit(labels, EditKind.STROKE)
        case.set_status(Status.APPROVED)


def test_nnunet_finds_what_its_documentation_demands(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "Dataset501_Lesions"
    export_project(project, out, layout=Layout.NNUNET, held_out=0.3)
    manifest = read_manifest(out)
    training = [case.stem for case in manifest.cases if case.side is Subset.TRAIN]
    assert 0 < len(training) < 4
    about = json.loads((out / "dataset.json").read_text())
    assert about["channel_names"] == {"0": "pre-contrast", "1": "flair", "2": "post-contrast"}
    assert about["labels"] == {"background": 0, "lesion": 1}
    assert about["numTraining"] == len(training)
    assert about["file_ending"] == ".nii.gz"
    assert {path.name for path in (out / "labelsTr").iterdir()} == {f"{stem}.nii.gz" for stem in training}
    wanted = {f"{stem}_{channel:04d}.nii.gz" for stem in training for channel in range(3)}
    assert {path.name for path in (out / "imagesTr").iterdir()} == wanted
    for stem in training:
        label = nibabel.load(out / "labelsTr" / f"{stem}.nii.gz")
        assert set(np.unique(label.dataobj)) <= {0, 1}
        for channel in range(3):
            image = nibabel.load(out / "imagesTr" / f"{stem}_{channel:04d}.nii.gz")
            assert image.shape == label.shape
            np.testing.assert_array_equal(image.affine, label.affine)
            voxels = project.read_case(stem).study().voxels[channel]
            np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), voxels)
    folds = json.loads((out / "splits_final.json").read_text())
    assert sorted(stem for fold in folds for stem in fold["val"]) == sorted(training)
    for fold in folds:
        assert set(fold) == {"train", "val"}
        assert sorted(fold["train"] + fold["val"]) == sorted(training)


def test_nnunet_is_told_what_it_cannot_know_and_refuses_other_channels(project: Project, tmp_path: Path) -> None:
    events = exporting_project(project, tmp_path / "out", layout=Layout.NNUNET)
    said = " ".join(event.text for event in events if isinstance(event, Notice))
    assert "spacing of a_1, a_2, c is unknown" in said
    assert "Dataset123_Name" in said
    write_tiff(tmp_path / "gray.tif", np.zeros((2, 8, 9), np.uint8))
    _approve(project, read_study(tmp_path / "gray.tif"))
    with pytest.raises(DataError, match=r"gray has the channels unknown, a_1 has .*--case"):
        export_project(project, tmp_path / "out2", layout=Layout.NNUNET)


def test_nifti_keeps_geometry_values_and_lesions(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_project(project, out, layout=Layout.NIFTI)
    folder = out / "sub-b" / "anat"
    view = project.read_case("b")
    lesions = nibabel.load(folder / "sub-b_space-orig_seg-lesions_dseg.nii.gz")
    np.testing.assert_array_equal(np.asarray(lesions.dataobj).transpose(2, 1, 0), view.labels)
    mask = nibabel.load(folder / "sub-b_space-orig_label-L_mask.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj).transpose(2, 1, 0), view.labels > 0)
    flair = nibabel.load(folder / "sub-b_FLAIR.nii.gz")
    np.testing.assert_array_equal(np.asarray(flair.dataobj).transpose(2, 1, 0), view.study().voxels[1])
    for image in (lesions, mask, flair):
        assert image.header.get_zooms() == pytest.approx((0.8, 0.9, 5.0))
        np.testing.assert_allclose(image.affine, np.diag([-0.8, -0.9, 5.0, 1]))
        assert image.header.get_xyzt_units()[0] == "mm"
        assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 2
    about = json.loads((folder / "sub-b_space-orig_label-L_mask.json").read_text())
    assert about["Type"] == "Lesion"
    assert about["VoxelSpacing"] == [0.8, 0.9, 5.0]
    assert about["SegmentAlgorithmType"] == {"1": "MANUAL", "2": "MANUAL"}
    assert {source.removeprefix("bids::") for source in about["Sources"]} == {
        path.relative_to(out).as_posix() for path in folder.glob("*.nii.gz") if "_space-" not in path.name
    }
    description = json.loads((out / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    rows = (out / "participants.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == ["participant_id", "sub-a1", "sub-a2", "sub-b", "sub-c"]


def test_unknown_spacing_is_never_a_millimetre(project: Project, tmp_path: Path) -> None:
    export_project(project, tmp_path / "out", layout=Layout.NIFTI, cases=["c"])
    folder = tmp_path / "out" / "sub-c" / "anat"
    for path in folder.glob("*.nii.gz"):
        header = nibabel.load(path).header
        assert int(header["sform_code"]) == int(header["qform_code"]) == 0
        assert header.get_xyzt_units()[0] == "unknown"
        about = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert about["VoxelSpacing"] == "unknown"


def test_coco_masks_decode_to_the_lesions(project: Project, tmp_path: Path) -> None:
    coco_api = pytest.importorskip("pycocotools.coco")
    out = tmp_path / "out"
    export_project(project, out, layout=Layout.COCO)
    seen = {name: np.zeros_like(project.read_case(name).labels) for name in ("a_1", "a_2", "b", "c")}
    for side in Subset:
        data = coco_api.COCO(str(out / "annotations" / f"{side}.json"))
        for image in data.dataset["images"]:
            assert (out / "images" / image["file_name"]).is_file()
            for one in data.loadAnns(data.getAnnIds(image["id"])):
                mask = data.annToMask(one).astype(bool)
                assert one["area"] == mask.sum()
                x, y, width, height = one["bbox"]
                assert (x, y) == (np.flatnonzero(mask.any(0))[0], np.flatnonzero(mask.any(1))[0])
                assert (width, height) == (
                    np.ptp(np.flatnonzero(mask.any(0))) + 1,
                    np.ptp(np.flatnonzero(mask.any(1))) + 1,
                )
                seen[image["case"]][image["z"]][mask] = one["lesion"]
    for name, labels in seen.items():
        np.testing.assert_array_equal(labels, project.read_case(name).labels)


def test_a_published_run_length_code_is_what_the_annotation_holds(project: Project, tmp_path: Path) -> None:
    """Column by column, runs of 0 and 1 in turn, packed as in COCO's maskApi.c: 6 bits a character, from 48."""
    pytest.importorskip("pycocotools")
    write_tiff(tmp_path / "tiny.tif", np.zeros((1, 9, 9), np.uint8))
    project.add(read_study(tmp_path / "tiny.tif"))
    with project.open_case("tiny") as case:
        labels = case.labels.copy()
        labels[0, 2:5, 2:5] = 1
        case.commit(labels, EditKind.STROKE)
        case.set_status(Status.APPROVED)
    export_project(project, tmp_path / "out", layout=Layout.COCO, cases=["tiny"])
    (one,) = json.loads((tmp_path / "out" / "annotations" / "train.json").read_text())["annotations"]
    counts = [20, 3, 6, 3, 6, 3, 40]
    deltas = [value - (counts[place - 2] if place > 2 else 0) for place, value in enumerate(counts)]
    assert one["segmentation"] == {"size": [9, 9], "counts": "".join(map(_packed, deltas))}


def _packed(value: int) -> str:
    text = ""
    while True:
        low, value = value & 31, value >> 5
        more = value != (-1 if low & 16 else 0)
        text += chr(48 + low + 32 * more)
        if not more:
            return text


@pytest.mark.parametrize("layout", list(Layout))
def test_croissant_holds_what_its_specification_requires(project: Project, tmp_path: Path, layout: Layout) -> None:
    out = tmp_path / "out"
    export_project(project, out, layout=layout, licence="https://spdx.org/licenses/CC-BY-4.0")
    data = json.loads((out / "croissant.json").read_text())
    required = {"@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished"}
    assert required <= data.keys()
    assert data["@type"] == "sc:Dataset"
    assert data["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    listed = {file["contentUrl"]: file["sha256"] for file in data["distribution"]}
    expected = {file.path: file.sha256 for file in read_manifest(out).all_files()}
    assert listed == {path: value for path, value in expected.items() if path not in ("README.md", "croissant.json")}
    ids = [part["@id"] for part in (*data["distribution"], *data["recordSet"])]
    assert len(set(ids)) == len(ids)
    records = {entry["cases/case"]: entry for entry in data["recordSet"][1]["data"]}
    assert records["a_1"]["cases/lesions"] == 3


def test_croissants_own_validator_accepts_it(project: Project, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    out = tmp_path / "out"
    export_project(project, out, licence="https://spdx.org/licenses/CC-BY-4.0")
    dataset = mlcroissant.Dataset(str(out / "croissant.json"))
    assert not dataset.metadata.issues.errors
    records = list(dataset.records("cases"))
    assert [record["cases/case"] for record in records] == ["a_1", "a_2", "b", "c"]


def test_the_card_has_the_front_matter_that_hugging_face_reads(
    project: Project, tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    yaml = pytest.importorskip("yaml")
    export_project(project, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["license"] == "unknown"
    assert matter["task_categories"] == ["image-segmentation"]
    assert matter["size_categories"] == ["n<1K"]
    assert matter["annotations_creators"] == ["machine-generated", "other"]
    assert "| AUTOMATIC | 1 |" in body
    assert "| small | FLAIR abnormality | " + "ab" * 32 + " | 1 |" in body
    assert "unknown in 3 of 4" in body
    for licence, said in (("CC-BY-4.0", {"license": "cc-by-4.0"}), ("ask us", {"license": "other"})):
        export_project(project, tmp_path / "out", licence=licence)
        matter = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---\n")[1])
        assert said.items() <= matter.items()
