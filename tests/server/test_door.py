"""/livez is answered by a process of its own, and every connection reaches the server all the same."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from metseg.server.door import BEAT, READY, answer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(socket, "send_fds"), reason="connections cannot be handed over here"),
]

MINE = "0c6f3f6e-6d0f-4f2b-8f43-3b7f6f0e9a11"


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(number) for number in listed.stdout.split()]


def door_of(server: Any) -> int:
    for child in children(server.process.pid):
        if b"metseg.server.door" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise AssertionError("the server has no door")


def test_livez_is_answered_while_the_server_stands_still(server: Any) -> None:
    with ThreadPoolExecutor(1) as other:
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            waiting = other.submit(httpx.get, f"{server.url}/models", timeout=60)
            answered = httpx.get(f"{server.url}/livez?x=1", headers={"x-request-id": MINE}, timeout=5)
            time.sleep(0.3)
            assert not waiting.done()
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert waiting.result().status_code == 200
    assert (answered.status_code, answered.json()) == (200, {"status": "live"})
    assert answered.headers["x-request-id"] == MINE


def test_the_door_answers_as_the_application_does(server: Any, client: TestClient) -> None:
    at_the_door, inside = httpx.get(f"{server.url}/livez"), client.get("/livez", headers={"x-request-id": MINE})
    assert at_the_door.content == inside.content
    same = {"content-type", "cache-control", "x-content-type-options", "content-length"}
    assert {name: at_the_door.headers[name] for name in same} == {name: inside.headers[name] for name in same}
    assert set(inside.headers) <= set(at_the_door.headers)
    assert httpx.head(f"{server.url}/livez").status_code == 405
    assert httpx.get(f"{server.url}/livezz").status_code == 404


def test_a_request_in_pieces_is_answered(server: Any) -> None:
    for pieces in (
        [b"GET /li", b"vez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"],
        [b"GET /livez ", b"HTTP/1.1\r\n\r\n"],
    ):
        with server.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.1)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_door_that_is_lost_is_opened_anew(server: Any) -> None:
    first = door_of(server)
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if httpx.get(f"{server.url}/livez", timeout=5).status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    assert door_of(server) != first
    assert httpx.get(f"{server.url}/readyz", timeout=30).status_code == 200


def test_a_server_that_is_killed_leaves_no_door(start_limited_server: Any) -> None:
    server = start_limited_server()
    door = door_of(server)
    server.end(signal.SIGKILL)
    end = time.monotonic() + 20
    while Path(f"/proc/{door}").exists():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_silent_server_does_not_live(client: TestClient) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        handed = [theirs.fileno(), listener.fileno()]
        command = [sys.executable, "-m", "metseg.server.door", "5", "10", *map(str, handed)]
        with subprocess.Popen(command, pass_fds=handed) as door:
            ours.settimeout(60)
            assert ours.recv(1) == READY
            ours.send(BEAT)
            assert httpx.get(f"http://127.0.0.1:{listener.getsockname()[1]}/livez").status_code == 200
            ours.shutdown(socket.SHUT_WR)
            assert door.wait(30) == 0
    head, _, body = answer(b"GET /livez HTTP/1.1\r\n\r\n", lives=False).partition(b"\r\n\r\n")
    problem = json.loads(body)
    declared = client.get("/openapi.json").json()["paths"]["/livez"]["get"]["responses"]
    assert head.startswith(f"HTTP/1.1 {problem['status']} {problem['title']}".encode())
    assert "503" in declared
    assert set(problem) == set(client.get("/nothing").json())
    assert b"\r\nretry-after: 5\r\n" in head
