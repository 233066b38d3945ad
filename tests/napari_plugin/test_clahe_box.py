"""The box for CLAHE works with every network, in the widget and in the studio."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt

from metseg.checkpoints import InferenceConfig, ModelCard
from metseg.napari_plugin.controls import ClaheBox
from metseg.networks import NetworkSpec
from metseg.preprocessing import Clahe, ClaheConfig, PreprocessingConfig


def card(*, clahe: ClaheConfig | None = None, average: bool = False) -> ModelCard:
    return ModelCard(
        name="any",
        network=NetworkSpec.of("attention_unet"),
        preprocessing=PreprocessingConfig(clahe=clahe),
        inference=InferenceConfig(clahe_average=average),
    )


@pytest.fixture
def chosen() -> list[Clahe]:
    return []


@pytest.fixture
def box(qtbot: Any, chosen: list[Clahe]) -> ClaheBox:
    box = ClaheBox(chosen.append)
    qtbot.addWidget(box)
    return box


@pytest.mark.parametrize("own", [None, ClaheConfig()])
def test_it_is_checked_as_the_card_says_and_can_be_changed(
    box: ClaheBox, chosen: list[Clahe], own: ClaheConfig | None
) -> None:
    network = card(clahe=own)
    box.show_choice(network.clahe, network)
    assert box.isChecked() == (own is not None)
    assert not box.isTristate()
    box.click()
    box.click()
    assert chosen == ([Clahe.ON, Clahe.OFF] if own is None else [Clahe.OFF, Clahe.ON])


def test_it_is_partly_checked_for_a_network_that_averages(box: ClaheBox, chosen: list[Clahe]) -> None:
    network = card(average=True)
    box.show_choice(network.clahe, network)
    assert box.checkState() is Qt.CheckState.PartiallyChecked
    assert "averaged" in box.text()
    for _ in range(3):
        box.click()
    assert set(chosen) == set(Clahe)
    assert chosen[-1] is Clahe.AVERAGE
