"""A temperature is found where there is one to find, from patients that the weights never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

from metseg.checkpoints import Checkpoint, ModelCard, TrainingRecord, load_checkpoint, save_checkpoint
from metseg.errors import DataError
from metseg.events import drain
from metseg.inference import Segmenter
from metseg.metrics import reliability
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import PreprocessingConfig
from metseg.study import read_study
from metseg.training import LogitCounts, calibrate, fit_temperature, write_temperature


def drawn(sharpness: float, number: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
    """Truth, and probabilities whose logits are ``sharpness`` times those it was drawn from."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2, number)
    return rng.random(number) < expit(logits), expit(logits * sharpness).astype(np.float32)


@pytest.mark.parametrize("sharpness", [0.6, 1.0, 2.5])
def test_the_temperature_undoes_what_was_done_to_the_logits(sharpness: float) -> None:
    truth, probabilities = drawn(sharpness)
    counts = LogitCounts.of(truth[:70_000], probabilities[:70_000]) + LogitCounts.of(
        truth[70_000:], probabilities[70_000:]
    )
    temperature = fit_temperature(counts)
    assert temperature == pytest.approx(sharpness, rel=0.03)
    expected = torch.nn.functional.binary_cross_entropy(
        torch.from_numpy(probabilities), torch.from_numpy(truth).float()
    )
    assert counts.negative_log_likelihood(1.0) == pytest.approx(float(expected), rel=1e-4)
    assert counts.brier(temperature) <= counts.brier(1.0)
    assert counts.brier(1.0) == pytest.approx(counts.reliability(1.0).brier)
    before, direct = counts.reliability(1.0), reliability(truth, probabilities)
    assert before.ece == pytest.approx(direct.ece, abs=2e-3)
    assert before.brier == pytest.approx(direct.brier, rel=1e-3)
    assert sum(before.voxels) == counts.voxels == len(truth)
    assert counts.reliability(temperature).ece < 0.006


def test_sure_misses_do_not_flatten_what_is_in_doubt() -> None:
    truth, probabilities = drawn(1.0)
    missed = np.full(2_000, 1e-5, np.float32)
    counts = LogitCounts.of(np.append(truth, np.ones(2_000)), np.append(probabilities, missed))
    assert fit_temperature(counts) == pytest.approx(1.0, abs=0.06)
    assert min((1.0, 1.1, 1.2, 1.3), key=counts.negative_log_likelihood) > 1.1


def test_a_temperature_needs_lesion_and_health() -> None:
    with pytest.raises(DataError, match="inside and outside"):
        fit_temperature(LogitCounts.of(np.zeros(9), np.full(9, 0.3)))


def untrained(folder: Path, seed: int, held_out: tuple[str, ...]) -> Checkpoint:
    torch.manual_seed(seed)
    spec = NetworkSpec.of("attention_unet")
    record = TrainingRecord(held_out=held_out, patients=tuple({"head0", "head1", "head2"} - set(held_out)))
    card = ModelCard(name=folder.name, network=spec, preprocessing=PreprocessingConfig(size=None), training=record)
    return load_checkpoint(save_checkpoint(folder, build_network(spec), card))


@pytest.mark.slow
def test_every_patient_is_answered_for_by_the_fold_that_held_it_out(heads: Path, tmp_path: Path) -> None:
    folds = [untrained(tmp_path / "cv" / f"fold_{fold}", fold, (f"head{fold}",)) for fold in range(2)]
    model = untrained(tmp_path / "all", 7, ())
    with pytest.raises(DataError, match="nobody here was held out from all; give --runs"):
        drain(calibrate(model, heads))
    result = drain(calibrate(model, heads, runs=[tmp_path / "cv"], device="cpu"))
    assert result.patients == ("head0", "head1")
    counts = LogitCounts.none()
    for number, fold in enumerate(folds):
        study = read_study(heads / f"head{number}")
        assert study.mask is not None
        counts += LogitCounts.of(study.mask, Segmenter(fold, device="cpu").segment(study).probabilities)
    assert result.nll_before == pytest.approx(counts.negative_log_likelihood(1.0))
    assert result.after.brier < result.before.brier

    study = read_study(heads / "head0")
    plain = Segmenter(model, device="cpu").segment(study).probabilities
    calibrated = load_checkpoint(write_temperature(model, result))
    assert calibrated.card.inference.temperature == result.temperature
    assert calibrated.card.notes.count("Calibrated on 2 held-out patients") == 1
    torch.testing.assert_close(calibrated.state, model.state, rtol=0, atol=0)
    scaled = Segmenter(calibrated, device="cpu").segment(study).probabilities
    np.testing.assert_allclose(scaled, expit(np.log(plain / (1 - plain)) / result.temperature), atol=2e-3)
    again = write_temperature(calibrated, result.model_copy(update={"temperature": 1.5}))
    assert load_checkpoint(again).card.notes.count("Calibrated on") == 1

    other = replace(model, card=model.card.model_copy(update={"preprocessing": PreprocessingConfig(size=64)}))
    with pytest.raises(DataError, match="differ in preprocessing"):
        drain(calibrate(other, heads, runs=[tmp_path / "cv"]))
    with pytest.raises(DataError, match="no cross-validation here"):
        drain(calibrate(model, heads, runs=[tmp_path]))
