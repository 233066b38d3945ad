"""Studies through networks: a bounded queue, one thread that runs networks, batches of what waits."""

from metseg.server.engine.batching import Cancelled, ModelThread
from metseg.server.engine.catalogue import Catalogue, Loaded, UnknownModelError
from metseg.server.engine.queue import BusyError, Engine, Slot, Work

__all__ = [
    "BusyError",
    "Cancelled",
    "Catalogue",
    "Engine",
    "Loaded",
    "ModelThread",
    "Slot",
    "UnknownModelError",
    "Work",
]
