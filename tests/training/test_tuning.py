"""A search goes on where it stopped, redoes what was cut off, and ends in settings that training accepts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from metseg.errors import DataError
from metseg.events import Progress, drain
from metseg.training import SearchSpace, TrainingConfig, TuningConfig, tune
from metseg.training.tuning import JOURNAL

pytestmark = pytest.mark.slow
FixedTrial = pytest.importorskip("optuna.trial", reason="Optuna is not installed").FixedTrial


SEARCH = TuningConfig(trials=2, epochs=1, steps_per_epoch=1, folds=2, patients=None)


def test_an_interrupted_search_goes_on_to_the_same_trials(heads: Path, quick: TrainingConfig, tmp_path: Path) -> None:
    base = quick.model_copy(update={"batch_size": 2, "epochs": 7})
    stream = tune(base, heads, tmp_path, search=SEARCH)
    for event in stream:
        if isinstance(event, Progress) and event.what.startswith("trial 2"):
            break
    stream.close()  # type: ignore[attr-defined]
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":6,"torn')  # a crash in the middle of a line
    result = drain(tune(base, heads, tmp_path, search=SEARCH))
    unbroken = drain(tune(base, heads, tmp_path / "other", search=SEARCH.model_copy(update={"trials": 1})))
    assert [row.state for row in result.trials] == ["complete", "complete"]
    assert result.trials[0].dice == unbroken.trials[0].dice
    assert result.trials[0].settings == SearchSpace(base, 96).base_point()
    assert result.trials[1].settings != result.trials[0].settings
    best = TrainingConfig.model_validate_json((tmp_path / "best.json").read_bytes())
    assert best == result.best
    assert best.epochs == 7
    assert best.learning_rate == result.winner.settings["learning_rate"]
    assert best.threshold == result.winner.threshold
    with (tmp_path / "trials.csv").open() as file:
        assert [float(row["dice"]) for row in csv.DictReader(file)] == [row.dice for row in result.trials]
    with pytest.raises(DataError, match=r"another search \(base, search differ\)"):
        drain(tune(quick, heads, tmp_path, search=SEARCH.model_copy(update={"seed": 1})))


def test_the_base_is_a_point_of_the_space_and_every_setting_arrives() -> None:
    base = TrainingConfig(architecture="nested_unet")
    space = SearchSpace(base, side=256)
    point = space.base_point()
    trial = FixedTrial(point)
    assert space.config(trial) == base
    assert set(trial.distributions) == set(point)
    other = {"learning_rate": 3e-3, "encoder_learning_rate": 1e-4, "focal": 0.3, "bce": 0.1, "augmentation": 2.0}
    config = space.config(FixedTrial(other | {"missing_sequence": 0.2, "crop": 128, "lesion_share": 0.7}))
    assert (config.learning_rate, config.encoder_learning_rate) == (3e-3, 1e-4)
    assert (config.loss.focal, config.loss.bce, config.crop, config.lesion_share) == (0.3, 0.1, 128, 0.7)
    assert config.augmentation.rotation == 34
    assert config.augmentation.missing_sequence == 0.2
    assert config.augmentation.horizontal_flip == base.augmentation.horizontal_flip
