"""The application: what it is made of, and how it starts and ends."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from socket import gethostname
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer

from metseg import __version__
from metseg.ray_cluster import require_ray
from metseg.server.access import AccessMiddleware
from metseg.server.access_log import AccessLogMiddleware
from metseg.server.description import described
from metseg.server.draining import Draining
from metseg.server.engine import Engine, ModelRegistry, ModelThread, Runner, ThreadRunner
from metseg.server.jobs import Jobs
from metseg.server.logs import configure_logs, log
from metseg.server.metrics import Metrics
from metseg.server.problems import add_problem_handlers
from metseg.server.routes import ROUTERS
from metseg.server.services import Services
from metseg.server.settings import Settings, require_token, settings_from_environment
from metseg.server.slicer import slicer_routers
from metseg.server.upload_decoding import Decoder, Limits

_DESCRIPTION = """Outline lesions in brain MRI. For research; not a medical device; every outline must be checked by a
person."""
#: Upload forms: one file, some stray fields that are then refused by name.
_FORM_LIMITS: Any = {"max_files": 1, "max_fields": 64, "max_part_size": 4096}
#: Routers that need no token.
_OPEN_TAGS = (["health"], ["auth"])


def create_app(settings: Settings, routers: Sequence[APIRouter] = ROUTERS) -> FastAPI:
    """The application with its middleware and routes; its models are loaded when it starts.

    Raises
    ------
    DataError
        If others could reach it without a token.
    MissingExtraError
        If it is to run on Ray, which is not installed.
    """
    require_token(settings, settings.host)
    if settings.engine == "ray":
        require_ray("ray.serve")
    metrics = Metrics()
    draining = Draining(settings.drain_seconds)
    app = FastAPI(
        title="metseg",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan(settings, metrics, draining),
        docs_url=None,
        redoc_url=None,
        form_limits=_FORM_LIMITS,
        redirect_slashes=False,
    )
    app.add_middleware(AccessMiddleware, settings=settings)
    app.add_middleware(AccessLogMiddleware, metrics=metrics, draining=draining)
    add_problem_handlers(app)
    protected = [] if settings.token is None else [Depends(HTTPBearer(auto_error=False))]
    for router in (*routers, *slicer_routers(settings)):
        dependencies = protected if router.tags not in _OPEN_TAGS else []
        app.include_router(router, dependencies=dependencies, max_body_size=settings.upload_bytes)
    app.openapi = described(app)  # type: ignore[method-assign]
    return app


def app_from_environment() -> FastAPI:
    """The application that ``uvicorn metseg.server:app`` serves.

    DataError if the environment is not understood, or others could reach the server without a token.
    """
    settings = settings_from_environment()
    host = _uvicorn_host()
    return create_app(settings if host is None else settings.model_copy(update={"host": host}))


def _uvicorn_host() -> str | None:
    """The address in uvicorn's command line, if that is what runs."""
    import click

    context = click.get_current_context(silent=True)
    host = None if context is None else context.params.get("host")
    return host if isinstance(host, str) else None


def _lifespan(settings: Settings, metrics: Metrics, draining: Draining) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logs()
        services = _services(settings, metrics, draining)
        app.state.services = services
        _show(services)
        try:
            await services.decoder.warm()
            model = await to_thread.run_sync(services.model_registry.load_default)
            _set_aside_what_stays()
            services.ready = True
            draining.install()
            log("ready", model=model.name, device=services.runner.device)
            yield
        finally:
            services.ready = False
            gc.unfreeze()
            draining.restore()
            services.jobs.close()
            await to_thread.run_sync(services.engine.close)
            await to_thread.run_sync(services.runner.close)
            log("closed")

    return lifespan


def _set_aside_what_stays() -> None:
    """Leave what has been imported and loaded out of every later search for garbage, which stops all threads."""
    gc.collect()
    gc.freeze()


def _services(settings: Settings, metrics: Metrics, draining: Draining) -> Services:
    runner = _runner(settings, metrics)
    registry = ModelRegistry(settings.model, kept=settings.models_kept, runner=runner)
    engine = Engine(runner, waiting=settings.waiting, samples=settings.samples)
    decoder = Decoder(
        Limits(settings.samples, settings.slices, settings.side),
        processes=settings.decoders,
        seconds=settings.decode_seconds,
        mib=settings.decode_mib,
    )
    jobs = Jobs(engine, settings.jobs, settings.job_mib, settings.job_seconds)
    return Services(settings, metrics, draining, decoder, runner, registry, engine, jobs)


def _runner(settings: Settings, metrics: Metrics) -> Runner:
    if settings.engine == "local":
        return ThreadRunner(ModelThread(metrics.observe_batch), device=settings.device, batch=settings.batch)
    from metseg.server.engine.replicas import ReplicaRunner

    return ReplicaRunner(
        device=settings.device,
        batch=settings.batch,
        kept=settings.models_kept,
        workers=settings.workers,
        name=f"metseg {gethostname()}:{settings.port or os.getpid()}",
    )


def _show(services: Services) -> None:
    metrics = services.metrics
    metrics.gauge("studies_waiting", "Studies that wait for a network or are in it.", lambda: services.engine.slots)
    metrics.gauge("slices_waiting", "Slices that wait for a network here.", lambda: services.runner.slices_waiting)
    metrics.gauge("workers", "Processes that run networks.", lambda: services.runner.workers)
    metrics.gauge("jobs", "Jobs that are kept.", lambda: services.jobs.count)
    metrics.gauge("models_loaded", "Models that are loaded.", lambda: len(services.model_registry.loaded))
