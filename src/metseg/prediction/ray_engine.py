"""Workers on the machines of a Ray cluster, or on this one."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from metseg.errors import MetsegError
from metseg.prediction.manifest import ManifestRow
from metseg.prediction.manifest_run import Engine, ManifestWorker, NetworkSettings, RowResult
from metseg.prediction.predictor import PredictionSettings

_LOOPBACK = "127.0.0.1"
#: Parts that rows are dealt out in; results come part by part.
_MOST_PARTS = 5000


def ray_engine(workers: int | None = None) -> Engine:
    """Make an engine of Ray Data (docs.ray.io), whose workers are actors that keep the networks loaded.

    Joins the cluster that ``RAY_ADDRESS`` names; without it Ray is started on this machine, on the loopback alone. All
    machines must see the studies and the output folder under the same paths. A worker that dies is
    replaced, and what it was at done again.

    Parameters
    ----------
    workers : int, optional
        How many; unless given, one for each GPU of the cluster, or one for each machine of a cluster without.

    Raises
    ------
    MetsegError
        If Ray is not installed; from the engine, if a network cannot be opened, or the cluster is gone.
    """
    try:
        import ray.data  # noqa: F401
    except ModuleNotFoundError as missing:
        raise MetsegError(f"--engine ray needs {missing.name}: pip install napari-metseg[scale]") from None
    return partial(_run, workers)


def _run(
    wanted: int | None, networks: NetworkSettings, settings: PredictionSettings, output: Path, rows: list[ManifestRow]
) -> Iterator[RowResult]:
    import ray
    from ray.data import ActorPoolStrategy
    from ray.exceptions import RayError

    started = _join()
    try:
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        resources = [node["Resources"] for node in nodes if node["Alive"]]
        gpus = int(sum(one.get("GPU", 0) for one in resources)) if networks.device in ("auto", "cuda") else 0
        workers, cpus = worker_sizes([int(one.get("CPU", 0)) for one in resources], gpus, wanted, len(rows))
        ray.data.DataContext.get_current().enable_progress_bars = False
        studies = ray.data.from_items(
            [{"row": row.model_dump_json()} for row in rows], override_num_blocks=min(len(rows), _MOST_PARTS)
        )
        results = studies.map(
            _Actor,  # type: ignore[arg-type] # a class whose instances are called
            fn_constructor_args=(networks, settings, output.resolve()),
            compute=ActorPoolStrategy(size=workers),
            num_cpus=cpus,
            num_gpus=1 if gpus else 0,
        )
        for item in results.iter_rows():
            yield RowResult.model_validate_json(item["result"])
    except RayError as error:
        raise MetsegError(f"Ray ended the run: {str(error).strip().splitlines()[-1]}") from error
    finally:
        if started:
            ray.shutdown()


def worker_sizes(cpus: list[int], gpus: int, wanted: int | None, rows: int) -> tuple[int, int]:
    """How many workers there are, and the processors that each has.

    Parameters
    ----------
    cpus : list of int
        Processors of each machine; one with none, such as a cluster's head, gets no worker.
    gpus : int
        Of all machines.
    """
    machines = [count for count in cpus if count] or [1]
    workers = min(wanted or gpus or len(machines), rows)
    on_one_machine = math.ceil(workers / len(machines))
    return workers, max(min(machines) // on_one_machine, 1)


class _Actor(ManifestWorker):
    """A worker as Ray Data calls it."""

    def __call__(self, item: dict[str, str]) -> dict[str, str]:
        return {"result": self.outline(ManifestRow.model_validate_json(item["row"])).model_dump_json()}


def _join() -> bool:
    """Join the cluster that the environment names, or start one on the loopback; whether it was not joined yet."""
    import ray

    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault(
        "RAY_raylet_start_wait_time_s", "120"
    )  # 30 of itself: too few where other programs are at work
    local = "RAY_ADDRESS" not in os.environ
    try:
        ray.init(
            address="local" if local else None,
            include_dashboard=False if local else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({"_node_ip_address": _LOOPBACK} if local else {}),  # type: ignore[arg-type]
        )
    except Exception as error:  # Ray raises bare ones
        raise MetsegError(f"Ray did not start, or its cluster cannot be reached: {error}") from error
    return True
