"""The segmenter streams progress, stops when asked, and retreats when memory runs out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from metseg.checkpoints import Checkpoint, InferenceConfig, ModelCard, combine, load_checkpoint, save_checkpoint
from metseg.errors import MetsegError
from metseg.events import Finished, Notice, Progress
from metseg.inference import Segmenter, available_devices, resolve_device
from metseg.inference.backend import DeviceMemoryError
from metseg.inference.torch_backend import TorchBackend
from metseg.lesions import GuidedFilter, PostprocessingConfig, SlicePropagation, guided_filter, mask_from_probabilities
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import PreprocessingConfig, Preprocessor
from metseg.study import Sequence, Study
from metseg.synthetic import synthetic_study


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    torch.manual_seed(0)
    network = build_network(NetworkSpec.of("attention_unet"), encoder_weights="bundled")
    card = ModelCard(name="random", network=network.spec, preprocessing=PreprocessingConfig(size=None))
    return load_checkpoint(save_checkpoint(tmp_path_factory.mktemp("weights"), network, card))


@pytest.fixture(scope="module")
def study() -> Study:
    return synthetic_study(0, slices=8, size=96)


class Cramped(TorchBackend):
    """The real backend on a pretended device that has room for ``room`` slices; the CPU has room for any number."""

    room = 2

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        super().__init__(checkpoint, "cpu")
        self.device = device

    def probabilities(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self.device != "cpu" and len(images) > self.room:
            raise DeviceMemoryError(f"{self.device} is out of memory")
        self.device, device = "cpu", self.device
        try:
            return super().probabilities(images)
        finally:
            self.device = device


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_room(room: int) -> None:
        monkeypatch.setattr(Cramped, "room", room)
        monkeypatch.setattr("metseg.inference.segmenter.backend_factory", lambda _: Cramped)
        monkeypatch.setattr("metseg.inference.segmenter.resolve_device", lambda *_: "pretended")

    return set_room


def test_the_stream_counts_slices_and_ends_with_the_result(checkpoint: Checkpoint, study: Study) -> None:
    events = list(Segmenter(checkpoint, device="cpu", batch_size=3).stream(study))
    assert [event.done for event in events if isinstance(event, Progress)] == [0, 3, 6, 8]
    assert isinstance(events[-1], Finished)
    result = events[-1].result
    assert result.probabilities.shape == result.mask.shape == study.shape
    assert result.probabilities.dtype == np.float32
    assert 0 <= result.probabilities.min() <= result.probabilities.max() <= 1
    assert (result.model, result.weights_sha256, result.device) == ("random", checkpoint.sha256, "cpu")
    np.testing.assert_array_equal(
        result.mask, mask_from_probabilities(result.probabilities, checkpoint.card.postprocessing)
    )


def test_closing_the_stream_stops_the_work(checkpoint: Checkpoint, study: Study) -> None:
    ran: list[int] = []

    class Counting(TorchBackend):
        def probabilities(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            ran.append(len(images))
            return super().probabilities(images)

    segmenter = Segmenter(checkpoint, device="cpu", batch_size=2)
    segmenter._open = Counting
    stream = segmenter.stream(study)
    for event in stream:
        if isinstance(event, Progress) and event.done == 2:
            break
    stream.close()  # type: ignore[attr-defined]
    assert ran == [2]


def test_the_batch_size_does_not_change_the_answer(checkpoint: Checkpoint, study: Study) -> None:
    one = Segmenter(checkpoint, device="cpu", batch_size=1).segment(study)
    many = Segmenter(checkpoint, device="cpu", batch_size=8).segment(study)
    np.testing.assert_allclose(one.probabilities, many.probabilities, atol=0.02)


def test_other_post_and_preprocessing_than_the_cards(checkpoint: Checkpoint, study: Study) -> None:
    segmenter = Segmenter(checkpoint, device="cpu")
    everything = segmenter.segment(study, PostprocessingConfig(threshold=0.0))
    assert everything.mask.all()
    plain = PreprocessingConfig(clahe=None, size=None)
    *_, last = segmenter.stream(study, preprocessing=plain)
    assert isinstance(last, Finished)
    assert last.result.preprocessing == plain
    assert not np.array_equal(last.result.probabilities, everything.probabilities)


def test_one_channel_is_segmented_and_said(checkpoint: Checkpoint, study: Study) -> None:
    events = list(Segmenter(checkpoint, device="cpu").stream(study.only(Sequence.FLAIR)))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == [f"{study.name}: no pre-contrast and no post-contrast; flair channel used in place"]
    assert isinstance(events[-1], Finished)


def test_a_full_device_gets_smaller_batches(
    checkpoint: Checkpoint, study: Study, cramped: Callable[[int], None]
) -> None:
    cramped(2)
    segmenter = Segmenter(checkpoint, batch_size=8)
    events = list(segmenter.stream(study))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert [text.rsplit(" ", 5)[-5] for text in notices] == ["4", "2"]
    assert isinstance(events[-1], Finished)
    assert events[-1].result.device == "pretended"
    assert segmenter.batch_size == 2
    expected = Segmenter(checkpoint, device="cpu", batch_size=2)
    expected._open, expected._device = TorchBackend, "cpu"
    np.testing.assert_array_equal(events[-1].result.probabilities, expected.segment(study).probabilities)


def test_a_device_without_room_for_a_slice_gives_way_to_the_cpu(
    checkpoint: Checkpoint, study: Study, cramped: Callable[[int], None]
) -> None:
    cramped(0)
    events = list(Segmenter(checkpoint, batch_size=2).stream(study))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices[-1] == "pretended is out of memory, even for one slice; going on with the CPU"
    assert isinstance(events[-1], Finished)
    assert events[-1].result.device == "cpu"


def test_a_real_allocation_that_fails_is_told_as_memory(checkpoint: Checkpoint) -> None:
    backend = TorchBackend(checkpoint, "cpu")
    impossible = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (2**22, 3, 4096, 4096), (0, 0, 0, 0))
    with pytest.raises(DeviceMemoryError, match="cpu is out of memory"):
        backend.probabilities(impossible)
    assert backend.probabilities(np.zeros((1, 3, 64, 64), np.float32)).shape == (1, 64, 64)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_full_gpu_is_left_and_freed(checkpoint: Checkpoint, study: Study) -> None:
    torch.cuda.empty_cache()
    hog = torch.empty(int(torch.cuda.mem_get_info()[0] * 0.999), dtype=torch.uint8, device="cuda")
    events = list(Segmenter(checkpoint, device="cuda", batch_size=4).stream(study))
    del hog
    torch.cuda.empty_cache()
    assert any(isinstance(event, Notice) and "CPU" in event.text for event in events)
    assert isinstance(events[-1], Finished)
    assert events[-1].result.device == "cpu"


def test_unknown_devices_and_backends_are_named(checkpoint: Checkpoint) -> None:
    assert resolve_device("auto") == available_devices()[0]
    with pytest.raises(MetsegError, match="no device 'cuda:77' here; there is: .*cpu"):
        Segmenter(checkpoint, device="cuda:77")
    with pytest.raises(MetsegError, match="no backend is called 'abacus'"):
        Segmenter(checkpoint, backend="abacus")


def test_a_closed_segmenter_opens_again(checkpoint: Checkpoint, study: Study) -> None:
    segmenter = Segmenter(checkpoint, device="cpu")
    first = segmenter.segment(study)
    segmenter.close()
    np.testing.assert_array_equal(segmenter.segment(study).mask, first.mask)


def test_mirroring_makes_the_answer_symmetric(checkpoint: Checkpoint, study: Study) -> None:
    card = checkpoint.card.model_copy(update={"inference": InferenceConfig(mirror=True)})
    mirrored_study = dataclasses.replace(study, voxels=np.ascontiguousarray(study.voxels[..., ::-1]))
    with Segmenter(dataclasses.replace(checkpoint, card=card), device="cpu") as segmenter:
        one, other = segmenter.segment(study), segmenter.segment(mirrored_study)
    np.testing.assert_allclose(one.probabilities, other.probabilities[..., ::-1], atol=0.02)


def test_temperature_flattens_probabilities_and_keeps_the_mask(checkpoint: Checkpoint, study: Study) -> None:
    card = checkpoint.card.model_copy(update={"inference": InferenceConfig(temperature=2.0)})
    with Segmenter(checkpoint, device="cpu") as plain, Segmenter(dataclasses.replace(checkpoint, card=card)) as warm:
        before, after = plain.segment(study), warm.segment(study)
    np.testing.assert_array_equal(before.mask, after.mask)
    odds = before.probabilities / (1 - before.probabilities)
    np.testing.assert_allclose(after.probabilities, np.sqrt(odds) / (1 + np.sqrt(odds)), atol=1e-3)


def test_refined_probabilities_follow_flair(checkpoint: Checkpoint, study: Study) -> None:
    card = checkpoint.card.model_copy(update={"inference": InferenceConfig(refinement=GuidedFilter(radius=3))})
    with Segmenter(checkpoint, device="cpu") as plain, Segmenter(dataclasses.replace(checkpoint, card=card)) as refined:
        before, after = plain.segment(study), refined.segment(study)
    preprocessor = Preprocessor(card.preprocessing, study.select([Sequence(s) for s in card.preprocessing.sequences]))
    expected = guided_filter(before.probabilities, preprocessor.guide(range(study.shape[0])), GuidedFilter(radius=3))
    np.testing.assert_allclose(after.probabilities, expected, atol=1e-5)
    assert np.abs(after.probabilities - before.probabilities).max() > 0.01


@pytest.mark.slow
def test_lesions_are_carried_on_whatever_the_batches(study: Study) -> None:
    shipped = load_checkpoint("attention_unet")
    always = SlicePropagation(separation=0.5, similarity=0, overlap=1, probability=0.1)
    plain, continued = (
        dataclasses.replace(
            shipped, card=shipped.card.model_copy(update={"inference": InferenceConfig(slice_propagation=settings)})
        )
        for settings in (None, always)
    )
    before = Segmenter(plain, device="cpu").segment(study).probabilities
    whole, parts = (Segmenter(continued, device="cpu", batch_size=size).segment(study) for size in (8, 3))
    assert (whole.probabilities - before).max() > 0.3
    assert (whole.probabilities - before).min() > -0.02
    np.testing.assert_allclose(whole.probabilities, parts.probabilities, atol=0.05)


@pytest.mark.slow
def test_an_ensemble_says_how_far_its_members_are_apart(checkpoint: Checkpoint, study: Study, tmp_path: Path) -> None:
    torch.manual_seed(1)
    second = build_network(checkpoint.card.network)
    other = load_checkpoint(save_checkpoint(tmp_path / "other", second, checkpoint.card))
    both = load_checkpoint(save_checkpoint(tmp_path / "both", *combine([checkpoint, other], "both")))
    plain = [Segmenter(one, device="cpu").segment(study) for one in (checkpoint, other)]
    assert [one.disagreement for one in plain] == [None, None]
    one, two = (answer.probabilities for answer in plain)
    assert np.abs(one - two).max() > 0.05
    together = Segmenter(both, device="cpu", batch_size=3).segment(study)
    assert together.disagreement is not None
    np.testing.assert_allclose(together.disagreement, np.abs(one - two), atol=0.02)
    np.testing.assert_allclose(together.probabilities, (one + two) / 2, atol=0.02)
    mirrored = both.card.model_copy(update={"inference": InferenceConfig(mirror=True)})
    turned = dataclasses.replace(study, voxels=np.ascontiguousarray(study.voxels[..., ::-1]))
    with Segmenter(dataclasses.replace(both, card=mirrored), device="cpu") as segmenter:
        straight, around = segmenter.segment(study).disagreement, segmenter.segment(turned).disagreement
    assert straight is not None
    assert around is not None
    np.testing.assert_allclose(straight, around[..., ::-1], atol=0.02)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
def test_the_same_head_of_any_type_has_the_same_mask(checkpoint: Checkpoint, study: Study, dtype: str) -> None:
    with Segmenter(checkpoint, device="cpu") as segmenter:
        expected = segmenter.segment(dataclasses.replace(study, voxels=study.voxels.astype(np.uint16)))
        got = segmenter.segment(dataclasses.replace(study, voxels=study.voxels.astype(dtype)))
    np.testing.assert_array_equal(got.mask, expected.mask)
    np.testing.assert_array_equal(got.probabilities, expected.probabilities)


@pytest.mark.parametrize(
    ("value", "offset", "dtype"), [(-1024, 0, "int16"), (-32768, 0, "int16"), (0, 32768, "uint16")]
)
def test_padding_does_not_change_the_mask(
    checkpoint: Checkpoint, study: Study, value: int, offset: int, dtype: str
) -> None:
    corners = np.add.outer(np.arange(96), np.arange(96)) < 40
    air = study.voxels[..., ~corners].min(axis=(1, 2))[:, None, None, None]
    plain = np.where(corners, air, study.voxels)
    padded = np.where(corners, value, study.voxels.astype(np.int32) + offset).astype(dtype)
    with Segmenter(checkpoint, device="cpu") as segmenter:
        expected = segmenter.segment(dataclasses.replace(study, voxels=plain))
        got = segmenter.segment(dataclasses.replace(study, voxels=padded))
    np.testing.assert_array_equal(got.mask, expected.mask)
