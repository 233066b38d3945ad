"""Networks in the workers of Ray Serve behind a real server process: the same masks, a full queue, workers that die."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from metseg.errors import DataError, MissingExtraError
from metseg.server import Settings, create_app, settings_from_environment
from metseg.server.engine import ThreadRunner
from metseg.study import Study, write_tiff

SECONDS = 300  # Ray takes its time where other programs are at work
NO_ID = {"request_id": ""}


def test_without_ray_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"napari-metseg\[scale\]"):
        create_app(Settings(engine="ray"))


@pytest.mark.parametrize(("name", "value"), [("METSEG_ENGINE", "spark"), ("METSEG_WORKERS", "0")])
def test_an_engine_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=name):
        settings_from_environment()


def test_a_server_without_workers_is_not_ready(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(ThreadRunner, "workers", 0)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert "metseg_workers 0.0" in client.get("/metrics").text


@pytest.fixture(scope="module")
def ray_server(start_server: Callable[..., Any]) -> Iterator[Any]:
    """A server whose networks run in one worker, with two places in its queue."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install napari-metseg[scale]")
    server = start_server(engine="ray", workers=1, waiting=2)
    yield server
    if server.process.poll() is None:
        server.end()


@pytest.fixture(scope="module")
def plain_server(start_server: Callable[..., Any]) -> Iterator[Any]:
    server = start_server()
    yield server
    server.end()


def stack_of(head: Study, path: Path, times: int) -> bytes:
    write_tiff(path, np.tile(head.voxels.transpose(1, 2, 3, 0), (times, 1, 1, 1)))
    return path.read_bytes()


@pytest.fixture
def stack(head: Study, tmp_path: Path) -> bytes:
    return stack_of(head, tmp_path / "x.tif", 1)


@pytest.fixture
def long_stack(head: Study, tmp_path: Path) -> bytes:
    """A study that takes seconds."""
    return stack_of(head, tmp_path / "x.tif", 100)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def processes_of(server: Any) -> list[Any]:
    """Ray's processes."""
    import psutil

    return psutil.Process(server.process.pid).children(recursive=True)


def workers_of(server: Any) -> list[Any]:
    """The processes that run the networks."""
    import psutil

    found = []
    for process in processes_of(server):
        with suppress(psutil.NoSuchProcess, IndexError):
            if "ServeReplica" in process.cmdline()[0] and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def worker_of(server: Any) -> Any:
    """The one process that runs the networks, once there is one."""
    until(lambda: workers_of(server) != [])
    (worker,) = workers_of(server)
    return worker


def workers_ended(server: Any) -> int:
    """How often a worker ended over a study, as the server has logged it."""
    return server.log.read_text().count("a worker ended over a study")


def kill_worker(server: Any, place: str) -> Any:
    """Kill the worker that has the job ``place`` in its network, and wait until the server has seen it."""
    until(lambda: job(place)["done"] > 0)
    before, worker = workers_ended(server), worker_of(server)
    worker.suspend()
    assert job(place)["state"] == "running"
    worker.kill()
    until(lambda: workers_ended(server) > before)
    return worker


def is_ready(server: Any) -> bool:
    return httpx.get(f"{server.url}/readyz", timeout=SECONDS).status_code == 200


