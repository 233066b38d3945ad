"""Which networks the widget offers, and which one it begins with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt

from metseg.checkpoints import combine, load_checkpoint, save_ensemble
from metseg.napari_plugin.outlines import outline_of

Wait = Callable[..., None]


@pytest.fixture
def folder(weights: Path, tmp_path: Path) -> Path:
    """Networks, the first of them damaged, and ``best``, the mean of two others."""
    for name in ("damaged", "one", "two"):
        shutil.copytree(weights / "tiny", tmp_path / name)
    whole = (tmp_path / "damaged" / "model.safetensors").read_bytes()
    (tmp_path / "damaged" / "model.safetensors").write_bytes(whole[:1000])
    members = [load_checkpoint(tmp_path / name) for name in ("one", "two")]
    save_ensemble(tmp_path / "best", members, combine(members, "best")[1])
    return tmp_path


def test_it_begins_with_best_and_greys_out_what_is_damaged(
    viewer: Any, open_widget: Callable[..., Any], folder: Path, study: Any, patiently: Wait
) -> None:
    viewer.add_image(study.voxels[1], name="head")
    widget = open_widget(folder)
    offered = widget.input.model
    assert widget.state.model == "best" == offered.currentText()
    assert "mean of 2 networks" in widget.input.summary.text()
    damaged = offered.findText("damaged")
    assert not offered.model().index(damaged, 0).flags() & Qt.ItemFlag.ItemIsEnabled
    assert "not a readable safetensors file" in offered.itemData(damaged, Qt.ItemDataRole.ToolTipRole)
    assert offered.model().index(offered.findText("one"), 0).flags() & Qt.ItemFlag.ItemIsEnabled
    widget.run.run.click()
    patiently(lambda: not widget.controller.busy)
    assert outline_of(widget.state.outline).segmentation.model == "best"


def test_without_best_it_begins_with_the_first_that_can_be_used(open_widget: Callable[..., Any], folder: Path) -> None:
    shutil.rmtree(folder / "one")  # of which best is made
    widget = open_widget(folder)
    keys = [choice.key for choice in widget.state.models if choice.card is not None]
    assert widget.state.model == keys[0]
    assert "best" not in keys
    assert "damaged" not in keys


def test_a_damaged_network_chosen_all_the_same_is_explained(open_widget: Callable[..., Any], folder: Path) -> None:
    widget = open_widget(folder)
    widget.state.model = "damaged"
    assert "not a readable safetensors file" in widget.input.summary.text()
