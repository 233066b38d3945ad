"""A structured report and a page say what was measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from metseg.errors import DataError, UnreadableFileError
from metseg.lesions import find_midline, label_lesions, measure, sum_of_target_diameters
from metseg.reporting import write_page, write_structured_report
from metseg.study import Study, read_study, writer_of

ABOUT = {"model": "best", "weights_sha256": "ab" * 32, "target": "enhancing lesion"}


@pytest.fixture
def outlined(
    head: Study, oblique: Any, save_head_as: Callable[..., dict[str, Path]], tmp_path: Path
) -> tuple[Study, Any, Any, Path]:
    """A DICOM study with its labels, their measures, and their SEG."""
    study = read_study(save_head_as(tmp_path / "s", head.voxels[1].astype(np.uint16) * 37, oblique)["DICOM"])
    mask = np.zeros(study.shape, np.uint8)
    mask[2:5, 20:40, 12:28] = 1
    mask[6, 30:33, 45:49] = 1
    labels = label_lesions(mask)
    spacing, orientation = study.geometry.spacing, study.geometry.orientation
    midline = find_midline(study.voxels[0], orientation, spacing)
    lesions = measure(labels, spacing=spacing, midline=midline)
    path = tmp_path / "seg.dcm"
    writer_of(path).write(path, mask, study, mask=True, about=ABOUT)
    return study, labels, lesions, path


def items(data: Any, name: str) -> list[Any]:
    """All content items of a name."""
    found = []
    for item in data.get("ContentSequence") or []:
        if item.ConceptNameCodeSequence[0].CodeMeaning == name:
            found.append(item)
        found += items(item, name)
    return found


def numbers(data: Any, name: str) -> list[tuple[float, str]]:
    values = [item.MeasuredValueSequence[0] for item in items(data, name)]
    return [(float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue) for value in values]


def test_a_structured_report_has_each_measure_under_the_segments_tracking_id(
    outlined: tuple[Study, Any, Any, Path], tmp_path: Path
) -> None:
    study, _, lesions, seg = outlined
    write_structured_report(tmp_path / "sr.dcm", study, lesions, seg, ABOUT)
    data, segments = pydicom.dcmread(tmp_path / "sr.dcm"), pydicom.dcmread(seg)
    assert data.Modality == "SR"
    assert data.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert data.StudyInstanceUID == segments.StudyInstanceUID
    uids = {item.UID for item in items(data, "Tracking Unique Identifier")}
    assert {segment.TrackingUID for segment in segments.SegmentSequence} < uids
    assert numbers(data, "Volume") == [(round(lesion.volume_mm3, 2), "mm3") for lesion in lesions]
    assert numbers(data, "Long axis") == [(round(lesion.diameter_mm, 2), "mm") for lesion in lesions]
    assert numbers(data, "Short axis") == [(round(lesion.perpendicular_mm, 2), "mm") for lesion in lesions]
    total = sum_of_target_diameters(lesions)
    assert total
    assert numbers(data, "Sum of target diameters (RANO-BM)") == [(round(total, 2), "mm")]
    said = [item.ConceptCodeSequence[0].CodeMeaning for item in items(data, "Measurable by size (RANO-BM)")]
    assert said == ["Yes", "No"]
    referenced = [one.ReferencedSOPSequence[0] for one in items(data, "Referenced Segment")]
    assert [one.ReferencedSOPInstanceUID for one in referenced] == [segments.SOPInstanceUID] * 2
    sides = {item.ConceptCodeSequence[0].CodeMeaning for item in items(data, "Laterality")}
    assert sides == {"Left", "Right"}


@pytest.mark.parametrize("slices", [1, 2])
def test_a_single_lesion_refers_to_its_segment_and_images(
    outlined: tuple[Study, Any, Any, Path], tmp_path: Path, slices: int
) -> None:
    study = outlined[0]
    labels = np.zeros(study.shape, np.uint8)
    labels[3 : 3 + slices, 20:24, 20:24] = 1
    seg = tmp_path / "one.dcm"
    writer_of(seg).write(seg, labels, study, mask=True, about=ABOUT)
    write_structured_report(tmp_path / "sr.dcm", study, measure(labels, spacing=study.geometry.spacing), seg, ABOUT)
    data, segments = pydicom.dcmread(tmp_path / "sr.dcm"), pydicom.dcmread(seg)
    [referenced] = [one.ReferencedSOPSequence[0] for one in items(data, "Referenced Segment")]
    assert (referenced.ReferencedSOPInstanceUID, referenced.ReferencedSegmentNumber) == (segments.SOPInstanceUID, 1)
    sources = [one.ReferencedSOPSequence[0] for one in items(data, "Source Image for Segmentation")]
    wanted = {pydicom.dcmread(study.slices[z].image).SOPInstanceUID for z in range(3, 3 + slices)}
    assert {one.ReferencedSOPInstanceUID for one in sources} == wanted


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_the_standards_checker_has_no_error(outlined: tuple[Study, Any, Any, Path], tmp_path: Path) -> None:
    study, _, lesions, seg = outlined
    write_structured_report(tmp_path / "sr.dcm", study, lesions, seg, ABOUT)
    done = subprocess.run(["dciodvfy", str(tmp_path / "sr.dcm")], check=False, capture_output=True, text=True)
    assert "Error" not in done.stderr


def test_dcmqi_reads_the_same_measures(outlined: tuple[Study, Any, Any, Path], tmp_path: Path) -> None:
    pytest.importorskip("dcmqi")
    study, _, lesions, seg = outlined
    write_structured_report(tmp_path / "sr.dcm", study, lesions, seg, ABOUT)
    tool = shutil.which("tid1500reader", path=str(Path(sys.executable).parent))
    assert tool is not None
    arguments = ["--inputDICOM", tmp_path / "sr.dcm", "--outputMetadata", tmp_path / "sr.json"]
    subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True)
    groups = json.loads((tmp_path / "sr.json").read_text(encoding="utf-8"))["Measurements"]
    read = [
        {item["quantity"]["CodeMeaning"]: float(item["value"]) for item in group["measurementItems"]}
        for group in groups
        if "ReferencedSegment" in group
    ]
    assert [group["Volume"] for group in read] == [round(lesion.volume_mm3, 2) for lesion in lesions]
    assert [group["Long axis"] for group in read] == [round(lesion.diameter_mm, 2) for lesion in lesions]


def test_a_report_needs_the_segmentation_of_its_lesions(outlined: tuple[Study, Any, Any, Path], tmp_path: Path) -> None:
    study, _, lesions, seg = outlined
    with pytest.raises(DataError, match="holds 2 lesions, not the 1"):
        write_structured_report(tmp_path / "sr.dcm", study, lesions[:1], seg, ABOUT)
    (tmp_path / "no.dcm").write_bytes(b"no")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        write_structured_report(tmp_path / "sr.dcm", study, lesions, tmp_path / "no.dcm", ABOUT)


def test_a_page_is_a_pdf_of_one_page(outlined: tuple[Study, Any, Any, Path], tmp_path: Path) -> None:
    study, labels, lesions, _ = outlined
    write_page(tmp_path / "page.pdf", study, labels, lesions, ABOUT)
    content = (tmp_path / "page.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page ") + content.count(b"/Type /Page\n") == 1
    write_page(tmp_path / "none.pdf", study, labels * 0, [], {})
