"""The volumetric network starts as a slice-wise one and learns to look along z."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from metseg.checkpoints import ModelCard, load_checkpoint, save_checkpoint
from metseg.inference import Segmenter
from metseg.inference.torch_backend import TorchBackend
from metseg.networks import ARCHITECTURES, NetworkSpec, SegmentationNetwork, build_network
from metseg.networks.unet3d import SliceMixing
from metseg.preprocessing import PreprocessingConfig
from metseg.synthetic import synthetic_study

MARGIN = ARCHITECTURES["unet3d"].margin
STACK = torch.rand(11, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_network(NetworkSpec.of("unet3d"), encoder_weights="bundled").eval()


def mixing(network: SegmentationNetwork) -> SegmentationNetwork:
    """``network`` with slices that do influence each other."""
    for module in network.modules():
        if isinstance(module, SliceMixing):
            torch.nn.init.constant_(module.norm.weight, 0.5)
    return network


@torch.inference_mode()
def test_untrained_it_treats_every_slice_by_itself(network: SegmentationNetwork) -> None:
    torch.testing.assert_close(network(STACK)[3:4], network(STACK[3:4]), atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_slice_is_changed_by_neighbours_within_the_margin_and_no_others(network: SegmentationNetwork) -> None:
    before = mixing(network)(STACK)
    changed = STACK.clone()
    changed[0] = 1 - changed[0]
    difference = (network(changed) - before).abs().amax(dim=(1, 2, 3))
    assert (difference[: MARGIN + 1] > 1e-6).all()
    torch.testing.assert_close(
        difference[MARGIN + 1 :],
        torch.zeros(len(STACK) - MARGIN - 1),
        atol=1e-7,
        rtol=0,
    )


@torch.inference_mode()
def test_stacks_in_one_batch_do_not_mix(network: SegmentationNetwork) -> None:
    both = torch.stack([STACK[:4], STACK[4:8]])
    together = mixing(network)(both)
    torch.testing.assert_close(together[1], network(both[1]), atol=1e-4, rtol=1e-4)


def test_mixing_learns_from_its_identity_start(network: SegmentationNetwork) -> None:
    network.train()(STACK[:4]).square().mean().backward()
    gammas = [module.norm.weight for module in network.modules() if isinstance(module, SliceMixing)]
    assert all(gamma.grad is not None and gamma.grad.abs().sum() > 0 for gamma in gammas)


def test_the_segmenter_gives_it_its_margin(tmp_path: Path, network: SegmentationNetwork) -> None:
    card = ModelCard(name="deep", network=network.spec, preprocessing=PreprocessingConfig(clahe=None, size=None))
    checkpoint = load_checkpoint(save_checkpoint(tmp_path, mixing(network), card))
    study = synthetic_study(0, slices=12, size=64)
    answers = []
    for batch_size in (2, 12):
        with Segmenter(checkpoint, device="cpu") as segmenter:
            segmenter.batch_size = batch_size
            answers.append(segmenter.segment(study).probabilities)
    np.testing.assert_allclose(answers[0], answers[1], atol=0.03)


def test_margins_are_not_computed_again_and_again(tmp_path: Path, network: SegmentationNetwork) -> None:
    card = ModelCard(name="deep", network=network.spec, preprocessing=PreprocessingConfig(clahe=None, size=None))
    checkpoint = load_checkpoint(save_checkpoint(tmp_path, network, card))
    computed: list[int] = []

    class Counting(TorchBackend):
        def probabilities(self, images: np.ndarray) -> np.ndarray:
            computed.append(len(images))
            return super().probabilities(images)

    with Segmenter(checkpoint, device="cpu", batch_size=1, backend=Counting) as segmenter:
        segmenter.segment(synthetic_study(0, slices=40, size=64))
    assert sum(computed) <= 1.25 * 40
