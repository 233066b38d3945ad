"""Where a reference mask is there, the window shows the scores that ``metseg evaluate`` gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.lesions import Target
from metseg.metrics import score_scan
from metseg.napari_plugin.layers import study_layers, target_layers
from metseg.study import Geometry, Study, write_tiff

pytestmark = pytest.mark.slow

Wait = Callable[..., None]


def show(viewer: Any, layers: Any) -> None:
    for data, keywords, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **keywords)


def with_two_lesions(head: Study) -> Study:
    """A large lesion, as in the image, and a small one elsewhere, in the mask alone."""
    assert head.mask is not None
    mask = head.mask.copy()
    mask[1:3, 50:54, 20:24] = 1
    return replace(head, mask=mask)


def drawn(head: Study) -> np.ndarray:
    """The large lesion of the mask, moved by a pixel, and one that the mask does not have."""
    labels = np.zeros(head.shape, np.uint8)
    labels[:, 1:] = (head.mask * (np.indices(head.shape)[1] < 45))[:, :-1]
    labels[4, 50:53, 30:33] = 2
    return labels


def texts(widget: Any) -> tuple[str, str, str]:
    return widget.scores.dice.text(), widget.scores.lesion_dice.text(), widget.scores.hd95.text()


def settled(widget: Any, patiently: Wait) -> None:
    patiently(lambda: not widget.controller.busy and not widget.scoring.busy)


def test_scores_are_those_of_the_core_in_mm(
    viewer: Any, open_widget: Callable[..., Any], study: Study, patiently: Wait
) -> None:
    head = with_two_lesions(study)
    show(viewer, study_layers(head))
    widget = open_widget()
    settled(widget, patiently)
    assert widget.scores.isHidden(), "a mask is not scored against itself"
    width = widget.minimumSizeHint().width()
    viewer.add_labels(drawn(head), name="mine")
    settled(widget, patiently)
    expected = score_scan("head", head.mask, drawn(head) > 0, head.geometry.spacing)
    assert (len(expected.lesions), expected.found, len(expected.false_positives), expected.unit) == (2, 1, 1, "mm")
    assert widget.state.agreement.scan.lesions == expected.lesions
    assert not widget.scores.isHidden()
    assert widget.scores.reference.text() == "Against mask · head"
    assert texts(widget) == (
        f"{expected.dice:.3f}",
        f"{expected.lesion_dice:.3f}",
        f"{expected.lesion_hd95:.1f} mm",
    )
    assert widget.minimumSizeHint().width() == width, "the dock would be cut at the window's edge"
    *sizes, total = widget.scores.lesions.rows
    assert total == ["all", "2", "1", "1"]
    assert all("mm" in row[0] for row in sizes)
    assert [sum(int(row[column]) for row in sizes) for column in (1, 2, 3)] == [2, 1, 1]


def test_scores_follow_the_brush_and_go_with_the_mask(
    viewer: Any, open_widget: Callable[..., Any], study: Study, patiently: Wait
) -> None:
    head = with_two_lesions(study)
    show(viewer, study_layers(head))
    widget = open_widget()
    mine = viewer.add_labels(drawn(head), name="mine")
    settled(widget, patiently)
    before = texts(widget)
    mine.paint((1, 52, 22), 1)
    patiently(lambda: widget.scores.lesions.rows[-1] == ["all", "2", "2", "1"])
    assert texts(widget) != before
    viewer.layers["mask · head"].data_setitem((np.array([1]), np.array([2]), np.array([2])), 1)
    patiently(lambda: widget.state.agreement.scan.recall < 1)
    viewer.layers.remove("mask · head")
    settled(widget, patiently)
    assert widget.scores.isHidden()


def test_without_spacing_sizes_and_distances_are_in_voxels(
    viewer: Any, open_widget: Callable[..., Any], study: Study, patiently: Wait
) -> None:
    head = replace(with_two_lesions(study), geometry=Geometry())
    show(viewer, study_layers(head))
    widget = open_widget()
    viewer.add_labels(drawn(head), name="mine")
    settled(widget, patiently)
    assert texts(widget)[2].endswith(" voxels")
    assert all("voxels" in row[0] for row in widget.scores.lesions.rows[:-1])


def test_slices_without_a_mask_file_are_not_scored(
    viewer: Any, open_widget: Callable[..., Any], study: Study, tmp_path: Path, patiently: Wait
) -> None:
    folder = tmp_path / "head"
    folder.mkdir()
    for z in range(study.shape[0]):
        write_tiff(folder / f"head_{z + 1}.tif", np.ascontiguousarray(study.voxels[:, z].transpose(1, 2, 0)))
        if z != 4:
            write_tiff(folder / f"head_{z + 1}_mask.tif", study.mask[z] * np.uint8(255))
    viewer.open(str(folder), plugin="napari-metseg")
    widget = open_widget()
    viewer.add_labels(drawn(study), name="mine")
    settled(widget, patiently)
    assert drawn(study)[4].any()
    assert widget.scores.lesions.rows[-1][3] == "0"


@pytest.mark.parametrize("target", Target)
def test_a_result_is_scored_against_the_mask_of_its_target(
    viewer: Any, open_widget: Callable[..., Any], study: Study, patiently: Wait, target: Target
) -> None:
    """The network of these tests outlines the FLAIR abnormality."""
    other = replace(study, mask=np.roll(study.mask, 9, axis=2))
    masks = {Target.FLAIR_ABNORMALITY: study, Target.ENHANCING_LESION: other}
    show(viewer, target_layers({target: masks[target]} if target is Target.ENHANCING_LESION else masks))
    widget = open_widget()
    widget.run.run.click()
    settled(widget, patiently)
    assert "FLAIR abnormality" in widget.state.outline.name
    if target is Target.ENHANCING_LESION:
        assert widget.scores.isHidden(), "a mask of something else says nothing about it"
    else:
        assert widget.scores.reference.text() == "Against mask (FLAIR abnormality) · head"