def measured(server: Any, name: str) -> float:
    text = httpx.get(f"{server.url}/metrics", timeout=SECONDS).text
    found = re.search(rf"^metseg_{name} (\S+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def start_job(server: Any, content: bytes) -> str:
    answer = httpx.post(f"{server.url}/jobs", files={"file": content}, timeout=SECONDS)
    assert answer.status_code == 202, answer.text
    return server.url + answer.headers["location"]


def job(place: str) -> dict[str, Any]:
    return httpx.get(place, timeout=SECONDS).json()


def mask_of(server: Any, content: bytes, **query: str) -> bytes:
    headers = {"Accept": "image/tiff"}
    answer = httpx.post(
        f"{server.url}/predict", params=query, headers=headers, files={"file": content}, timeout=SECONDS
    )
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.slow
def test_answers_are_those_of_a_server_without_ray(ray_server: Any, plain_server: Any, stack: bytes) -> None:
    for query in ({}, {"view": "probability"}, {"model": "other", "clahe": "average"}):
        assert mask_of(ray_server, stack, **query) == mask_of(plain_server, stack, **query)
    documents = [
        httpx.post(f"{server.url}/predict", files={"file": stack}, timeout=SECONDS).json()
        for server in (ray_server, plain_server)
    ]
    assert documents[0] | NO_ID == documents[1] | NO_ID
    assert documents[0]["mask"]["voxels"] > 0
    models = [httpx.get(f"{server.url}/models", timeout=SECONDS).json() for server in (ray_server, plain_server)]
    assert models[0] == models[1]


@pytest.mark.slow
def test_a_full_queue_is_answered_and_what_is_given_up_leaves_it(ray_server: Any, stack: bytes) -> None:
    worker = worker_of(ray_server)
    worker.suspend()
    try:
        places = [start_job(ray_server, stack) for _ in range(2)]
        full = httpx.post(f"{ray_server.url}/predict", files={"file": stack}, timeout=SECONDS)
        assert (full.status_code, full.headers["content-type"]) == (503, "application/problem+json")
        assert int(full.headers["retry-after"]) >= 1
        for place in places:
            assert httpx.delete(place, timeout=SECONDS).json()["state"] == "cancelled"
        until(lambda: measured(ray_server, "studies_waiting") == 0)
    finally:
        worker.resume()
    assert mask_of(ray_server, stack)


@pytest.mark.slow
def test_a_study_is_given_up_while_it_is_in_the_network(ray_server: Any, long_stack: bytes, stack: bytes) -> None:
    place = start_job(ray_server, long_stack)
    until(lambda: job(place)["done"] > 0)
    assert httpx.delete(place, timeout=SECONDS).json()["state"] == "cancelled"
    until(lambda: measured(ray_server, "studies_waiting") == 0)
    assert mask_of(ray_server, stack)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_study_done_again(
    ray_server: Any, plain_server: Any, long_stack: bytes
) -> None:
    place = start_job(ray_server, long_stack)
    killed = kill_worker(ray_server, place)
    until(lambda: job(place)["state"] not in ("queued", "running"))
    assert job(place)["state"] == "finished", job(place)
    assert worker_of(ray_server).pid != killed.pid
    until(lambda: is_ready(ray_server))
    masks = [
        httpx.get(f"{place}/result", headers={"Accept": "image/tiff"}, timeout=SECONDS).content,
        mask_of(plain_server, long_stack),
    ]
    assert masks[0] == masks[1]
    notices = job(place)["notices"]
    assert len({notice["text"] for notice in notices}) == len(notices)


@pytest.mark.slow
def test_a_study_over_which_two_workers_end_is_given_up(ray_server: Any, long_stack: bytes, stack: bytes) -> None:
    place = start_job(ray_server, long_stack)
    first = kill_worker(ray_server, place)
    second = kill_worker(ray_server, place)
    assert first.pid != second.pid
    until(lambda: job(place)["state"] not in ("queued", "running"))
    assert job(place)["state"] == "failed"
    assert "two workers ended" in job(place)["problem"]
    assert httpx.get(f"{place}/result", timeout=SECONDS).status_code == 500
    assert mask_of(ray_server, stack)


@pytest.mark.slow
def test_ray_listens_on_the_loopback_alone(ray_server: Any, stack: bytes) -> None:
    import psutil

    assert mask_of(ray_server, stack)
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in (*processes_of(ray_server), psutil.Process(ray_server.process.pid))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.slow
def test_at_the_end_what_was_accepted_is_answered_and_no_process_is_left(ray_server: Any, stack: bytes) -> None:
    import psutil

    processes, worker = processes_of(ray_server), worker_of(ray_server)
    worker.suspend()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(mask_of, ray_server, stack)
        until(lambda: measured(ray_server, "studies_waiting") == 1)
        ray_server.process.terminate()
        worker.resume()
        assert answer.result(SECONDS)
    assert ray_server.process.wait(SECONDS) in (0, -15)
    assert psutil.wait_procs(processes, SECONDS)[1] == []
    lines = ray_server.log.read_text().splitlines()
    assert json.loads(lines[-1])["message"].startswith("Finished server process")
    for line in lines:
        if line.strip() and "(raylet)" not in line:  # what Ray prints to stdout of workers that end
            json.loads(line)


@pytest.mark.slow
def test_a_worker_more_is_started_where_studies_wait(start_server: Callable[..., Any], long_stack: bytes) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install napari-metseg[scale]")
    server = start_server(engine="ray", workers=2)
    assert measured(server, "workers") == 1
    places = [start_job(server, long_stack) for _ in range(3)]
    until(lambda: measured(server, "workers") == 2)  # for ten minutes, at least
    assert len(workers_of(server)) == 2
    for place in places:
        httpx.delete(place, timeout=SECONDS)
    server.end()
