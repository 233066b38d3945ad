"""A real server process: slow clients, clients that go away, too much at once, and the end."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from metseg.study import Study, write_tiff

pytestmark = pytest.mark.slow


PREDICT = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"


@pytest.fixture
def stack(head: Study, tmp_path: Path) -> bytes:
    write_tiff(tmp_path / "TCGA_XY_1234.tif", head.voxels.transpose(1, 2, 3, 0))
    return (tmp_path / "TCGA_XY_1234.tif").read_bytes()


def answer_to(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    connection.settimeout(20)
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def measured(server: Any, name: str) -> float:
    text = httpx.get(f"{server.url}/metrics", timeout=30).text
    found = re.search(rf"^metseg_{name} (\S+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def until(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_slow_and_oversized_requests_end_and_the_server_goes_on(server: Any, stack: bytes) -> None:
    with server.connect() as silent, server.connect() as halting, server.connect() as slow:
        halting.sendall(b"GET /livez HTTP/1.1\r\nHost: loc")
        slow.sendall(PREDICT + b"Content-Length: 5000\r\n\r\n--b\r\n")
        assert answer_to(silent) == answer_to(halting) == b""
        assert answer_to(slow).startswith(b"HTTP/1.1 408")
    with server.connect() as large:
        large.sendall(PREDICT + b"Content-Length: 3000000\r\n\r\n")
        answered = answer_to(large)
        assert answered.startswith(b"HTTP/1.1 413")
        assert b"application/problem+json" in answered
    with server.connect() as endless:
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        endless.sendall(PREDICT + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(part), part))
        for _ in range(20):
            endless.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        assert endless.recv(200).startswith(b"HTTP/1.1 413")
    answer = httpx.post(f"{server.url}/predict", files={"file": stack}, timeout=60)
    assert answer.status_code == 200


def test_clients_that_go_away_leave_no_slot(server: Any, stack: bytes) -> None:
    request = httpx.Request("POST", f"{server.url}/predict", files={"file": stack})
    body = request.read()
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n" + b"".join(
        f"{name}: {request.headers[name]}\r\n".encode() for name in ("content-type", "content-length")
    )
    for round_ in range(20):
        with server.connect() as connection:
            connection.sendall(head + b"\r\n" + body)
            time.sleep(0.02 * (round_ % 5))
    until(lambda: measured(server, "studies_waiting") == 0)
    assert measured(server, "slices_waiting") == 0
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda _: httpx.post(f"{server.url}/predict", files={"file": stack}, timeout=60), range(6))
        assert {answer.status_code for answer in answers} == {200}


def test_a_full_queue_says_when_to_come_again(server: Any, stack: bytes) -> None:
    with ThreadPoolExecutor(24) as pool:
        asked = pool.map(lambda _: httpx.post(f"{server.url}/predict", files={"file": stack}, timeout=60), range(48))
        answers = list(asked)
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 503)
    assert len({answer.json()["mask"]["runs"] for answer in answers if answer.status_code == 200}) == 1


def test_the_end_is_announced_every_accepted_request_answered_and_nobody_named_in_the_log(
    start_limited_server: Any, stack: bytes
) -> None:
    server = start_limited_server()
    files = {"file": ("TCGA_XY_1234.tif", stack)}
    damaged = {"file": ("TCGA_XY_1234.tif", stack[:-500])}
    assert httpx.post(f"{server.url}/jobs?model=TCGA_XY_1234", files=files, timeout=60).status_code == 422
    assert httpx.post(f"{server.url}/predict", files=damaged, timeout=60).status_code == 422
    assert httpx.get(f"{server.url}/TCGA_XY_1234").status_code == 404
    answers: list[int] = []

    def ask() -> None:
        answers.append(httpx.post(f"{server.url}/predict", files=files, timeout=60).status_code)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: measured(server, "studies_waiting") > 0 or answers)
    server.process.terminate()
    until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, 1.9)
    assert httpx.get(f"{server.url}/livez").status_code == 200
    for thread in threads:
        thread.join()
    assert answers == [200] * 5
    assert server.process.wait(60) in (0, -15)
    text = server.log.read_text()
    assert "TCGA" not in text
    assert "upload.tif" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["status"] for line in lines if line.get("route") == "/predict"] == [422, *answers]
