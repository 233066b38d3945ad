"""What napari's first layers and the first network need, fetched in a thread while nothing else goes on."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import threading
from collections.abc import Iterator

import pint

from metseg.napari_plugin.pipeline import find_choices
from metseg.napari_plugin.state import FoundNetworks

#: Modules that napari imports when the first image and labels layers are made, added and measured.
_MODULES = ("pandas", "skimage.color", "skimage.measure", "scipy.ndimage")
#: What comes with the first network (timm, torchvision and torch's compiler), and what the Retrain tab starts with.
_NETWORKS = ("segmentation_models_pytorch", "metseg.retraining")
#: Two threads that import what imports each other can see modules that are only half there.
_IMPORTING = threading.Lock()


def found_choices() -> FoundNetworks:
    """Networks and devices, see :func:`metseg.napari_plugin.pipeline.find_choices`; run this in a thread.

    What is in memory then, modules above all, is not looked through for garbage again until :func:`gc.unfreeze`: that
    takes half a second, and napari does it whenever a layer is removed.
    """
    _import_for_layers()
    with importing():
        found = find_choices()
        for name in _NETWORKS:
            importlib.import_module(name)
    prepare()
    gc.freeze()
    return found


@functools.cache
def prepare() -> None:
    """Have modules imported and units read, once; run this in a thread.

    Garbage is collected once afterwards. Otherwise Python would do so while the first layers are made, for it has more
    than a quarter more objects now.
    """
    _import_for_layers()
    gc.collect()


def _import_for_layers() -> None:
    with importing():
        pint.Quantity(1.0, "mm")
        for name in _MODULES:
            importlib.import_module(name)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import in a thread what takes long: one thread after the other, and no garbage is collected meanwhile."""
    with _IMPORTING, _uncollected():
        yield


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Have no garbage collected meanwhile.

    Modules are no garbage, but so many objects that Python looks through all there are once or twice while they are
    imported; that takes up to half a second each time, in which the window's thread stands still as well.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
