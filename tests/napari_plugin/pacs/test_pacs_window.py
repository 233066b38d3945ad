"""From a real PACS (Orthanc) into a real window and back: found, opened, predicted, corrected, stored, fetched."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from matplotlib.path import Path as Polygon
from napari.layers import Labels
from qtpy.QtCore import Qt

from metseg.napari_plugin.outlines import is_edited
from metseg.napari_plugin.reader import read
from metseg.reporting import DicomResult

pytest.importorskip("dicomweb_client")
pytestmark = pytest.mark.slow
STUDY = "1.2.3"
SERIES = {"1.2.3.1": "t1 tra", "1.2.3.2": "T2 FLAIR tra", "1.2.3.3": "t1 tra Gd"}


def test_from_the_pacs_through_correction_and_back(
    viewer: Any,
    pacs: Any,
    examination: Path,
    open_pacs: Callable[..., Any],
    find: Callable[..., None],
    open_widget: Callable[..., Any],
    run: Callable[..., None],
    patiently: Callable[..., None],
    tmp_path: Path,
) -> None:
    widget = open_pacs(pacs.url)
    find(widget)
    assert widget.state.problem == ""
    assert [study.uid for study in widget.state.studies] == [STUDY]
    assert {one.uid for one in widget.state.series} == widget.state.chosen == set(SERIES)

    widget.result.open.click()
    patiently(lambda: not widget.controller.busy)
    files = read(examination)
    assert len(viewer.layers) == len(files) == 3
    for layer, (data, look, _) in zip(viewer.layers, files, strict=True):
        np.testing.assert_array_equal(layer.data, data)
        np.testing.assert_allclose(layer.scale, look["scale"])
        np.testing.assert_allclose(layer.translate, look["translate"])
        assert layer.name == look["name"].replace(examination.name, "P1_20200102")

    segmentation = open_widget()
    run(segmentation, patiently)
    outline = segmentation.state.outline
    outline.brush_size, outline.selected_label = 5, 1
    outline.paint((2, 40, 20), 1)
    outline.paint((3, 26, 38), 0)
    assert is_edited(outline)

    assert widget.state.outline is outline
    widget.storing.results[DicomResult.CONTOURS].click()
    widget.storing.store.click()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.problem == ""
    assert widget.state.message.startswith("SEG, SR and RTSTRUCT are stored")

    # A second client, with nothing of ours: which voxels of which images are lesion?
    seg, report, contours = second_client(pacs)
    source = {str(pydicom.dcmread(path).SOPInstanceUID): pydicom.dcmread(path) for path in examination.iterdir()}
    assert {str(one.SeriesInstanceUID) for one in seg.ReferencedSeriesSequence} == {"1.2.3.2"}
    assert {segment.SegmentAlgorithmType for segment in seg.SegmentSequence} <= {"AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"}
    drawn = {uid: np.zeros((64, 64), bool) for uid, data in source.items() if data.SeriesInstanceUID == "1.2.3.2"}
    for frame, plane in zip(seg.PerFrameFunctionalGroupsSequence, pixels_of(seg), strict=True):
        image = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        drawn[image] |= plane > 0
    heights = {uid: float(source[uid].ImagePositionPatient[2]) for uid in drawn}
    stored = np.stack([drawn[uid] for uid in sorted(drawn, key=heights.__getitem__)])
    np.testing.assert_array_equal(stored, np.asarray(outline.data) > 0)
    within = within_contours(contours, source)
    assert set(within) <= set(heights)
    for uid, plane in drawn.items():
        np.testing.assert_array_equal(within.get(uid, np.zeros((64, 64), bool)), plane)
    assert contours.ApprovalStatus == "UNAPPROVED"
    assert seg.SOPInstanceUID in {
        one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for one in items_of(report)
        if "ReferencedSOPSequence" in one
    }

    # In the window again, with the SEG ticked: the same voxels as an editable outline.
    viewer.layers.clear()
    widget.controller.choose_study(widget.connection.sign_in, None)
    find(widget)
    assert {one.modality for one in widget.state.series} == {"MR", "SEG", "SR", "RTSTRUCT"}
    assert widget.state.chosen == set(SERIES)
    for number in range(widget.result.series.topLevelItemCount()):
        item = widget.result.series.topLevelItem(number)
        if item.text(2) == "SEG":
            item.setCheckState(0, Qt.CheckState.Checked)
    widget.result.open.click()
    patiently(lambda: not widget.controller.busy)
    [mask] = [layer for layer in viewer.layers if isinstance(layer, Labels)]
    np.testing.assert_array_equal(np.asarray(mask.data) > 0, stored)


def second_client(pacs: Any) -> list[Any]:
    """SEG, structured report and structure set as dicomweb-client fetches them."""
    from dicomweb_client.api import DICOMwebClient

    client = DICOMwebClient(pacs.url, headers={"Authorization": pacs.HEADER})
    found = {one["00080060"]["Value"][0]: one["0020000E"]["Value"][0] for one in client.search_for_series(STUDY)}
    fetched = [client.retrieve_series(STUDY, found[modality]) for modality in ("SEG", "SR", "RTSTRUCT")]
    return [one for [one] in fetched]


def pixels_of(seg: Any) -> Any:
    """Frames of a SEG by pydicom."""
    buffer = io.BytesIO()
    seg.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    pixels = pydicom.dcmread(buffer).pixel_array
    return pixels if pixels.ndim == 3 else pixels[None]


def within_contours(structures: Any, source: dict[str, Any]) -> dict[str, Any]:
    """By image the pixels (y, x) whose centres lie within the contours of a structure set."""
    found: dict[str, Any] = {}
    centres = np.argwhere(np.ones((64, 64)))
    for region in structures.ROIContourSequence:
        planes: dict[str, Any] = {}
        for contour in region.ContourSequence:
            uid = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
            image = source[uid]
            along_x, along_y = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
            points = np.array(contour.ContourData, float).reshape(-1, 3) - np.array(image.ImagePositionPatient, float)
            corners = np.column_stack(
                [points @ along_y / image.PixelSpacing[0], points @ along_x / image.PixelSpacing[1]]
            )
            plane = planes.setdefault(uid, np.zeros((64, 64), bool))
            plane ^= Polygon(corners).contains_points(centres).reshape(64, 64)
        for uid, plane in planes.items():
            found[uid] = found.get(uid, False) | plane
    return found


def items_of(item: Any) -> Iterator[Any]:
    """All content items of a structured report."""
    for one in item.get("ContentSequence") or []:
        yield one
        yield from items_of(one)


def test_an_outline_drawn_from_nothing_is_stored_as_manual(
    viewer: Any,
    start_orthanc: Callable[..., Any],
    examination: Path,
    open_pacs: Callable[..., Any],
    find: Callable[..., None],
    patiently: Callable[..., None],
) -> None:
    pacs = start_orthanc()
    pacs.put(examination)
    widget = open_pacs(pacs.url)
    find(widget)
    widget.result.open.click()
    patiently(lambda: not widget.controller.busy)
    image = viewer.layers[-1]
    labels = np.zeros(image.data.shape, np.uint8)
    labels[1:3, 20:30, 20:26] = 1
    viewer.add_labels(labels, scale=image.scale, translate=image.translate, units=image.units)
    widget.storing.results[DicomResult.REPORT].click()
    widget.storing.store.click()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.message.startswith("SEG is stored")
    [seg] = [pydicom.dcmread(io.BytesIO(content)) for content in pacs.series()["SEG"]]
    assert [one.SegmentAlgorithmType for one in seg.SegmentSequence] == ["MANUAL"]

    widget.storing.results[DicomResult.SEG].click()
    widget.storing.results[DicomResult.CONTOURS].click()
    widget.storing.store.click()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.message.startswith("RTSTRUCT is stored")
    stored = pacs.series()
    assert (len(stored["SEG"]), len(stored["RTSTRUCT"]), "SR" in stored) == (1, 1, False)
    structures = pydicom.dcmread(io.BytesIO(stored["RTSTRUCT"][0]))
    assert [one.ROIGenerationAlgorithm for one in structures.StructureSetROISequence] == ["MANUAL"]


def test_as_what_is_stored_is_chosen_and_remembered(viewer: Any, open_pacs: Callable[..., Any]) -> None:
    widget = open_pacs("http://127.0.0.1:9/dicom-web")
    seg, report, contours = (widget.storing.results[kind] for kind in DicomResult)
    assert (seg.isChecked(), report.isChecked(), contours.isChecked()) == (True, True, False)
    seg.click()
    assert not report.isChecked(), "a report refers to the SEG"
    assert not widget.storing.store.isEnabled()
    report.click()
    assert seg.isChecked()
    report.click()
    contours.click()
    assert widget.storing.store.isEnabled()
    viewer.window.remove_dock_widget(widget)
    again = open_pacs("http://127.0.0.1:9/dicom-web")
    assert again is not widget
    assert [kind for kind, box in again.storing.results.items() if box.isChecked()] == ["SEG", "RTSTRUCT"]


def test_a_study_becomes_a_case_that_is_corrected_in_the_studio_and_stored(
    viewer: Any,
    start_orthanc: Callable[..., Any],
    examination: Path,
    open_pacs: Callable[..., Any],
    find: Callable[..., None],
    patiently: Callable[..., None],
    tmp_path: Path,
) -> None:
    pacs = start_orthanc()
    pacs.put(examination)
    widget = open_pacs(pacs.url)
    find(widget)
    widget.controller.add_to(tmp_path / "project", widget.connection.sign_in)
    patiently(lambda: not widget.controller.busy)
    assert "P1_20200102: in the project" in widget.state.message
    moved = (tmp_path / "project").rename(tmp_path / "moved")

    _, panel = viewer.window.add_plugin_dock_widget("napari-metseg", "Correction studio")
    studio = panel.studio
    studio.find_networks = lambda: None
    studio.open_project(moved)
    patiently(lambda: studio.state.project is not None and not studio.busy)
    studio.open_case("P1_20200102")
    patiently(lambda: not studio.busy)
    labels = studio.state.case.labels
    labels.brush_size = 5
    labels.paint((2, 30, 30), 1)
    assert studio.flush()
    assert widget.state.outline is labels
    widget.storing.store.click()
    patiently(lambda: not widget.controller.busy)
    assert widget.state.problem == ""
    stored = pacs.series()
    [seg] = [pydicom.dcmread(io.BytesIO(content)) for content in stored["SEG"]]
    assert len(stored["SR"]) == 1
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3.2"
    assert [one.SegmentAlgorithmType for one in seg.SegmentSequence] == ["MANUAL"]
    assert int(np.count_nonzero(pixels_of(seg))) == int(np.count_nonzero(labels.data)) > 0

    widget.controller.add_to(moved, widget.connection.sign_in)
    patiently(lambda: not widget.controller.busy)
    assert "is there already" in widget.state.problem
    panel.close_session()
