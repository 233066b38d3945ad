"""Copies of heads with simulated metastases can be trained on, and models scored on them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from metseg.checkpoints import Checkpoint, ModelCard, TrainingRecord, load_checkpoint, save_checkpoint
from metseg.errors import DataError
from metseg.events import drain
from metseg.lesions import PostprocessingConfig
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import PreprocessingConfig
from metseg.study import SliceFile, Study
from metseg.synthetic import MetastasisConfig, insert_metastases, synthetic_study
from metseg.training import SimulationScore, TrainingConfig, score_simulated
from metseg.training.dataset import EpochPlan, masked_patients, prepare, prepare_patients, prepare_simulated
from metseg.training.prepared import PreparedStudy
from metseg.training.simulation import SimulatedHead, SimulatedLesion, _outcomes

PLAIN = PreprocessingConfig(size=None)


@pytest.fixture(scope="module")
def study() -> Study:
    return synthetic_study(1, slices=10, size=128)


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A network that knows nothing, trained on head1 by its card."""
    torch.manual_seed(0)
    spec = NetworkSpec.of("attention_unet")
    card = ModelCard(name="random", network=spec, preprocessing=PLAIN, training=TrainingRecord(patients=("head1",)))
    return load_checkpoint(save_checkpoint(tmp_path_factory.mktemp("random"), build_network(spec), card))


def test_a_copy_shows_only_slices_that_hold_an_inserted_lesion_and_whose_mask_is_known(study: Study) -> None:
    copy, head, labels = (
        prepare_simulated(study, PLAIN, (5, 0)),
        prepare(study, PLAIN),
        insert_metastases(study, (5, 0)).labels,
    )
    assert copy is not None
    assert head is not None
    assert copy.masked == tuple(np.flatnonzero(labels.any(axis=(1, 2))))
    assert 0 < len(copy.masked) < len(head.masked)
    for z in copy.masked:
        np.testing.assert_array_equal(copy.masks[z], head.masks[z] | (labels[z] > 0))
        assert (copy.channels[z] != head.channels[z]).any()
    unknown = copy.masked[0]
    files = tuple(SliceFile(Path(f"{z}.tif"), None if z == unknown else Path(f"{z}_mask.tif")) for z in range(10))
    fewer = prepare_simulated(replace(study, slices=files), PLAIN, (5, 0))
    assert fewer is not None
    assert fewer.masked == copy.masked[1:]
    plan = EpochPlan([copy], TrainingConfig(architecture="attention_unet", batch_size=4))
    assert {z for batch in plan.batches(0) for (_, z, _), _ in batch} <= set(copy.masked)


def test_copies_are_as_many_as_asked_for_and_always_the_same(heads: Path) -> None:
    patients = masked_patients(heads)
    alone = drain_prepared(prepare_patients(patients, patients, PLAIN))
    twice = [drain_prepared(prepare_patients(patients, patients, PLAIN, simulated=2, seed=3)) for _ in range(2)]
    assert len(alone) == 3
    assert 6 < len(twice[0]) <= 9
    for one, again in zip(*twice, strict=True):
        np.testing.assert_array_equal(one.channels, again.channels)
    half = drain_prepared(prepare_patients(patients, patients, PLAIN, simulated=0.5, seed=3))
    assert 3 <= len(half) <= 6


def drain_prepared(stream: Generator[object, None, list[PreparedStudy]]) -> list[PreparedStudy]:
    while True:
        try:
            next(stream)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]


def test_only_inserted_lesions_count_and_real_ones_are_no_false_lesions(study: Study) -> None:
    insertion = insert_metastases(study, 0, MetastasisConfig(count=(4, 4), diameter=(4, 12)))
    head = SimulatedHead(study, insertion, tuple(range(10)))
    assert len(insertion.lesions) >= 2
    assert study.mask is not None
    nothing, none_false = _outcomes(head, np.zeros_like(study.mask))
    assert (len(nothing), any(x.found for x in nothing), none_false) == (len(insertion.lesions), False, 0)
    first = (insertion.labels == 1).astype(np.uint8) | study.mask
    found, wrong = _outcomes(head, first)
    assert [x.found for x in found] == [True] + [False] * (len(found) - 1)
    assert wrong == 0
    taken = ndimage.binary_dilation(insertion.study.mask, np.ones((3, 3, 3)), iterations=3)
    z, y, x = np.argwhere(~taken)[0]
    first[z, y, x] = 1
    assert _outcomes(head, first)[1] == 1
    beside = np.zeros_like(study.mask)
    z, y, x = np.argwhere(insertion.labels == 2)[0]
    beside[z, y - 1, x - 1] = 1
    assert _outcomes(head, beside)[0][1].found


def test_a_model_that_calls_everything_lesion_finds_all_and_one_that_calls_nothing_none(
    heads: Path, random: Checkpoint
) -> None:
    everything, nothing = (
        drain(score_simulated(random, heads, device="cpu", postprocessing=PostprocessingConfig(threshold=threshold)))
        for threshold in (0.0, 1.0)
    )
    assert everything.lesions
    assert all(lesion.found for lesion in everything.lesions)
    assert not any(lesion.found for lesion in nothing.lesions)
    assert everything.false_positives == nothing.false_positives == {"head0": 0, "head1": 0, "head2": 0}
    assert everything.seen == ("head1",)
    assert everything.classes()[-1].sensitivity == 1
    assert SimulationScore.model_validate_json(everything.model_dump_json()) == everything
    with pytest.raises(DataError, match="no masked slices of head9"):
        drain(score_simulated(random, heads, patients=["head9"], device="cpu"))


def test_lesions_are_counted_by_diameter_and_folds_pooled(random: Checkpoint) -> None:
    def part(patient: str, *outcomes: tuple[float, bool]) -> SimulationScore:
        shared = {"kind": "solid", "centre": (0, 0, 0), "oedema": 0, "slice_distance": 5, "voxels": 9}
        rows = [SimulatedLesion(patient=patient, diameter=d, found=f, **shared) for d, f in outcomes]
        return SimulationScore(
            model="m",
            weights_sha256=(patient,),
            postprocessing=PostprocessingConfig(),
            simulation=MetastasisConfig(),
            seed=0,
            seen=(),
            false_positives={patient: len(outcomes)},
            lesions=tuple(rows),
        )

    whole = SimulationScore.pooled([part("a", (2, False), (5, True), (20, True)), part("b", (4.9, True))])
    assert [(row.title, row.lesions, row.found) for row in whole.classes()] == [
        ("2 to 5 mm", 2, 1),
        ("5 to 10 mm", 1, 1),
        ("10 to 15 mm", 0, 0),
        ("15 to 20 mm", 1, 1),
        ("all", 4, 3),
    ]
    assert whole.false_per_head == 2
    assert whole.weights_sha256 == ("a", "b")
    assert whole.classes()[-1].interval.low == pytest.approx(0.3006, abs=1e-3), "Wilson 1927 for 3 of 4"
    assert "2 heads" in whole.as_table()
    with pytest.raises(DataError, match="held out the same patient"):
        SimulationScore.pooled([part("a"), part("a")])
    with pytest.raises(DataError, match="different simulations"):
        SimulationScore.pooled([part("a"), part("b").model_copy(update={"seed": 1})])
    with pytest.raises(DataError, match="no fold"):
        SimulationScore.pooled([])
