"""A real server on the loopback, a line to it that can be cut, and a few studies."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="a server needs: pip install 'napari-metseg[server]'")

import uvicorn
from fastapi import FastAPI

from metseg.client import Address
from metseg.server import Settings, create_app
from metseg.server.services import Services

TOKEN = "a-secret-of-these-tests"


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Path]) -> Path:
    """``best``, which is an ensemble, and ``metastases``, both untrained."""
    from metseg.checkpoints import combine, load_checkpoint, save_ensemble
    from metseg.lesions import Target

    folder = tmp_path_factory.mktemp("networks")
    files = [write_untrained(folder / name, seed=seed, share=0.1) for seed, name in enumerate(("one", "two"))]
    members = [load_checkpoint(file) for file in files]
    _, card = combine(members, "best")
    save_ensemble(folder / "best", members, card)
    alone = {"sequences": ("post-contrast",), "target": Target.ENHANCING_LESION}
    write_untrained(folder / "metastases", seed=3, share=0.1, **alone)
    return folder


@dataclass
class Served:
    """A server in a thread of this process."""

    app: FastAPI
    url: str
    sent: list[str] = field(default_factory=list)

    @property
    def address(self) -> Address:
        return Address(self.url, TOKEN)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services


@pytest.fixture(scope="session")
def slices_at_once() -> int:
    """As many as the command segments: on some processors the last bit in fp32 depends on it."""
    return 16


@pytest.fixture(scope="session")
def served(networks: Path, slices_at_once: int) -> Iterator[Served]:
    """A server that runs; ``sent`` is the address of each study that it got."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METSEG_WEIGHTS", str(networks))
        settings = Settings(
            host="127.0.0.1", token=TOKEN, decoders=1, upload_mib=4, drain_seconds=0, batch=slices_at_once
        )
        app = create_app(settings)
        served = Served(app, "")

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            if scope.get("method") == "POST":
                served.sent.append(scope["query_string"].decode())
            await app(scope, receive, send)

        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(counted, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        served.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        while not server.started:
            assert thread.is_alive()
            thread.join(0.05)
        yield served
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def known(networks: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this computer have the server's networks, and its token."""
    monkeypatch.setenv("METSEG_WEIGHTS", str(networks))
    monkeypatch.setenv("METSEG_TOKEN", TOKEN)
    return networks


class Line:
    """What lies between a client and a server: can be cut and mended, and can lose an answer.

    Parameters
    ----------
    port : int
        The server's.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._open: list[socket.socket] = []
        self.port = 0
        self.loses_next_answer = False
        self.mend()

    def cut(self) -> None:
        """Break all connections, and refuse new ones."""
        _close(self._listening)
        for one in self._open:
            _close(one)
        self._thread.join()

    def mend(self) -> None:
        """Take connections again."""
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", self.port))
        self._listening.listen()
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._listening,))
        self._thread.start()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self._open += [client, server]
                for pair in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(1 << 16):
                if is_answer and self.loses_next_answer:
                    self.loses_next_answer = False
                    break
                target.sendall(content)
        _close(source)
        _close(target)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@pytest.fixture
def line(served: Served) -> Iterator[Line]:
    line = Line(served.port)
    yield line
    line.cut()


@contextlib.contextmanager
def _other_server(answer: bytes = b"", certificate: Path | None = None) -> Iterator[int]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def other_server() -> Callable[..., contextlib.AbstractContextManager[int]]:
    """Run a server of another kind or of other times, which gives one answer to everything, while in a context.

    It is called with the answer, and the file of the certificate if it is to speak https; the context is its port.
    """
    return _other_server
