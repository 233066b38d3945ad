"""Which networks the widget offers, and which one it begins with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt

from metseg.checkpoints import combine, load_checkpoint, save_ensemble
from metseg.napari_plugin.outlines import outline_of
from metseg.study import Sequence

pytestmark = pytest.mark.slow


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


def test_it_chooses_best_by_itself_and_greys_out_what_is_damaged(
    viewer: Any, open_widget: Callable[..., Any], folder: Path, study: Any, patiently: Wait
) -> None:
    viewer.add_image(study.voxels[1], name="head")
    widget = open_widget(folder)
    offered = widget.input.model
    assert (widget.state.model, offered.currentText()) == ("auto", "Automatic")
    assert widget.state.automatic == ("best",)
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
    assert widget.state.model == ("auto" if "metastases" in keys else keys[0])
    assert "best" not in keys
    assert "damaged" not in keys


def test_networks_are_compared_on_the_same_patients_and_research_use_is_said(
    open_widget: Callable[..., Any], folder: Path
) -> None:
    created = load_checkpoint(folder / "one").card.created
    measured = {"best": (0.9, 200), "one": (0.8, 50)}
    networks = {
        name: {"dice": dice, "milliseconds": time, "created": created} for name, (dice, time) in measured.items()
    }
    content = {"data": "ours", "target": "FLAIR abnormality", "patients": 12, "networks": networks}
    (folder / "comparable.json").write_text(json.dumps(content))
    widget = open_widget(folder)
    model = widget.input.model
    assert model.findText("best (most accurate)") > 0
    assert model.findText("two") > 0
    model.setCurrentIndex(model.findText("one (fastest)"))
    assert widget.state.model == "one"
    said = widget.input.summary.text()
    assert "FLAIR abnormality on pre-contrast, flair, post-contrast" in said
    assert "fastest, Dice 0.800 on 12 patients (ours), 50 ms a slice" in said
    assert "Research use" in widget.input.research.text()
    assert not widget.input.research.isHidden()


def test_a_damaged_network_chosen_all_the_same_is_explained(open_widget: Callable[..., Any], folder: Path) -> None:
    widget = open_widget(folder)
    widget.state.model = "damaged"
    assert "not a readable safetensors file" in widget.input.summary.text()


def test_two_targets_give_two_layers_that_say_what_they_are(
    viewer: Any, open_widget: Callable[..., Any], study: Any, two_targets_folder: Path, patiently: Wait, tmp_path: Path
) -> None:
    from metseg.lesions import Target, TargetChoice
    from metseg.napari_plugin.layers import study_layers
    from metseg.napari_plugin.writer import write_tiff

    for data, keywords, kind in study_layers(study):
        getattr(viewer, f"add_{kind}")(data, **keywords)
    widget = open_widget(two_targets_folder)
    assert widget.state.automatic == ("best",)
    widget.state.target = TargetChoice.BOTH
    assert list(widget.state.cards) == ["best", "metastases"]
    for _ in range(2):  # the second run replaces both
        widget.run.run.click()
        patiently(lambda: not widget.controller.busy)
    made = {layer.name: outline_of(layer) for layer in viewer.layers if layer.name.startswith("lesions")}
    assert list(made) == [f"lesions ({target}) · {study.name}" for target in reversed(Target)]
    assert {outline.segmentation.target for outline in made.values()} == set(Target)
    layer = viewer.layers[f"lesions (enhancing lesion) · {study.name}"]
    write_tiff(str(tmp_path / "saved.tif"), layer.data, layer.as_layer_data_tuple()[1])
    assert json.loads((tmp_path / "saved.json").read_text())["model"] == "metastases"


def test_channels_can_be_named_and_only_networks_that_fit_are_offered(
    viewer: Any, open_widget: Callable[..., Any], study: Any, two_targets_folder: Path, patiently: Wait
) -> None:
    viewer.add_image(study.voxels[2], name="head")
    widget = open_widget(two_targets_folder)
    model = widget.input.model
    assert (widget.state.sequences, widget.state.automatic) == ((Sequence.UNKNOWN,), ("best",))

    def offered(name: str) -> bool:
        return bool(model.model().index(model.findText(name), 0).flags() & Qt.ItemFlag.ItemIsEnabled)

    assert offered("best")
    assert offered("metastases")
    [names] = widget.input.sequences.choices
    names.setCurrentIndex(names.findText("post-contrast"))
    assert widget.state.automatic == ("metastases",)
    assert not offered("best")
    widget.run.run.click()
    patiently(lambda: not widget.controller.busy)
    assert outline_of(widget.state.outline).segmentation.model == "metastases"
    assert widget.state.notices == ()
    names.setCurrentIndex(names.findText("FLAIR"))
    assert offered("best")
    assert not offered("metastases")
    tip = model.itemData(model.findText("metastases"), Qt.ItemDataRole.ToolTipRole)
    assert tip == "metastases needs post-contrast; there is flair"


def test_a_network_that_is_much_faster_is_named() -> None:
    from metseg.checkpoints import ModelCard, Standing
    from metseg.napari_plugin.pipeline import faster
    from metseg.napari_plugin.state import ModelChoice
    from metseg.networks import NetworkSpec
    from metseg.preprocessing import PreprocessingConfig

    def choice(key: str, milliseconds: float) -> ModelChoice:
        card = ModelCard(name=key, network=NetworkSpec.of("nested_unet"), preprocessing=PreprocessingConfig())
        return ModelChoice(key, key, card, standing=Standing(0.88, milliseconds, 17, "some patients"))

    models = (choice("best", 144), choice("quick", 36), choice("middling", 60))
    assert faster(models, "best", ()) == "quick takes a fourth"
    assert faster(models, "quick", ()) == ""
    assert faster(models, "somebody's", ()) == ""
    assert faster((choice("one", 50), choice("two", 45)), "one", ()) == ""


def test_a_renamed_image_is_listed_under_its_new_name(viewer: Any, open_widget: Callable[..., Any], study: Any) -> None:
    layer = viewer.add_image(study.voxels[1], name="head")
    widget = open_widget()
    layer.name = "patient 7"
    assert [choice.title for choice in widget.state.images] == ["patient 7"]
    assert widget.input.image.currentText() == "patient 7"
    layer.name = "patient 8"
    assert [choice.title for choice in widget.state.images] == ["patient 8"]
