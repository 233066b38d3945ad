"""Where the files do not tell the spacing the user does, and then it holds everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.napari_plugin import exporting, outlines
from metseg.napari_plugin.layers import source_of, study_layers
from metseg.study import Geometry, Study, find_studies, load

Wait = Callable[..., None]
SPACING = (5.0, 0.9, 0.8)


@pytest.fixture
def plain(make_head: Callable[..., Study]) -> Study:
    """A head of which no spacing is known, with its mask."""
    return make_head(spacing=None)


def type_in(widget: Any, spacing: tuple[float, ...]) -> None:
    for step, value in zip(widget.input.spacing.steps, spacing, strict=True):
        step.setValue(value)


@pytest.mark.slow
def test_a_stated_spacing_holds_for_layers_volumes_and_exports(
    viewer: Any,
    open_widget: Callable[..., Any],
    plain: Study,
    patiently: Wait,
    run: Callable[..., None],
    tmp_path: Path,
) -> None:
    for data, keywords, kind in study_layers(plain):
        getattr(viewer, f"add_{kind}")(data, **keywords)
    widget = open_widget()
    run(widget, patiently)
    patiently(lambda: not widget.controller.busy and not widget.scoring.busy)
    assert "voxel" in widget.state.summary
    assert widget.input.spacing.isVisibleTo(widget)
    type_in(widget, SPACING)
    patiently(lambda: not widget.controller.busy and not widget.scoring.busy)
    assert " ml" in widget.state.summary
    assert all(tuple(layer.scale) == SPACING and str(layer.units[0]) == "millimeter" for layer in viewer.layers)
    assert source_of(widget.state.image).study.geometry == Geometry.spaced(SPACING)
    outline = outlines.outline_of(widget.state.outline)
    assert outline is not None
    assert outline.segmentation is not None
    assert outline.segmentation.study.geometry.spacing == SPACING
    assert outline in [outlines.outline_of(layer) for layer in outlines.outlines_on(viewer, widget.state.image)]
    assert widget.state.agreement.scan.unit == "mm"
    exporting.write(exporting.order(widget.state.image, widget.state.outline, None, tmp_path))
    (written,) = (result for files in find_studies(tmp_path) for result in load(files).studies)
    assert written.geometry.spacing == SPACING


@pytest.mark.slow
def test_a_layer_of_somebody_elses_takes_it_too(viewer: Any, open_widget: Callable[..., Any], study: Study) -> None:
    viewer.add_image(study.voxels[1], name="P1_flair")
    viewer.add_image(study.voxels[2], name="P1_t1c")
    widget = open_widget()
    viewer.add_labels(study.mask, name="mine")
    type_in(widget, SPACING[:2] + (0.0,))
    assert source_of(widget.state.image).study.geometry.spacing is None, "two numbers are no spacing"
    type_in(widget, SPACING)
    assert all(tuple(layer.scale) == SPACING for layer in viewer.layers)
    gathered = source_of(widget.state.image).study
    assert gathered.geometry.spacing == SPACING
    assert len(gathered.sequences) == 2
    type_in(widget, (5.0, 1.0, 1.0))
    assert source_of(widget.state.image).study.geometry.spacing == (5.0, 1.0, 1.0), "a slip can be corrected"


def test_nobody_is_asked_for_what_the_files_tell(viewer: Any, ready: Any, study: Study) -> None:
    assert study.geometry.spacing is not None
    assert not ready.input.spacing.isVisibleTo(ready)
    viewer.add_image(np.zeros((3, 6, 64, 64), np.uint8), name="channels")
    assert not ready.input.spacing.isVisibleTo(ready), "nor of arrays that have further axes"
    viewer.add_image(study.voxels[1], name="plain")
    assert ready.input.spacing.isVisibleTo(ready)
    assert [step.value() for step in ready.input.spacing.steps] == [0, 0, 0]
