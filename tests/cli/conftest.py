"""A command line to call, a small network to call it with, and patients to call it on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from metseg.cli import main
from metseg.study import Study, write_tiff
from metseg.synthetic import synthetic_study


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


Metseg = Callable[..., Outcome]


@pytest.fixture
def metseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Metseg:
    """Run the command in this process, wide enough that no line is folded."""
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["metseg", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 0
        written = capsys.readouterr()
        return Outcome(status, written.out, written.err)

    return run


@pytest.fixture(scope="session")
def head() -> Study:
    return synthetic_study(seed=3, slices=10, size=64)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, head: Study) -> Path:
    """A real checkpoint of a network with random weights, whose threshold calls half of a head a lesion."""
    import torch

    from metseg.checkpoints import ModelCard, load_checkpoint, save_checkpoint
    from metseg.inference import Segmenter
    from metseg.lesions import PostprocessingConfig
    from metseg.networks import NetworkSpec, build_network
    from metseg.preprocessing import PreprocessingConfig

    torch.manual_seed(0)
    spec = NetworkSpec.of("attention_unet")
    card = ModelCard(name="random", network=spec, preprocessing=PreprocessingConfig(size=64))
    network = build_network(spec)
    path = save_checkpoint(tmp_path_factory.mktemp("random"), network, card)
    with Segmenter(load_checkpoint(path)) as segmenter:
        median = float(np.median(segmenter.segment(head).probabilities))
    fitting = PostprocessingConfig(threshold=round(median, 4), fill_holes=False)
    return save_checkpoint(path.parent, network, card.model_copy(update={"postprocessing": fitting}))


WritePatient = Callable[..., Path]


@pytest.fixture
def write_patient(head: Study) -> WritePatient:
    """Write slices of a synthetic head as a patient's folder, with or without masks."""

    def write(folder: Path, *, slices: int = 10, masks: bool = True, channel: int | None = None) -> Path:
        folder.mkdir(parents=True)
        assert head.mask is not None
        for z in range(slices):
            pixels = head.voxels[:, z].transpose(1, 2, 0) if channel is None else head.voxels[channel, z]
            write_tiff(folder / f"{folder.name}_{z + 1}.tif", np.ascontiguousarray(pixels))
            if masks:
                write_tiff(folder / f"{folder.name}_{z + 1}_mask.tif", head.mask[z] * np.uint8(255))
        return folder

    return write
