"""Studies that are sent now and fetched later."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from metseg.study import Study, write_tiff


@pytest.fixture
def stack(head: Study, tmp_path: Path) -> bytes:
    write_tiff(tmp_path / "stack.tif", head.voxels.transpose(1, 2, 3, 0))
    return (tmp_path / "stack.tif").read_bytes()


def start(client: TestClient, content: bytes, **query: object) -> str:
    answer = client.post("/jobs", files={"file": content}, params=query)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    return str(answer.headers["location"])


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_job_ends_with_what_predict_answers(client: TestClient, stack: bytes) -> None:
    place = start(client, stack, threshold=0.45)
    wait_for(lambda: client.get(place).json()["state"] == "finished")
    job = client.get(place).json()
    assert (job["done"], job["total"]) == (10, 10)
    assert job["expires_in"] > 0
    assert job["seconds_left"] is None
    for accept, query in (("image/tiff", {}), ("application/zip", {}), ("image/png", {"view": "overlay", "slice": 3})):
        asked: Any = {"headers": {"accept": accept}, "params": query}
        direct = client.post(
            "/predict", files={"file": stack}, headers={"accept": accept}, params={"threshold": 0.45, **query}
        )
        fetched = client.get(f"{place}/result", **asked)
        assert fetched.content == direct.content
        assert fetched.headers["x-model-sha256"] == direct.headers["x-model-sha256"]
    assert client.delete(place).json()["state"] == "cancelled"
    assert client.get(f"{place}/result").status_code == 404


def test_a_job_that_is_not_there_is_404(client: TestClient) -> None:
    for method, path in (("GET", "/jobs/nothing"), ("DELETE", "/jobs/nothing"), ("GET", "/jobs/nothing/result")):
        answer = client.request(method, path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_jobs_are_bounded_cancelled_and_leave_no_slot(client: TestClient, application: FastAPI, stack: bytes) -> None:
    services = application.state.services
    held = services.runner.thread  # the model thread is kept busy, so that jobs stay in the queue
    import threading

    gate = threading.Event()
    blocking = threading.Thread(target=lambda: held.call(gate.wait))
    blocking.start()
    try:
        places = [start(client, stack) for _ in range(4)]
        assert {client.get(place).json()["state"] for place in places} <= {"queued", "running"}
        assert client.get(f"{places[0]}/result").status_code == 409
        full = client.post("/jobs", files={"file": stack})
        assert full.status_code == 503
        assert int(full.headers["retry-after"]) >= 1
        for place in places:
            assert client.delete(place).json()["state"] == "cancelled"
        wait_for(lambda: services.engine.slots == 0)
        assert services.runner.slices_waiting == 0
    finally:
        gate.set()
        blocking.join()
    again = start(client, stack)
    wait_for(lambda: client.get(again).json()["state"] == "finished")


def test_old_jobs_are_forgotten(client: TestClient, application: FastAPI, stack: bytes) -> None:
    jobs = application.state.services.jobs
    place = start(client, stack)
    wait_for(lambda: client.get(place).json()["state"] == "finished")
    before, jobs.seconds = jobs.seconds, 0.0
    try:
        assert client.get(place).status_code == 404
        assert jobs.count == 0
    finally:
        jobs.seconds = before
