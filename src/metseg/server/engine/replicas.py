"""Networks in the workers of a Ray cluster: replicas of a deployment of Ray Serve (docs.ray.io/serve)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg.checkpoints import ModelCard, load_checkpoint
from metseg.errors import CheckpointError, MetsegError
from metseg.events import Event, Finished, Progress
from metseg.inference import Segmentation
from metseg.inference.backend import ENVIRONMENT
from metseg.lesions import PostprocessingConfig
from metseg.ray_cluster import LOOPBACK, has_address, join_cluster, plan_workers
from metseg.server.engine.kept_models import KeptModels
from metseg.server.engine.model_thread import Cancelled, ModelThread
from metseg.server.engine.runner import ThreadRunner, WorkersLostError
from metseg.server.engine.work import LoadedModel, Work
from metseg.server.logs import log
from metseg.study import Study

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

_DEPLOYMENT = "networks"
#: What replicas call every study: its name may be a patient's.
_NAME = "study of a metseg server"
#: Studies that a replica takes at once: while one is in the network, another is prepared.
_AT_ONCE = 2
#: Replicas that a study is given to, one after the other, as long as they end over it.
_ATTEMPTS = 2
#: Seconds of too much work after which a replica more is started, and those over which the work is averaged.
_UPSCALE_SECONDS, _AVERAGED_SECONDS = 5, 15
#: Seconds between two looks at the replicas, and after which the last one no longer counts.
_LOOK_SECONDS, _STALE_SECONDS = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as a replica finds it.

    Attributes
    ----------
    name : str
        Under which it is asked for.
    path : Path
        Its file; the same on every machine.
    sha256 : str
        Hash of that.
    """

    name: str
    path: Path
    sha256: str

    @classmethod
    def of(cls, model: LoadedModel) -> ModelFile:
        """The file of ``model``."""
        return cls(model.name, model.checkpoint.path.resolve(), model.checkpoint.sha256)

    def load(self) -> LoadedModel:
        """The model; CheckpointError if it is not there, or another."""
        checkpoint = load_checkpoint(str(self.path))
        if checkpoint.sha256 != self.sha256:
            raise CheckpointError(f"{self.path}: is another model here than on the server's machine")
        return LoadedModel(self.name, checkpoint)


class Replica:
    """A worker: networks on one device, as many kept loaded as in a server's own process.

    Parameters
    ----------
    first : ModelFile
        The model that is loaded and warmed before the first study.
    device, batch, kept
        See :class:`ThreadRunner` and :class:`KeptModels`.
    backend : str or None
        The server's ``METSEG_BACKEND``.
    """

    def __init__(self, first: ModelFile, device: str, batch: int, kept: int, backend: str | None) -> None:
        _listen_on_loopback()
        if backend is not None:
            os.environ[ENVIRONMENT] = backend
        self._runner = ThreadRunner(ModelThread(lambda slices, seconds: None), device=device, batch=batch)
        self._models = KeptModels(self._runner, kept)
        self._models.get(first.sha256, first.load)

    async def device(self) -> str:
        """Where the networks run."""
        return self._runner.device

    async def stream(
        self, study: Study, model: ModelFile, card: ModelCard, postprocessing: PostprocessingConfig
    ) -> AsyncGenerator[Event[dict[str, Any]], None]:
        """Segment ``study`` with ``model`` as ``card`` says; the last event has the parts of the segmentation."""
        loop = asyncio.get_running_loop()
        loaded = await loop.run_in_executor(None, partial(self._models.get, model.sha256, model.load))
        changed = replace(loaded, checkpoint=replace(loaded.checkpoint, card=card))
        work = Work(study, changed, postprocessing, Progress(0, study.shape[0]))
        events = self._runner.stream(work)
        with ThreadPoolExecutor(1, thread_name_prefix="metseg-study") as thread:
            try:
                while (event := await loop.run_in_executor(thread, next, events, None)) is not None:
                    yield Finished(_parts(event.result)) if isinstance(event, Finished) else event
            finally:  # at the end, and where the study was given up
                work.cancelled.set()
                self._runner.withdraw(work)
                await loop.run_in_executor(thread, events.close)


def _listen_on_loopback() -> None:
    """Keep this process' gRPC server off the network: Serve opens it on every address, and nothing here uses it."""
    module: Any = import_module("ray.serve._private.replica")
    add_port = module.add_port_to_grpc_server
    module.add_port_to_grpc_server = lambda server, address: add_port(server, f"{LOOPBACK}:0")


def _parts(result: Segmentation) -> dict[str, Any]:
    """The fields of a segmentation, with the names of the study's sequences in place of the study."""
    parts = {field.name: getattr(result, field.name) for field in fields(result) if field.name != "study"}
    return {**parts, "sequences": result.study.sequences}


def _own(event: Event[dict[str, Any]], study: Study) -> Event[Segmentation]:
    """A replica's event with what it was not told of ``study``, its name among it."""
    match event:
        case Finished(result=parts):
            return Finished(_segmentation(study, parts))
        case Progress():
            return replace(event, what=event.what.replace(_NAME, study.name))
    return replace(event, text=event.text.replace(_NAME, study.name))


def _segmentation(study: Study, parts: dict[str, Any]) -> Segmentation:
    """The segmentation of ``study`` with these parts, which are copied out of Ray's shared memory."""
    own = deepcopy(parts)
    return Segmentation(study=replace(study, sequences=own.pop("sequences")), **own)


