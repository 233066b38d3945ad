"""A small real network, the page as a process with its own server, and a study to send."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the page needs: pip install 'napari-metseg[ui]'")
pytest.importorskip("niivue_component", reason="the page needs: pip install 'napari-metseg[ui]'")
pytest.importorskip("uvicorn", reason="the page's server needs: pip install 'napari-metseg[server]'")

import httpx
import numpy as np
import tifffile

from metseg.client import Address, Client
from metseg.study import Study, write_tiff

TOKEN = "a secret of these tests"
_START_SECONDS = 180


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Path]) -> Path:
    """A folder with two real checkpoints, ``small`` and ``other``, which call part of a head a lesion."""
    folder = tmp_path_factory.mktemp("weights")
    scores = {"held_out": {"patients": 3, "mean_dice": 0.25}}
    notes = "Knows nothing: it was never trained."
    for seed, name in enumerate(("small", "other")):
        write_untrained(folder / name, seed=seed, share=0.1, smallest=3, scores=scores, notes=notes)
    return folder


@dataclass(frozen=True)
class Page:
    """A running page and the server that it started."""

    url: str
    server: Address


@pytest.fixture(scope="session")
def page(
    weights: Path, tmp_path_factory: pytest.TempPathFactory, free_tcp_port_factory: Callable[[], int]
) -> Iterator[Page]:
    """``metseg ui`` as a user starts it; its server must end with it."""
    folder = tmp_path_factory.mktemp("page")
    log, port = folder / "log.txt", free_tcp_port_factory()
    environment = {
        **os.environ,
        "METSEG_WEIGHTS": str(weights),
        "METSEG_TOKEN": TOKEN,
        "METSEG_WAITING": "1",
        "METSEG_UPLOAD_MIB": "4",
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder),
        "STREAMLIT_SERVER_HEADLESS": "true",
    }
    environment.pop("METSEG_SERVER", None)
    command = [sys.executable, "-m", "metseg.cli", "ui", "--port", str(port), "--model", "small"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=folder)
    try:
        server = Address(_wait_for_server(log, process), TOKEN)
        yield Page(f"http://127.0.0.1:{port}", server)
        process.terminate()
        assert process.wait(60) is not None
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/livez")
        assert not (folder / ".streamlit").exists(), "the page writes nothing into the user's home"
    finally:
        process.terminate()  # killed at once, it would leave its server behind
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


def _wait_for_server(log: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text(), re.IGNORECASE)
        if found and httpx.get(f"{found[1]}/readyz").status_code == 200:
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(log.read_text())


@pytest.fixture
def client(page: Page) -> Iterator[Client]:
    with Client(page.server) as client:
        yield client


@pytest.fixture
def ask(page: Page) -> Callable[[bytes, str, str], bytes]:
    """What POST /predict answers to a file, asked without the page."""

    def answer(content: bytes, model: str, media_type: str) -> bytes:
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": media_type}
        url = f"{page.server.url}/predict?model={model}"
        reply = httpx.post(url, files={"file": content}, headers=headers, timeout=60)
        assert reply.status_code == 200, reply.text
        return reply.content

    return answer


@pytest.fixture(scope="session")
def stack(head: Study, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The head as a TIFF of several pages."""
    path = tmp_path_factory.mktemp("study") / "head.tif"
    write_tiff(path, np.ascontiguousarray(head.voxels.transpose(1, 2, 3, 0)), channels=True)
    return path.read_bytes()


def pages_of(content: bytes) -> np.ndarray:
    return tifffile.imread(io.BytesIO(content))
