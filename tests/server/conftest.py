"""A small real network, an application around it, and a server process where only a process will do."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from metseg.server import Settings, create_app
from metseg.study import Study, write_tiff

LOCAL = "http://localhost"
Weights = Path


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Path]) -> Weights:
    """A folder with two real checkpoints, ``small`` and ``other``, whose threshold calls half of a head a lesion."""
    from metseg.checkpoints import InferenceConfig
    from metseg.lesions import GuidedFilter

    folder = tmp_path_factory.mktemp("weights")
    refined = InferenceConfig(refinement=GuidedFilter())
    for seed, name in enumerate(("small", "other")):
        write_untrained(folder / name, seed=seed, smallest=3, inference=refined)
    return folder


@pytest.fixture(scope="session")
def application(weights: Weights) -> FastAPI:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METSEG_WEIGHTS", str(weights))
        limits = {"samples": 1 << 21, "slices": 40, "side": 1000, "upload_mib": 4, "jobs": 4}
        return create_app(Settings(host="127.0.0.1", token=None, model="small", **limits))


@pytest.fixture(scope="session")
def client(application: FastAPI, weights: Weights) -> Iterator[TestClient]:
    """A client of the application, which is started and later ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METSEG_WEIGHTS", str(weights))
        with TestClient(application, base_url=LOCAL, raise_server_exceptions=False) as client:
            yield client


WriteSlice = Callable[..., Path]


@pytest.fixture
def slice_tiff(head: Study) -> WriteSlice:
    """Write one slice of a synthetic head as TIFF of three channels."""

    def write(folder: Path, z: int = 5, name: str = "x.tif") -> Path:
        path = folder / name
        write_tiff(path, np.ascontiguousarray(head.voxels[:, z].transpose(1, 2, 0)))
        return path

    return write


@pytest.fixture
def zipped() -> Callable[[Path], bytes]:
    """All files under a folder as zip."""

    def pack(folder: Path) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder.parent))
        return content.getvalue()

    return pack


@dataclass
class Server:
    """A running server process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 30)


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def start_server(
    weights: Weights, tmp_path_factory: pytest.TempPathFactory, free_tcp_port_factory: Callable[[], int]
) -> Iterator[StartServer]:
    """Start ``metseg serve`` with further METSEG_ variables, and wait until it is ready."""
    servers: list[Server] = []
    folder = tmp_path_factory.mktemp("logs")

    def start(**settings: object) -> Server:
        port = free_tcp_port_factory()
        told = {f"METSEG_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {**os.environ, "METSEG_WEIGHTS": str(weights), "OMP_NUM_THREADS": "1", **told}
        log = folder / f"server{len(servers)}.log"
        command = [sys.executable, "-m", "metseg.cli", "serve", "--port", str(port), "--model", "small"]
        with log.open("wb") as file:
            process = subprocess.Popen(command, env=environment, stderr=file, stdout=file)
        server = Server(process, port, log)
        servers.append(server)
        until = time.monotonic() + 300
        while time.monotonic() < until and process.poll() is None:
            try:
                if httpx.get(f"{server.url}/readyz").status_code == 200:
                    return server
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(log.read_text())

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


#: Short enough to wait for.
LIMITS = {"headers_seconds": 2, "idle_seconds": 2, "upload_mib": 1, "drain_seconds": 2, "waiting": 6}


@pytest.fixture(scope="session")
def start_limited_server(start_server: StartServer) -> Callable[[], Server]:
    """Start a server with narrow limits."""
    return lambda: start_server(**LIMITS)


@pytest.fixture(scope="session")
def server(start_limited_server: Callable[[], Server]) -> Server:
    """A server process for all tests that leave it running."""
    return start_limited_server()
