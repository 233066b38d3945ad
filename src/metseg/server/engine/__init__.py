"""Studies through networks: a bounded queue, and what runs the networks."""

from metseg.server.engine.model_registry import ModelRegistry, UnknownModelError
from metseg.server.engine.model_thread import Cancelled, ModelThread
from metseg.server.engine.queue import BusyError, Engine, Slot
from metseg.server.engine.runner import Runner, ThreadRunner, WorkersLostError
from metseg.server.engine.work import Loaded, Work

__all__ = [
    "BusyError",
    "Cancelled",
    "ModelRegistry",
    "Engine",
    "Loaded",
    "ModelThread",
    "Runner",
    "Slot",
    "ThreadRunner",
    "UnknownModelError",
    "Work",
    "WorkersLostError",
]
