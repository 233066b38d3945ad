"""Networks that were measured on the same patients are compared; others are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metseg.checkpoints import ModelCard, list_models
from metseg.checkpoints.comparable import FILE, standings
from metseg.lesions import Target
from metseg.networks import NetworkSpec
from metseg.preprocessing import PreprocessingConfig


def card(name: str, created: str = "2026-01-01", target: Target = Target.FLAIR_ABNORMALITY) -> ModelCard:
    return ModelCard(
        name=name,
        network=NetworkSpec.of("nested_unet"),
        preprocessing=PreprocessingConfig(size=64),
        target=target,
        created=created,
    )


def write(folder: Path, **networks: tuple[float, float]) -> None:
    measured = {
        name: {"dice": dice, "milliseconds": milliseconds, "created": "2026-01-01"}
        for name, (dice, milliseconds) in networks.items()
    }
    content = {"data": "ours", "target": "FLAIR abnormality", "patients": 12, "networks": measured}
    (folder / FILE).write_text(json.dumps(content))


def test_the_most_accurate_and_the_fastest_are_named(tmp_path: Path) -> None:
    write(tmp_path, slow=(0.9, 200), middle=(0.85, 90), quick=(0.8, 20), gone=(0.99, 1))
    found = standings(tmp_path, {name: card(name) for name in ("slow", "middle", "quick", "new")})
    assert {name: one.marks for name, one in found.items()} == {
        "slow": ("most accurate",),
        "middle": (),
        "quick": ("fastest",),
    }
    assert str(found["slow"]) == "most accurate, Dice 0.900 on 12 patients (ours), 200 ms a slice"


def test_a_network_alone_is_neither(tmp_path: Path) -> None:
    write(tmp_path, one=(0.9, 200))
    assert standings(tmp_path, {"one": card("one")})["one"].marks == ()


def test_other_weights_under_the_name_and_other_targets_were_not_measured(tmp_path: Path) -> None:
    write(tmp_path, one=(0.9, 200), two=(0.8, 100))
    cards = {"one": card("one", created="2026-02-02"), "two": card("two", target=Target.ENHANCING_LESION)}
    assert standings(tmp_path, cards) == {}


@pytest.mark.parametrize("content", ["", "{}", '{"patients": -1}', "[1, 2]"])
def test_scores_that_cannot_be_read_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert standings(tmp_path, {"one": card("one")}) == {}


def test_the_shipped_networks_for_flair_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METSEG_WEIGHTS", raising=False)
    found = {info.name: info for info in list_models()}
    if "best" not in found or found["best"].standing is None:
        pytest.skip("other networks are installed")
    assert found["best"].standing.marks == ("most accurate",)
    assert found["attention_unet"].standing is not None
    assert found["attention_unet"].standing.marks == ("fastest",)
    assert found["best"].summary.startswith("most accurate, Dice 0.884 on 17 patients")
