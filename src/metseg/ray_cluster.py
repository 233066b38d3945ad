"""The Ray cluster (docs.ray.io) that ``RAY_ADDRESS`` names, or one on this machine's loopback alone."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from metseg.errors import MetsegError, MissingExtraError
from metseg.loopback import is_loopback

LOOPBACK = "127.0.0.1"
_ADDRESS = "RAY_ADDRESS"


def require_ray(module: str) -> None:
    """Raise :class:`MissingExtraError` unless ``module`` of Ray is here with all that it needs."""
    try:
        import_module(module)
    except ModuleNotFoundError as missing:
        raise MissingExtraError(missing.name or "ray", "scale") from None


def has_address() -> bool:
    """Whether the environment names a cluster to join."""
    return _ADDRESS in os.environ


def join_cluster() -> bool:
    """Join the cluster that the environment names, or start one on the loopback; whether it was not joined yet.

    In the main thread: Ray sets a handler of SIGTERM.

    Raises
    ------
    MetsegError
        If Ray does not start, or its cluster cannot be reached.
    """
    import ray

    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # 30 of itself: too few where other programs are at work.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
    local = not has_address()
    if local:
        # Else Ray takes the address that other machines reach in place of the loopback.
        constants: Any = import_module("ray._private.ray_constants")
        constants.ENABLE_RAY_CLUSTER = False
    try:
        ray.init(
            address="local" if local else None,
            include_dashboard=False if local else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({"_node_ip_address": LOOPBACK} if local else {}),  # type: ignore[arg-type]
        )
    except Exception as error:  # Ray raises bare ones
        raise MetsegError(f"Ray did not start, or its cluster cannot be reached: {error}") from error
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if local and not is_loopback(address):
        ray.shutdown()
        raise MetsegError(f"this version of Ray listens on {address}, which other machines reach; install another")
    return True


@dataclass(frozen=True, slots=True)
class Workers:
    """Workers that a cluster runs at once.

    Attributes
    ----------
    count : int
        How many.
    cpus, gpus : int
        What each of them is given.
    """

    count: int
    cpus: int
    gpus: int


def plan_workers(device: str, wanted: int | None = None, most: int | None = None) -> Workers:
    """The workers of the cluster that was joined: one for each GPU, or for each machine of a cluster without.

    Parameters
    ----------
    device : str
        Where networks run; GPUs count for ``auto`` and ``cuda``.
    wanted, most : int, optional
        Another number of workers, and the largest that is of use.
    """
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = int(sum(one.get("GPU", 0) for one in resources)) if device in ("auto", "cuda") else 0
    count, cpus = worker_sizes([int(one.get("CPU", 0)) for one in resources], gpus, wanted, most)
    return Workers(count, cpus, 1 if gpus else 0)


def worker_sizes(cpus: list[int], gpus: int, wanted: int | None, most: int | None) -> tuple[int, int]:
    """How many workers there are, and the processors that each has.

    Parameters
    ----------
    cpus : list of int
        Processors of each machine; one with none, such as a cluster's head, gets no worker.
    gpus : int
        Of all machines.
    wanted, most : int or None
        See :func:`plan_workers`.
    """
    machines = [count for count in cpus if count] or [1]
    workers = wanted or gpus or len(machines)
    workers = workers if most is None else min(workers, most)
    on_one_machine = math.ceil(workers / len(machines))
    return workers, max(min(machines) // on_one_machine, 1)
