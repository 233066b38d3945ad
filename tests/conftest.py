"""What every test can rely on: a display if there is one to be had, the real data if there is any, a small model."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from metseg.study import Study

#: Is this a process that pytest-xdist started to run a part of the tests?
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IS_WORKER:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each has a processor, and shall not fight for the others'
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
#: Rooms whose tests share running servers. One worker runs all of a room's tests; elsewhere it takes whole modules.
ROOMS_WITH_SERVERS = {"server", "web"}
settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let Qt draw into memory where pytest-xvfb found no X server to start and none is running.

    Workers each start an X server of their own and find out for themselves.
    """
    if config.getoption("numprocesses", None) and not IS_WORKER:
        return
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give workers whole rooms and modules, those with most tests first: what their fixtures start is started once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByRoomOrModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            room = Path(module).parts[1]
            return room if room in ROOMS_WITH_SERVERS else module

    return ByRoomOrModule(config, log)


@pytest.fixture(scope="session")
def runs_within() -> Callable[[float, Callable[[], object]], None]:
    """Fail unless a call takes less CPU time than that in one of three tries: a shared processor only adds to it."""

    def check(seconds: float, call: Callable[[], object]) -> None:
        taken = []
        for _ in range(3):
            start = time.process_time()
            call()
            taken.append(time.process_time() - start)
            if taken[-1] < seconds:
                return
        pytest.fail(f"took {', '.join(f'{spent:.2f}' for spent in taken)} s of CPU time, not less than {seconds}")

    return check


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository these tests stand in."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def metseg_data() -> Path:
    """The folder of real data that METSEG_DATA names; the test is skipped where there is none."""
    named = os.environ.get("METSEG_DATA")
    if not named:
        pytest.skip("METSEG_DATA is not set: no real data here")
    folder = Path(named)
    if not (folder / "lgg").is_dir():
        pytest.skip(f"METSEG_DATA has no lgg folder: {folder}")
    return folder


@pytest.fixture(scope="session")
def head() -> Study:
    """A synthetic head of ten small slices."""
    from metseg.synthetic import synthetic_study

    return synthetic_study(seed=3, slices=10, size=64)


@pytest.fixture(scope="session")
def two_targets_folder(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Path]) -> Path:
    """Untrained networks under the names that ``auto`` takes: ``best`` and ``metastases``."""
    from metseg.lesions import Target

    folder = tmp_path_factory.mktemp("two_targets")
    write_untrained(folder / "best", seed=1)
    write_untrained(
        folder / "metastases", seed=2, share=0.1, sequences=("post-contrast",), target=Target.ENHANCING_LESION
    )
    return folder


@pytest.fixture
def two_targets(two_targets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let ``auto`` find the two untrained networks first."""
    monkeypatch.setenv("METSEG_WEIGHTS", str(two_targets_folder))
    return two_targets_folder


@pytest.fixture(scope="session")
def write_untrained(head: Study) -> Callable[..., Path]:
    """Write a real checkpoint of a network with random weights, whose threshold calls a share of the head a lesion."""
    import numpy as np
    import torch

    from metseg.checkpoints import ModelCard, load_checkpoint, save_checkpoint
    from metseg.inference import Segmenter
    from metseg.lesions import PostprocessingConfig
    from metseg.networks import NetworkSpec, build_network
    from metseg.preprocessing import PreprocessingConfig

    def write(
        folder: Path,
        *,
        seed: int = 0,
        share: float = 0.5,
        smallest: int = 0,
        sequences: tuple[str, ...] = ("pre-contrast", "flair", "post-contrast"),
        **about: Any,
    ) -> Path:
        torch.manual_seed(seed)
        preprocessing = PreprocessingConfig(size=64, sequences=sequences)
        spec = NetworkSpec.of("attention_unet", in_channels=preprocessing.channels)
        card = ModelCard(name=folder.name, network=spec, preprocessing=preprocessing, **about)
        network = build_network(spec)
        with Segmenter(load_checkpoint(save_checkpoint(folder, network, card))) as segmenter:
            threshold = float(np.quantile(segmenter.segment(head).probabilities, 1 - share))
        fitting = PostprocessingConfig(threshold=round(threshold, 4), fill_holes=False, smallest=smallest)
        return save_checkpoint(folder, network, card.model_copy(update={"postprocessing": fitting}))

    return write
