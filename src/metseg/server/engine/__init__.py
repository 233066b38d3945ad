"""Studies through networks: a bounded queue, and what runs the networks."""

from metseg.server.engine.model_registry import ModelRegistry, UnknownModelError
from metseg.server.engine.model_thread import Cancelled, ModelThread
from metseg.server.engine.queue import Engine, QueueFullError, QueueSlot
from metseg.server.engine.runner import Runner, ThreadRunner, WorkersLostError
from metseg.server.engine.work import LoadedModel, Work

__all__ = [
    "QueueFullError",
    "Cancelled",
    "ModelRegistry",
    "Engine",
    "LoadedModel",
    "ModelThread",
    "Runner",
    "QueueSlot",
    "ThreadRunner",
    "UnknownModelError",
    "Work",
    "WorkersLostError",
]
