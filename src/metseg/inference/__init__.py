"""A study in, probabilities and a mask out, as a stream of progress events."""

from metseg.inference.backend import (
    Backend,
    DeviceMemoryError,
    backend_devices,
    backend_factory,
)
from metseg.inference.brain_extraction import extract_brain, find_brain, locate_brain
from metseg.inference.devices import available_devices, resolve_device
from metseg.inference.opening import Segmenters, open_segmenter
from metseg.inference.segmentation import Segmentation, with_surroundings
from metseg.inference.segmenter import Closeable, Segmenter, StudySegmenter

__all__ = [
    "Backend",
    "Closeable",
    "DeviceMemoryError",
    "Segmentation",
    "Segmenter",
    "Segmenters",
    "StudySegmenter",
    "available_devices",
    "backend_devices",
    "backend_factory",
    "extract_brain",
    "find_brain",
    "locate_brain",
    "open_segmenter",
    "resolve_device",
    "with_surroundings",
]
