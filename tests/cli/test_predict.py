"""``metseg predict``: which files appear, what is in them, and what happens to those that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.study import Study, read_study, read_tiff, write_tiff


def files_in(folder: Path) -> set[str]:
    """All but sidecars."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith(".json")}


def test_every_slice_gets_a_mask_in_the_folder_structure_of_the_input(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    write_patient(tmp_path / "in/site/a", slices=3)
    write_patient(tmp_path / "in/b", slices=2, masks=False)
    done = metseg("predict", "--model", model, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert done.status == 0, done.err
    expected = {f"site/a/a_{k}_mask.tif" for k in (1, 2, 3)} | {f"b/b_{k}_mask.tif" for k in (1, 2)}
    assert files_in(tmp_path / "out") == expected
    assert "5 masks" in done.out


def test_a_mask_is_what_the_segmenter_says_as_0_and_255(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter

    patient = write_patient(tmp_path / "a", slices=4)
    assert metseg("predict", "--model", model, "--input", patient, "--output", tmp_path / "out").status == 0
    written = np.stack([read_tiff(tmp_path / f"out/a_{k}_mask.tif")[0, 0] for k in (1, 2, 3, 4)])
    with Segmenter(load_checkpoint(model), device="auto") as segmenter:
        expected = segmenter.segment(read_study(patient)).mask
    assert written.dtype == np.uint8
    assert set(np.unique(written)) <= {0, 255}
    assert np.array_equal(written, expected * np.uint8(255))
    assert 0 < expected.mean() < 1


def test_a_single_file_gives_one_mask(metseg: Any, model: Path, write_patient: Any, tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "a", slices=2)
    done = metseg("predict", "--model", model, "--input", patient / "a_2.tif", "--output", tmp_path / "out")
    assert done.status == 0, done.err
    assert files_in(tmp_path / "out") == {"a_2_mask.tif"}


def test_a_multi_page_file_gives_a_multi_page_mask(metseg: Any, model: Path, head: Study, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_tiff(tmp_path / "in/stack.tif", head.voxels[1, :5])
    done = metseg("predict", "--model", model, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert done.status == 0, done.err
    assert files_in(tmp_path / "out") == {"stack_mask.tif"}
    assert read_tiff(tmp_path / "out/stack_mask.tif").shape == (5, 1, 64, 64)


@pytest.mark.parametrize("size", [(64, 64), (50, 71), (130, 90)])
def test_a_mask_has_the_size_of_its_slice(metseg: Any, model: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 60000, size).astype(np.uint16)
    write_tiff(tmp_path / "in/x_1.tif", pixels)
    done = metseg("predict", "--model", model, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert done.status == 0, done.err
    mask = read_tiff(tmp_path / "out/x_1_mask.tif")
    assert mask.shape == (1, 1, *size)
    assert mask.dtype == np.uint8


def test_slices_of_one_channel_are_segmented_and_it_is_said(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "gray", slices=2, channel=1)
    done = metseg("predict", "--model", model, "--input", patient, "--output", tmp_path / "out")
    assert done.status == 0, done.err
    assert len(files_in(tmp_path / "out")) == 2
    assert "gray" in done.err
    assert "in place" in done.err


def test_bad_files_are_listed_and_the_others_are_segmented(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "in/a", slices=4, masks=False)
    whole = (patient / "a_2.tif").read_bytes()
    (patient / "a_2.tif").write_bytes(whole[: len(whole) // 2])
    (patient / "a_4.tif").write_bytes(b"")
    write_patient(tmp_path / "in/b", slices=1, masks=False)
    done = metseg("predict", "--model", model, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert done.status == 1
    assert files_in(tmp_path / "out") == {"a/a_1_mask.tif", "a/a_3_mask.tif", "b/b_1_mask.tif"}
    assert str(patient / "a_2.tif") in done.err
    assert str(patient / "a_4.tif") in done.err
    assert "a_3.tif" not in done.err
    assert "Traceback" not in done.err


def test_nothing_but_bad_files_is_status_1_and_no_mask(metseg: Any, model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/x_1.tif").write_bytes(b"II*\0 not really")
    done = metseg("predict", "--model", model, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert done.status == 1
    assert "x_1.tif" in done.err
    assert files_in(tmp_path / "out") == set()


@pytest.mark.parametrize("inside", [False, True], ids=["output beside the input", "output inside the input"])
def test_a_second_run_says_how_many_files_it_would_replace_and_writes_the_same_ones_with_overwrite(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path, inside: bool
) -> None:
    write_patient(tmp_path / "in/a", slices=2)
    out = tmp_path / "in/masks" if inside else tmp_path / "out"
    arguments = ("predict", "--model", model, "--input", tmp_path / "in", "--output", out, "--probabilities")
    assert metseg(*arguments).status == 0
    first = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}
    second = metseg(*arguments)
    assert second.status == 2
    assert "4 files of an earlier run would be replaced" in second.err
    assert "--overwrite" in second.err
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in first} == first
    third = metseg(*arguments, "--overwrite")
    assert third.status == 0, third.err
    assert {path: path.read_bytes() for path in first} == {path: content for path, (content, _) in first.items()}
    assert len(list(out.rglob("*.tif"))) == 4


@pytest.mark.parametrize("options", [(), ("--overwrite",)], ids=["plain", "overwrite"])
@pytest.mark.parametrize("kind", ["edited", "drawn", "foreign sidecar"])
def test_edited_and_foreign_masks_are_never_replaced(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path, kind: str, options: tuple[str, ...]
) -> None:
    patient, out = write_patient(tmp_path / "a", slices=3), tmp_path / "out"
    arguments = ("predict", "--model", model, "--input", patient, "--output", out)
    if kind == "edited":
        assert metseg(*arguments).status == 0
        pixels = read_tiff(out / "a_2_mask.tif")[0, 0]
        pixels[5, 5] = 255 - pixels[5, 5]
        write_tiff(out / "a_2_mask.tif", pixels)
        named = "a_2_mask.tif"
    else:
        out.mkdir()
        if kind == "drawn":
            write_tiff(out / "a_2_mask.tif", np.zeros((64, 64), np.uint8))
        (out / "a_2_mask.json").write_text('{"reader": "second"}')
        named = "a_2_mask.tif" if kind == "drawn" else "a_2_mask.json"
    before = {path: path.read_bytes() for path in out.iterdir()}
    done = metseg(*arguments, *options)
    assert done.status == 2
    assert "1 file may be what a person drew" in done.err
    assert named in done.err
    assert ("2 files of an earlier run" in done.err) == (kind == "edited" and not options)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_new_patients_are_added_beside_masks_of_an_earlier_run(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    first, out = write_patient(tmp_path / "in/a", slices=2), tmp_path / "out"
    assert metseg("predict", "--model", model, "--input", first, "--output", out / "a").status == 0
    second = write_patient(tmp_path / "in/b", slices=1)
    done = metseg("predict", "--model", model, "--input", second, "--output", out / "b")
    assert done.status == 0, done.err


def test_masks_that_a_person_drew_are_never_overwritten(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    patient = write_patient(tmp_path / "a", slices=2)
    before = {path: path.read_bytes() for path in patient.iterdir()}
    done = metseg("predict", "--model", model, "--input", patient, "--output", patient)
    assert done.status != 0
    assert "not overwritten" in done.err
    assert {path: path.read_bytes() for path in patient.iterdir()} == before


def test_probabilities_are_written_on_request_and_agree_with_the_mask(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    from metseg.checkpoints import read_card

    patient = write_patient(tmp_path / "a", slices=4)
    out = tmp_path / "out"
    assert metseg("predict", "--model", model, "--input", patient, "--output", out, "--probabilities").status == 0
    probability = np.stack([read_tiff(out / f"a_{k}_prob.tif")[0, 0] for k in (1, 2, 3, 4)])
    lesion = np.stack([read_tiff(out / f"a_{k}_mask.tif")[0, 0] for k in (1, 2, 3, 4)]) == 255
    threshold = read_card(model).postprocessing.threshold * 255
    assert probability.dtype == np.uint8
    assert lesion.any()
    assert probability[lesion].min() >= threshold - 0.5
    assert probability[~lesion].max() <= threshold + 0.5


def test_threshold_and_smallest_lesion_decide(metseg: Any, model: Path, write_patient: Any, tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "a", slices=4)

    def area(*options: str) -> int:
        out = tmp_path / "_".join(("out", *options))
        done = metseg("predict", "--model", model, "--input", patient, "--output", out, *options)
        assert done.status == 0, done.err
        return sum(int((read_tiff(mask) > 0).sum()) for mask in out.glob("*.tif"))

    usual = area()
    assert area("--threshold", "0") == 4 * 64 * 64
    assert 0 < usual < 4 * 64 * 64
    assert area("--threshold", "1") == 0
    assert area("--smallest", "1000000") == 0


def test_a_folder_without_images_is_one_sentence_and_status_2(metseg: Any, model: Path, tmp_path: Path) -> None:
    done = metseg("predict", "--model", model, "--input", tmp_path, "--output", tmp_path / "out")
    assert done.status == 2
    assert str(tmp_path) in done.err
    assert "Traceback" not in done.err


def test_a_mask_is_no_input(metseg: Any, model: Path, write_patient: Any, tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "a", slices=1)
    done = metseg("predict", "--model", model, "--input", patient / "a_1_mask.tif", "--output", tmp_path / "out")
    assert done.status == 2
    assert "a_1_mask.tif" in done.err


def test_real_patients_are_segmented_slice_by_slice(
    metseg: Any, model: Path, metseg_data: Path, tmp_path: Path
) -> None:
    patient = min(path for path in (metseg_data / "lgg").iterdir() if path.is_dir())
    done = metseg("predict", "--model", model, "--input", patient, "--output", tmp_path / "out")
    assert done.status == 0, done.err
    images = {path.stem for path in patient.glob("*.tif") if not path.stem.endswith("_mask")}
    assert files_in(tmp_path / "out") == {f"{stem}_mask.tif" for stem in images}
    assert {read_tiff(path).shape for path in (tmp_path / "out").glob("*.tif")} == {(1, 1, 256, 256)}


@pytest.mark.slow
def test_a_backend_can_be_chosen(
    metseg: Any, model: Path, write_patient: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    arguments = ("--model", model, "--input", write_patient(tmp_path / "a", slices=1), "--output", tmp_path / "out")
    assert metseg("predict", *arguments, "--backend", "onnx").status == 0
    assert json.loads((tmp_path / "out/a_1_mask.json").read_text())["backend"].startswith("onnxruntime ")
