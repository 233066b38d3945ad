"""The demo's window: napari with the plugin's widget, and a run that starts by itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.lesions import Target
from metseg.study import Study, read_study
from metseg.synthetic import synthetic_targets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("QT_QPA_PLATFORM") == "offscreen", reason="no display: napari's canvas needs OpenGL"
    ),
]


@pytest.fixture
def opened(qtbot: Any) -> Any:
    """Open the window, and close it again when the widget has come to rest."""
    pytest.importorskip("napari")
    from metseg.cli.window import open_window

    viewers = []

    def opening(studies: dict[Target, Study], model: Path) -> Any:
        viewers.append(open_window(studies, str(model), "cpu"))
        return viewers[-1]

    yield opening
    for viewer in viewers:
        (widget,) = viewer.window.dock_widgets.values()
        qtbot.waitUntil(lambda widget=widget: not widget.controller.busy, timeout=60_000)
        with qtbot.waitSignal(widget.destroyed, timeout=60_000):
            viewer.close()


def outlines(viewer: Any) -> list[Any]:
    return [layer for layer in viewer.layers if type(layer).__name__ == "Labels" and layer.name.startswith("lesions")]


def test_a_patient_is_opened_and_segmented_by_the_widget(
    opened: Any, qtbot: Any, model: Path, write_patient: Any, tmp_path: Path
) -> None:
    viewer = opened({Target.FLAIR_ABNORMALITY: read_study(write_patient(tmp_path / "a", slices=4))}, model)
    qtbot.waitUntil(lambda: bool(outlines(viewer)), timeout=60_000)
    (outline,) = outlines(viewer)
    labels = np.asarray(outline.data)
    assert labels.shape[-3:] == (4, 64, 64)
    assert 0 < (labels > 0).mean() < 1


def test_the_synthetic_head_is_shown_with_the_known_mask_of_each_target(opened: Any, qtbot: Any, model: Path) -> None:
    viewer = opened(synthetic_targets(0, slices=8, size=64), model)
    masks = [layer.name for layer in viewer.layers if layer.name.startswith("mask")]
    assert masks == ["mask (FLAIR abnormality) · synthetic-head-0", "mask (enhancing lesion) · synthetic-head-0"]
    qtbot.waitUntil(lambda: bool(outlines(viewer)), timeout=120_000)
