"""The brain is found in whole heads, and the segmenter looks at nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metseg.checkpoints import load_checkpoint, save_checkpoint
from metseg.events import Event, Finished, Notice, Progress
from metseg.inference import Segmentation, Segmenter, extract_brain, find_brain, locate_brain
from metseg.inference.backend import ENVIRONMENT
from metseg.inference.openvino_backend import can_use
from metseg.networks import build_network
from metseg.preprocessing import BrainConfig, BrainGrid, PreprocessingConfig, likeness
from metseg.study import Geometry, Sequence, Study, find_studies, load
from metseg.training.dataset import prepare

pytestmark = pytest.mark.slow


CONFIG = PreprocessingConfig(sequences=("post-contrast",), brain=BrainConfig(), size=None)


@pytest.fixture(scope="module")
def patient(metseg_data: Path) -> Study:
    """A whole head of 36 slices with contrast medium."""
    (files,) = find_studies(metseg_data / "lgg" / "TCGA_DU_5871_19941206")
    return load(files).studies[0]


def noticed(study: Study, config: PreprocessingConfig = CONFIG) -> list[str]:
    return [event.text for event in find_brain(study, config) if isinstance(event, Notice)]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_without_a_brain_in_the_configuration_nothing_is_looked_for(head: Study) -> None:
    assert locate_brain(head, PreprocessingConfig()) is None


def test_a_head_is_extracted_whichever_way_round_it_lies(patient: Study) -> None:
    volume = patient.voxels[patient.channel(Sequence.POST)]
    brain, flips = extract_brain(volume)
    assert flips == (False, True, False)
    assert likeness(brain)[flips] > 0.9
    assert brain[patient.mask > 0].mean() > 0.95
    mirrored, same = extract_brain(volume[:, :, ::-1])
    assert same == flips
    assert overlap(mirrored[:, :, ::-1], brain) > 0.97
    overturned, turned = extract_brain(volume[::-1])
    assert turned == (True, True, False)
    assert overlap(overturned[::-1], brain) > 0.95


@pytest.mark.skipif(not can_use("cpu"), reason="OpenVINO is not installed, or this is no x86 processor")
def test_openvino_finds_the_brain_that_deepbet_finds(patient: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = patient.voxels[patient.channel(Sequence.POST)]
    found = []
    for backend in ("torch", "auto"):
        monkeypatch.setenv(ENVIRONMENT, backend)
        found.append(extract_brain(volume))
        assert extract_brain(np.zeros_like(volume))[0].sum() == 0
    (deepbets, flips), (ours, same) = found
    assert flips == same
    assert overlap(ours, deepbets) > 0.999
    grids = [BrainGrid.fit(brain, BrainConfig(), "extracted", flips) for brain in (deepbets, ours)]
    assert (grids[0].start, grids[0].stop) == (grids[1].start, grids[1].stop)


def test_twenty_thick_slices_are_enough(patient: Study) -> None:
    volume = patient.voxels[patient.channel(Sequence.POST)]
    whole, _ = extract_brain(volume)
    thick = (volume[:-1:2].astype(np.uint16) + volume[1::2]) // 2
    brain, flips = extract_brain(thick)
    assert flips == (False, True, False)
    assert overlap(brain, whole[:-1:2]) > 0.93


def test_a_few_slices_are_no_volume(patient: Study) -> None:
    one = Study("one", patient.voxels[:, 18:19], patient.sequences)
    (notice,) = noticed(one)
    assert "1 slice is no volume" in notice
    grid = locate_brain(one, CONFIG)
    assert grid is not None
    assert (grid.source, grid.shape) == ("head", (1, 128, 128))


def test_an_unbelievable_brain_is_told_and_the_head_taken(patient: Study) -> None:
    tiny = replace(patient, geometry=Geometry.spaced((0.2, 0.2, 0.2)))
    (notice,) = noticed(tiny)
    assert "could not be extracted" in notice
    assert "ml" in notice
    grid = locate_brain(tiny, CONFIG)
    assert grid is not None
    assert grid.source == "head"
    assert grid.brain.mean() > 0.2


@pytest.mark.parametrize("volume", [np.zeros((12, 40, 40), np.uint8), np.full((12, 40, 40), 7, np.uint8)])
def test_what_is_no_head_is_survived(volume: np.ndarray) -> None:
    grid = locate_brain(Study("nothing", volume[None], (Sequence.POST,)), CONFIG)
    assert grid is not None
    assert grid.source == "head"
    assert grid.forward(volume[None]).shape == (1, 64, 128, 128)


def test_noise_is_survived() -> None:
    noise = np.random.default_rng(0).integers(0, 4000, (1, 16, 48, 48)).astype(np.uint16)
    grid = locate_brain(Study("noise", noise, (Sequence.POST,)), CONFIG)
    assert grid is not None
    assert np.isfinite(grid.backward(np.ones(grid.shape, np.float32))).all()


def segmented(
    folder: Path, write_untrained: Callable[..., Path], study: Study
) -> tuple[list[Event[Segmentation]], Segmentation]:
    plain = load_checkpoint(write_untrained(folder / "plain", share=0.9)).card
    spec = plain.network.model_copy(update={"in_channels": 1})
    card = plain.model_copy(update={"network": spec, "preprocessing": CONFIG})
    path = save_checkpoint(folder / "brain", build_network(spec), card)
    with Segmenter(load_checkpoint(path)) as segmenter:
        events = list(segmenter.stream(study))
    assert isinstance(events[-1], Finished)
    return events, events[-1].result


def test_nothing_outside_the_brain_is_lesion(
    tmp_path: Path, write_untrained: Callable[..., Path], patient: Study
) -> None:
    events, result = segmented(tmp_path, write_untrained, patient)
    assert Progress(0, 36, "extracting the brain") in events
    assert any(isinstance(event, Progress) and (event.done, event.total) == (64, 64) for event in events)
    assert result.brain is not None
    assert result.brain.source == "extracted"
    assert result.preprocessing.brain == BrainConfig()
    assert result.probabilities.shape == result.mask.shape == patient.shape
    assert result.probabilities[result.brain.brain].min() > 0
    assert not result.probabilities[~result.brain.brain].any()
    assert not result.mask[~result.brain.brain].any()


def test_training_sees_what_the_segmenter_sees(patient: Study) -> None:
    prepared = prepare(patient, CONFIG)
    grid = locate_brain(patient, CONFIG)
    assert prepared is not None
    assert grid is not None
    assert prepared.channels.shape == (64, 1, 1, 128, 128)
    assert prepared.masked == tuple(range(64))
    np.testing.assert_array_equal(prepared.masks, grid.forward_mask(patient.mask))
    back = grid.backward(prepared.masks.astype(np.float32)) >= 0.5
    assert overlap(back, patient.mask > 0) > 0.95


def test_only_slices_with_a_mask_count_in_training(patient: Study) -> None:
    prepared = prepare(patient, CONFIG, known=range(18))
    assert prepared is not None
    assert prepared.masked == tuple(range(prepared.masked[-1] + 1))
    assert 25 < len(prepared.masked) < 45
