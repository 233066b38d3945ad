"""Studies through networks: a bounded queue, and one thread that runs networks."""

from metseg.server.engine.model_registry import Loaded, ModelRegistry, UnknownModelError
from metseg.server.engine.model_thread import Cancelled, ModelThread
from metseg.server.engine.queue import BusyError, Engine, Slot, Work

__all__ = [
    "BusyError",
    "Cancelled",
    "ModelRegistry",
    "Engine",
    "Loaded",
    "ModelThread",
    "Slot",
    "UnknownModelError",
    "Work",
]
