"""The Ray cluster (docs.ray.io) that ``RAY_ADDRESS`` names, or one on this machine's loopback alone."""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from metseg.errors import MetsegError, MissingExtraError
from metseg.loopback import is_loopback

LOOPBACK = "127.0.0.1"
_ADDRESS = "RAY_ADDRESS"
#: Within which a cluster's head accepts a connection; Ray itself would try for minutes.
_CONNECT_SECONDS = 10.0
# Else a thread of Ray's that is at work when Ray ends starts or joins another one; read when Ray is first imported.
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")


def require_ray(module: str) -> None:
    """Raise :class:`MissingExtraError` unless ``module`` of Ray is here with all that it needs."""
    try:
        import_module(module)
    except ModuleNotFoundError as missing:
        raise MissingExtraError(missing.name or "ray", "scale") from None


def has_address() -> bool:
    """Whether the environment names a cluster to join; empty, as templates leave it, or ``local`` it names none."""
    return os.environ.get(_ADDRESS, "") not in ("", "local")


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
    if has_address():
        _check_reachable(os.environ[_ADDRESS])
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


def _check_reachable(address: str) -> None:
    """Raise :class:`MetsegError` unless ``address``, if it is a host with a port, accepts a connection."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or "/" in host:
        return  # such as auto, or ray://
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise MetsegError(f"no Ray cluster answers at {address} ({_ADDRESS}): {error}") from None


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
    with_gpus = device in ("auto", "cuda")
    machines = [(int(one.get("CPU", 0)), int(one.get("GPU", 0)) if with_gpus else 0) for one in resources]
    return worker_sizes(machines, wanted, most)


def worker_sizes(machines: list[tuple[int, int]], wanted: int | None, most: int | None) -> Workers:
    """How many workers there are, and what each has.

    Parameters
    ----------
    machines : list of tuple of int
        Processors and GPUs of each. Where one has GPUs, workers are there only, one for each GPU at most; a machine
        without processors, such as a cluster's head, gets no worker.
    wanted, most : int or None
        See :func:`plan_workers`.
    """
    most = sys.maxsize if most is None else most
    if shares := [(cpus // gpus, gpus) for cpus, gpus in machines if gpus]:
        gpus = sum(count for _, count in shares)
        return Workers(min(wanted or gpus, gpus, most), max(min(cpus for cpus, _ in shares), 1), 1)
    processors = [cpus for cpus, _ in machines if cpus] or [1]
    workers = min(wanted or len(processors), most)
    return Workers(workers, max(min(processors) // math.ceil(workers / len(processors)), 1), 0)
