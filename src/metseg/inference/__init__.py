"""A study in, probabilities and a mask out, as a stream of progress events."""

from metseg.inference.backend import Backend, BackendFactory, DeviceMemoryError, EnsembleBackend, backend_factory
from metseg.inference.chosen import Segmenters
from metseg.inference.devices import available_devices, resolve_device
from metseg.inference.segmenter import Segmentation, Segmenter

__all__ = [
    "Backend",
    "BackendFactory",
    "DeviceMemoryError",
    "EnsembleBackend",
    "Segmentation",
    "Segmenter",
    "Segmenters",
    "available_devices",
    "backend_factory",
    "resolve_device",
]
