"""A real viewer, a real (untrained) network in a real checkpoint, a small head."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg.study import TRIPLET, Geometry, Study

pytest.importorskip("napari", reason="napari is not installed")


def _has_screen() -> bool:
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return True
    return os.environ.get("QT_QPA_PLATFORM") == "offscreen" or importlib.util.find_spec("pytest_xvfb") is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _has_screen():
        here = Path(__file__).parent
        skip = pytest.mark.skip(reason="no display, and Qt's offscreen platform was not asked for")
        for item in items:
            if here in item.path.parents:
                item.add_marker(skip)


def _head(
    name: str = "head", *, slices: int = 6, size: int = 64, spacing: Any = (5.0, 0.9, 0.9), seed: int = 0
) -> Study:
    """A ball of tissue with a bright lesion, and the lesion's mask."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:slices, :size, :size]
    tissue = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size * 0.42) ** 2
    lesion = (z - slices / 2) ** 2 * 9 + (y - size * 0.4) ** 2 + (x - size * 0.6) ** 2 < (size * 0.12) ** 2
    flair = 40 + 80.0 * tissue + 90.0 * lesion
    channels = [0.7 * flair, flair, 0.9 * flair + 20 * lesion]
    voxels = np.stack([np.clip(channel + rng.normal(0, 4, flair.shape), 0, 255) for channel in channels])
    return Study(name, voxels.astype(np.uint8), TRIPLET, lesion.astype(np.uint8), Geometry.spaced(spacing))


@pytest.fixture
def study() -> Study:
    return _head()


@pytest.fixture
def make_head() -> Callable[..., Study]:
    return _head


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as METSEG_WEIGHTS names it, with one checkpoint called ``tiny``.

    It has learnt nothing, but its normalisation layers know the head and its logits spread about 0, so that its
    outlines depend on what it is shown.
    """
    import torch

    from metseg.checkpoints import ModelCard, save_checkpoint
    from metseg.networks import NetworkSpec, build_network
    from metseg.preprocessing import PreprocessingConfig, Preprocessor

    torch.manual_seed(1)
    spec = NetworkSpec.of("nested_unet")
    network = build_network(spec)
    card = ModelCard(name="tiny", network=spec, preprocessing=PreprocessingConfig(size=64))
    images = torch.from_numpy(Preprocessor(card.preprocessing, _head().voxels).images(range(6)))
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    last = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
        network.train()(images)
        logits = network.eval()(images)
        gain = 2 / logits.std()
        last.weight *= gain
        last.bias.copy_((last.bias - logits.mean()) * gain)
    folder = tmp_path_factory.mktemp("weights")
    save_checkpoint(folder / "tiny", network, card)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _quick_garbage_collection(weights: Path) -> Iterator[None]:
    """Take what was imported up to here out of garbage collection, which every viewer asks for when it closes."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def patiently(qtbot: Any) -> Callable[[Callable[[], object]], None]:
    """Let Qt work until something is true."""

    def wait(condition: Callable[[], object], seconds: float = 90) -> None:
        qtbot.waitUntil(lambda: bool(condition()), timeout=int(seconds * 1000))

    return wait


@pytest.fixture
def at_slice() -> Callable[..., None]:
    """Do something in the very event that reports how many slices are ready: a look now and then may miss it."""

    def register(widget: Any, ready: int, action: Callable[[], object]) -> None:
        progress = widget.state.events.progress

        def on_progress(event: Any) -> None:
            if event.done >= ready:
                progress.disconnect(on_progress)
                action()

        progress.connect(on_progress)

    return register


@pytest.fixture(scope="module")
def window(qapp: Any) -> Iterator[Any]:
    """One napari window for the tests of a module, since opening one takes longer than most of them; nothing leaks."""
    from napari import Viewer
    from napari._qt.qt_main_window import _QtMainWindow
    from napari._qt.qt_viewer import QtViewer
    from napari._qt.threads.status_checker import StatusChecker
    from napari.settings import get_settings
    from napari.utils._proxies import PublicOnlyProxy

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "True")
        patch.setattr(StatusChecker, "start", lambda *_: None)
        patch.setattr(_QtMainWindow, "_save_current_window_settings", lambda *_: None)
        get_settings().reset()
        viewer = Viewer(show=False, show_welcome_screen=False)
        yield PublicOnlyProxy(viewer)
        viewer.close()
        del viewer
        qapp.processEvents()
        gc.collect()
        assert not len(QtViewer._instances)


@pytest.fixture
def viewer(window: Any) -> Iterator[Any]:
    """An empty viewer as plugins get it: public attributes only, layers written in the window's thread only."""
    yield window
    window.window.remove_dock_widget("all")
    window.layers.clear()
    window.dims.ndisplay = 2
    window.dims.order = tuple(range(window.dims.ndim))


@pytest.fixture
def open_widget(
    viewer: Any, weights: Path, monkeypatch: pytest.MonkeyPatch, patiently: Callable[..., None]
) -> Callable[..., Any]:
    """Open the widget from napari's menu of plugins; with ``tiny`` as its network, if no other folder is given."""

    def open_one(folder: Path | None = None) -> Any:
        monkeypatch.setenv("METSEG_WEIGHTS", str(folder or weights))
        _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Segment lesions")
        patiently(lambda: not widget.state.searching)
        if folder is None:
            widget.state.model = "tiny"
        return widget

    return open_one


@pytest.fixture
def notifications() -> Iterator[list[str]]:
    """What napari was told to show."""
    from napari.utils.notifications import notification_manager

    shown: list[str] = []

    def keep(notification: Any) -> None:
        shown.append(f"{notification.severity}: {notification.message}")

    notification_manager.notification_ready.connect(keep)
    yield shown
    notification_manager.notification_ready.disconnect(keep)


@pytest.fixture
def add() -> Callable[[Any, Study], None]:
    """Shows a study as the reader does, without its mask."""
    from metseg.napari_plugin.layers import study_layers

    def show(viewer: Any, study: Study) -> None:
        for data, keywords, kind in study_layers(study):
            if kind == "image":
                viewer.add_image(data, **keywords)

    return show


@pytest.fixture
def ready(viewer: Any, open_widget: Callable[[], Any], study: Study, add: Callable[[Any, Study], None]) -> Any:
    """The widget, with a study open."""
    add(viewer, study)
    return open_widget()


@pytest.fixture
def run() -> Callable[..., None]:
    """Presses Run in a widget and waits."""
    from metseg.napari_plugin.state import Activity

    def press(widget: Any, patiently: Callable[..., None]) -> None:
        assert widget.run.run.isEnabled(), widget.run.run.toolTip()
        widget.run.run.click()
        assert widget.state.activity is Activity.RUNNING
        patiently(lambda: not widget.controller.busy)

    return press


@pytest.fixture
def outlines() -> Callable[[Any], list[Any]]:
    """Finds a viewer's layers of lesions."""
    return lambda viewer: [layer for layer in viewer.layers if layer.name.startswith("lesions")]