class ReplicaRunner:
    """Runs networks in replicas: one for each GPU, or for each machine of a cluster without, as many as are needed.

    Joins the cluster that ``RAY_ADDRESS`` names, or starts Ray on this machine. All machines must see the models under
    the same paths. Voxels, geometry and names of sequences are sent to the replicas, and nothing else of a study. A
    replica that dies is replaced, and what it was at done again, once.

    To be made in the main thread; see :func:`metseg.ray_cluster.join_cluster`.

    Parameters
    ----------
    device, batch, kept
        See :class:`Replica`; networks are on GPUs if ``device`` is ``auto`` or ``cuda`` and the cluster has any.
    workers : int or None
        Another largest number of replicas.
    name : str
        Of the application; one of that name that is there is replaced.

    MetsegError if Ray does not start, or its cluster cannot be reached.
    """

    slices_waiting = 0

    def __init__(self, *, device: str, batch: int, kept: int, workers: int | None, name: str) -> None:
        from ray import serve
        from ray.serve.schema import LoggingConfig

        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        with _sigterm_kept():
            self._started = join_cluster()
        serve.start(proxy_location="Disabled", logging_config=LoggingConfig(log_level="ERROR", enable_access_log=False))
        self.device = device
        self._workers = plan_workers(device, workers)
        self.at_once = _AT_ONCE * self._workers.count
        self._settings = (device, batch, kept, os.environ.get(ENVIRONMENT))
        self._name = name
        self._handle: DeploymentHandle[Replica] | None = None
        self._responses: dict[Work, DeploymentResponseGenerator[Any]] = {}
        self._lock = threading.Lock()
        self._seen = (0, time.monotonic())
        self._closed = threading.Event()
        self._looking = threading.Thread(target=self._look, name="metseg-replicas", daemon=True)

    @property
    def workers(self) -> int:
        """See :class:`Runner`."""
        count, when = self._seen
        return count if time.monotonic() - when < _STALE_SECONDS else 0

    def warm(self, model: LoadedModel) -> None:
        """Start the replicas with the first model; they load the others when they are first asked for them.

        MetsegError if they cannot be started.
        """
        if self._handle is None:
            self._handle = self._deploy(model)
            self.device = self._handle.device.remote().result()
            self._seen = (1, time.monotonic())
            self._looking.start()

    def drop(self, model: LoadedModel) -> None:
        """Nothing: each replica drops models by itself."""

    def stream(self, work: Work) -> Generator[Event[Segmentation], None, None]:
        """See :class:`Runner`."""
        from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError

        for _ in range(_ATTEMPTS):
            try:
                yield from self._attempt(work)
            except (RayActorError, OutOfMemoryError, ObjectLostError):
                yield Progress(0, work.study.shape[0])
                work.notices.clear()
                log("a worker ended over a study", logging.WARNING)
            else:
                return
        raise WorkersLostError(
            "two workers ended one after the other over this study, perhaps for lack of memory; Ray's log says more"
        )

    def withdraw(self, work: Work) -> None:
        """See :class:`Runner`."""
        with self._lock:
            response = self._responses.get(work)
        if response is not None:
            response.cancel()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """See :class:`Runner`."""
        import ray
        from ray import serve

        self._closed.set()
        if self._looking.is_alive():
            self._looking.join(_STALE_SECONDS)  # it would join Ray again
        try:
            if has_address():
                serve.delete(self._name)
        finally:
            if self._started:
                ray.shutdown()

    def _deploy(self, model: LoadedModel) -> DeploymentHandle[Replica]:
        from ray import serve

        deployment = serve.deployment(
            name=_DEPLOYMENT,
            max_ongoing_requests=_AT_ONCE,
            autoscaling_config={
                "min_replicas": 1,
                "max_replicas": self._workers.count,
                "target_ongoing_requests": 1,
                "upscale_delay_s": _UPSCALE_SECONDS,
                "look_back_period_s": _AVERAGED_SECONDS,
            },
            ray_actor_options={"num_cpus": self._workers.cpus, "num_gpus": self._workers.gpus},
            health_check_period_s=_LOOK_SECONDS,
        )
        replicas = deployment(Replica).bind(ModelFile.of(model), *self._settings)
        try:
            return serve.run(replicas, name=self._name, route_prefix=None)
        except RuntimeError as error:
            raise MetsegError(f"Ray could not start a worker: {error}") from error

    def _attempt(self, work: Work) -> Generator[Event[Segmentation], None, None]:
        """Have a replica segment a study; an error of Ray's if the replica ends."""
        from ray.exceptions import RayTaskError
        from ray.serve.exceptions import RequestCancelledError

        if self._handle is None:
            raise RuntimeError("no model was warmed")
        sent = replace(work.study, name=_NAME, mask=None, slices=(), stored=None, patient="", date=None)
        stream: Any = self._handle.options(method_name="stream", stream=True)
        response: DeploymentResponseGenerator[Any] = stream.remote(
            sent, ModelFile.of(work.model), work.model.checkpoint.card, work.postprocessing
        )
        with self._lock:
            self._responses[work] = response
        finished = False
        try:
            if work.cancelled.is_set():
                response.cancel()  # type: ignore[no-untyped-call]
            for event in response:
                finished = isinstance(event, Finished)
                yield _own(event, work.study)
        except RequestCancelledError:
            raise Cancelled("the request was given up") from None
        except RayTaskError as error:
            raise error.cause from None
        finally:
            with self._lock:
                del self._responses[work]
            if not finished:
                response.cancel()  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        """Count the replicas until the server closes."""
        while not self._closed.wait(_LOOK_SECONDS):
            self._seen = (self._running(), time.monotonic())

    def _running(self) -> int:
        from ray import serve

        try:
            states = serve.status().applications[self._name].deployments[_DEPLOYMENT].replica_states
        except Exception:  # whatever it is: none is known to run, until it is asked again
            return 0
        return sum(count for state, count in states.items() if state == "RUNNING")


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM: that of Ray would end the server at once."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
