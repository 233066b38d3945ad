"""Files and folders become layers, with FLAIR on top and nothing skipped in silence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from metseg.curation import export_pairs
from metseg.napari_plugin.layers import CONTOUR_WIDTH, OPACITY, PATIENTS_KEY
from metseg.napari_plugin.reader import get_reader, read
from metseg.study import Study, write_tiff


@pytest.fixture
def patient(study: Study, tmp_path: Path) -> Path:
    return export_pairs(study, study.mask, tmp_path)[0].parent


def test_a_patient_opens_with_flair_shown_and_the_mask_editable(viewer: Any, patient: Path, study: Study) -> None:
    viewer.open(str(patient), plugin="napari-metseg")
    names = [layer.name for layer in viewer.layers]
    assert names == ["pre · head", "post · head", "FLAIR · head", "mask · head"]
    assert [layer.visible for layer in viewer.layers] == [False, False, True, True]
    for name, channel in zip(("pre", "FLAIR", "post"), study.voxels, strict=True):
        np.testing.assert_array_equal(viewer.layers[f"{name} · head"].data, channel)
    mask = viewer.layers["mask · head"]
    np.testing.assert_array_equal(mask.data, study.mask)
    assert mask.editable
    for layer in viewer.layers:
        assert tuple(layer.scale) == (5.0, 0.9, 0.9)
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
        assert tuple(layer.axis_labels) == ("z", "y", "x")


def test_painting_the_mask_leaves_the_study_alone(viewer: Any, patient: Path, study: Study) -> None:
    viewer.open(str(patient), plugin="napari-metseg")
    mask = viewer.layers["mask · head"]
    mask.paint((2, 5, 5), 1)
    np.testing.assert_array_equal(mask.metadata["metseg"].study.mask, study.mask)


def test_unknown_spacing_stays_pixels(viewer: Any, tmp_path: Path) -> None:
    write_tiff(tmp_path / "slice.tif", np.arange(600, dtype=np.uint16).reshape(20, 30))
    viewer.open(str(tmp_path / "slice.tif"), plugin="napari-metseg")
    (layer,) = viewer.layers
    assert [str(unit) for unit in layer.units] == ["pixel"] * 3
    assert tuple(layer.scale) == (1, 1, 1)
    assert layer.data.dtype == np.uint16


def test_what_is_odd_is_shown(viewer: Any, patient: Path, notifications: list[str]) -> None:
    (patient / "head_3.tif").unlink()
    (patient / "head_2_mask.tif").unlink()
    (patient / "head_5.tif").write_bytes((patient / "head_5.tif").read_bytes()[:300])
    viewer.open(str(patient), plugin="napari-metseg")
    (said,) = notifications
    for word in ("missing slices 3", "head_2.tif", "head_5.tif", "1 file refused"):
        assert word in said
    assert viewer.layers["FLAIR · head"].data.shape[0] == 4


def test_a_single_remark_is_the_message(viewer: Any, patient: Path, notifications: list[str]) -> None:
    (patient / "head_3.tif").unlink()
    (patient / "head_3_mask.tif").unlink()
    viewer.open(str(patient), plugin="napari-metseg")
    (said,) = notifications
    assert "missing slices 3" in said.splitlines()[0]


def test_nothing_readable_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_bytes(b"II*\0" + b"\0" * 40)
    reader = get_reader(str(tmp_path / "bad.tif"))
    assert reader is read
    with pytest.raises(Exception, match=r"bad\.tif"):
        reader(str(tmp_path / "bad.tif"))


def test_a_mask_file_opens_as_labels(viewer: Any, patient: Path, study: Study) -> None:
    viewer.open(str(patient / "head_4_mask.tif"), plugin="napari-metseg")
    (layer,) = viewer.layers
    assert layer.as_layer_data_tuple()[2] == "labels"
    np.testing.assert_array_equal(layer.data[0], study.mask[3])
    assert (layer.contour, layer.opacity) == (CONTOUR_WIDTH, OPACITY[True]), "as results are drawn"


def test_of_many_patients_the_first_is_opened_and_the_others_are_listed(
    viewer: Any, open_widget: Callable[..., Any], tmp_path: Path, study: Study, patiently: Callable[..., None]
) -> None:
    for index in range(5):
        (tmp_path / f"p{index}").mkdir()
        write_tiff(tmp_path / f"p{index}" / f"p{index}_1.tif", study.voxels[1, 0])
    layers = read(str(tmp_path))
    assert len(layers) == 1
    assert [files.name for files in layers[0][1]["metadata"][PATIENTS_KEY]] == [f"p{index}" for index in range(5)]
    widget = open_widget()
    [first] = viewer.open(str(tmp_path), plugin="napari-metseg")
    assert (len(widget.state.patients), widget.state.patient) == (5, "p0")
    assert not widget.input.patient.isHidden()
    widget.input.patient.setCurrentIndex(3)
    patiently(lambda: widget.state.patient == "p3")
    [shown] = viewer.layers
    assert shown.name.endswith("p3")
    assert first not in viewer.layers
    viewer.add_labels(np.ones(shown.data.shape, np.uint8))
    widget.input.patient.setCurrentIndex(1)
    patiently(lambda: widget.state.patient == "p1")
    assert [layer.name.rpartition(" ")[2] for layer in viewer.layers if layer.visible][-1] == "p1"


@pytest.mark.parametrize(
    "path", ["", "missing.tif", "/dev/null", "\0.tif", [], ["a.tif", "b.tif"], None, 7, "x" * 5000 + ".tif"]
)
def test_asking_for_a_reader_never_raises(path: Any) -> None:
    assert get_reader(path) is None


@pytest.mark.parametrize("content", [b"", b"II", b"PNG.....", b"%PDF-1.4"])
def test_other_files_are_left_to_other_readers(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tif").write_bytes(content)
    assert get_reader(str(tmp_path / "x.tif")) is None
    assert get_reader(str(tmp_path)) is read  # named .tif: the reader will say what is wrong with it
    os.rename(tmp_path / "x.tif", tmp_path / "x.csv")
    assert get_reader(str(tmp_path)) is None


def test_labels_are_saved_with_their_spacing(viewer: Any, tmp_path: Path) -> None:
    labels = np.zeros((4, 20, 30), np.int32)
    labels[1:3, 4:9, 4:9] = 300
    layer = viewer.add_labels(labels, scale=(5, 0.5, 0.25), units=("mm", "mm", "mm"), name="drawn")
    written = layer.save(str(tmp_path / "drawn_mask.tif"), plugin="napari-metseg")
    assert sorted(Path(path).name for path in written) == ["drawn_mask.json", "drawn_mask.tif"]
    viewer.layers.clear()
    viewer.open(str(tmp_path / "drawn_mask.tif"), plugin="napari-metseg")
    np.testing.assert_array_equal(viewer.layers[0].data, labels)
    assert tuple(viewer.layers[0].scale) == (5, 0.5, 0.25)


def test_micrometres_are_saved_as_millimetres_and_pixels_as_nothing(viewer: Any, tmp_path: Path) -> None:
    data = np.ones((2, 5, 5), np.uint8)
    fine = viewer.add_labels(data, scale=(900, 500, 500), units=("um",) * 3)
    fine.save(str(tmp_path / "a.tif"), plugin="napari-metseg")
    assert (tmp_path / "a.json").read_text().strip() == '{"spacing": [0.9, 0.5, 0.5]}'
    plain = viewer.add_labels(data, scale=(2, 1, 1))
    plain.save(str(tmp_path / "b.tif"), plugin="napari-metseg")
    assert not (tmp_path / "b.json").exists()


def test_labels_that_do_not_fit_are_refused(viewer: Any, tmp_path: Path) -> None:
    layer = viewer.add_labels(np.full((2, 4, 4), 70_000, np.int32))
    with pytest.raises(Exception, match="65535"):
        layer.save(str(tmp_path / "big.tif"), plugin="napari-metseg")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_sample_is_a_head_with_a_mask_of_each_target(viewer: Any) -> None:
    viewer.open_sample("napari-metseg", "synthetic-head")
    kinds = [layer.name.partition(" ")[0] for layer in viewer.layers]
    assert kinds == ["pre", "post", "FLAIR", "mask", "mask"]
    assert viewer.layers[-1].data.any()


def test_a_real_patient_opens(viewer: Any, metseg_data: Path, patiently: Callable[..., None]) -> None:
    folder = sorted(path for path in (metseg_data / "lgg").iterdir() if path.is_dir())[0]
    viewer.open(str(folder), plugin="napari-metseg")
    flair = viewer.layers[f"FLAIR · {folder.name}"]
    middle = flair.data.shape[0] // 2
    pixels = tifffile.imread(folder / f"{folder.name}_{middle + 1}.tif")
    np.testing.assert_array_equal(flair.data[middle], pixels[..., 1])


def test_files_chosen_together_are_one_study(viewer: Any, patient: Path, study: Study) -> None:
    chosen = [str(patient / f"head_{k}{mask}.tif") for k in (3, 1, 2) for mask in ("", "_mask")]
    viewer.open(chosen, stack=True, plugin="napari-metseg")
    assert [layer.name for layer in viewer.layers] == ["pre · head", "post · head", "FLAIR · head", "mask · head"]
    np.testing.assert_array_equal(viewer.layers["FLAIR · head"].data, study.voxels[1, :3])
    assert study.mask is not None
    np.testing.assert_array_equal(viewer.layers["mask · head"].data, study.mask[:3])


def test_sequences_chosen_together_are_one_study(viewer: Any, study: Study, tmp_path: Path) -> None:
    for name, channel in (("flair", study.voxels[1]), ("t1c", study.voxels[2]), ("other", study.voxels[0])):
        write_tiff(tmp_path / f"P_{name}.tif", channel, channels=False)
    viewer.open([str(tmp_path / f"P_{name}.tif") for name in ("t1c", "flair")], stack=True, plugin="napari-metseg")
    assert {layer.name.split(" · ")[0] for layer in viewer.layers} == {"FLAIR", "post"}
    np.testing.assert_array_equal(next(one for one in viewer.layers if "FLAIR" in one.name).data, study.voxels[1])


def test_pictures_are_opened(viewer: Any, study: Study, tmp_path: Path) -> None:
    plane = study.voxels[1, 2].astype(np.uint16)
    Image.fromarray(plane).save(tmp_path / "P_1.png")
    assert get_reader(str(tmp_path / "P_1.png")) is not None
    viewer.open(str(tmp_path / "P_1.png"), plugin="napari-metseg")
    np.testing.assert_array_equal(viewer.layers[0].data[0], plane)
    (tmp_path / "P_2.png").write_text("no picture")
    assert get_reader([str(tmp_path / "P_1.png"), str(tmp_path / "P_2.png")]) is None
