"""How the server holds under load, beside a plain FastAPI handler that calls the model for each request.

    python docs/scripts/load_server.py --images DIR [--model NAME] [--seconds 60] [--clients 64] [--out report.json]

``crowd``: 256 clients and 100 that send a byte a second; how long /livez takes meanwhile.
``throughput``: clients that ask one after the other, at the server and at the plain handler, in turn.
``sigterm``: a server that is told to end under load, again and again; whether every accepted request is answered.
``disconnects``: clients that go away at every moment of a request; what is left of them.
``engines``: whole patients (folders in --images), one client and four; networks in the server, or in a worker of Ray.

Every part starts servers of its own, as processes. Only what a client sees is counted. Clients that are told to come
again later (503) do so when they are told, within ten seconds. /livez is asked by a process that does nothing else; as
root it goes before all others, so that it measures the server and not its own place in the scheduler's queue
(``livez asked late`` says how late it was itself). With the numbers given above the first three parts take under 12
minutes on two quiet processors; ``--minutes`` bounds the last one, which then ends with fewer turns.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import io
import json
import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI, Response, UploadFile
from serving import free_port, wait_until_ready

PLAIN = "load_server:plain"
SERVED = "metseg serve"
#: Seconds after which a client that was turned away comes again at the latest.
LONGEST_WAIT = 10.0
#: The niceness of whoever asks /livez, if that can be had.
FIRST = -15


def plain() -> Any:
    """What most people write first: a handler that reads the file and calls the model."""
    import threading
    from tempfile import TemporaryDirectory

    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter
    from metseg.study import read_study, write_tiff

    segmenter = Segmenter(load_checkpoint(os.environ["METSEG_MODEL"]))
    lock = threading.Lock()  # a Segmenter is for one thread at a time
    app = FastAPI()

    @app.get("/readyz")
    @app.get("/livez")
    def ready() -> str:
        return "ready"

    @app.post("/predict")
    def predict(file: UploadFile) -> Response:
        with TemporaryDirectory() as folder:
            path = Path(folder, "upload.tif")
            path.write_bytes(file.file.read())
            study = read_study(path)
            with lock:
                mask = segmenter.segment(study).mask
            write_tiff(Path(folder, "mask.tif"), mask[0] * np.uint8(255), channels=False)
            return Response(Path(folder, "mask.tif").read_bytes(), media_type="image/tiff")

    return app


class Server:
    """A server process."""

    def __init__(self, target: str, model: str, **settings: object) -> None:
        self.port = free_port()
        told = {f"METSEG_{name.upper()}": str(value) for name, value in settings.items()}
        environment = {**os.environ, "METSEG_MODEL": model, "PYTHONPATH": str(Path(__file__).parent), **told}
        command = [sys.executable, "-m", "uvicorn", target, "--port", str(self.port), "--no-access-log", "--factory"]
        if target == SERVED:
            command = [sys.executable, "-m", "metseg.cli", "serve", "--port", str(self.port), "--model", model]
        self.log = Path(f"/tmp/load_server_{self.port}.log")  # noqa: S108
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(command, env=environment, stderr=file, stdout=file)  # noqa: S603
        self.url = f"http://127.0.0.1:{self.port}"
        wait_until_ready(self.url, self.log, lambda: self.process.poll() is not None)

    def end(self) -> int:
        """Send SIGTERM, wait; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(120)
        finally:
            self.process.kill()
            self.log.unlink(missing_ok=True)

    def metric(self, name: str) -> float:
        """A number of /metrics."""
        text = httpx.get(f"{self.url}/metrics", timeout=60).text
        found = re.search(rf"^metseg_{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else float("nan")

    def cpu_seconds(self) -> float:
        """Processor time of the server and the processes that it started."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if self.process.pid in (int(stat.parent.name), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Resident memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096 / 2**20


async def ask(client: httpx.AsyncClient, image: bytes, form: str = "image/tiff") -> tuple[str, float, float]:
    """One request: the status, or the error's name, the seconds it took, and when to come again."""
    started = time.perf_counter()
    try:
        answer = await client.post("/predict", files={"file": image}, headers={"accept": form})
    except httpx.HTTPError as error:
        return type(error).__name__, time.perf_counter() - started, 0.0
    told = str(answer.status_code)
    if answer.status_code == 503 and "retry-after" not in answer.headers:
        told += " without Retry-After"
    again = min(float(answer.headers.get("retry-after", 0)), LONGEST_WAIT) * random.uniform(0.5, 1)  # noqa: S311
    return told, time.perf_counter() - started, again


async def load(
    url: str, images: list[bytes], clients: int, seconds: float, form: str = "image/tiff"
) -> list[tuple[str, float]]:
    """Answers to ``clients`` that ask again as soon as they are answered."""
    answers: list[tuple[str, float]] = []
    until = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=180, limits=limits) as client:

        async def one(number: int) -> None:
            while time.monotonic() < until:
                told, took, again = await ask(client, images[number % len(images)], form)
                answers.append((told, took))
                await asyncio.sleep(min(again, max(0.0, until - time.monotonic())))

        await asyncio.gather(*map(one, range(clients)))
    return answers


def summary(answers: list[tuple[str, float]], seconds: float) -> dict[str, Any]:
    """Statuses, rate and times of answers."""
    good = np.array([took for told, took in answers if told == "200"])
    return {
        "answers": dict(Counter(told for told, _ in answers)),
        "per second": round(len(good) / seconds, 2),
        "p50 s": round(float(np.quantile(good, 0.5)), 3) if len(good) else None,
        "p99 s": round(float(np.quantile(good, 0.99)), 3) if len(good) else None,
    }


def throughput(images: list[bytes], model: str, clients: int, seconds: float, turns: int) -> dict[str, Any]:
    """The server and the plain handler in turn."""
    found: dict[str, Any] = {}
    rates: dict[str, list[float]] = {SERVED: [], PLAIN: []}
    for turn in range(1, turns + 1):
        for target in (PLAIN, SERVED):
            server = Server(target, model)
            started, spent = time.monotonic(), server.cpu_seconds()
            answers = asyncio.run(load(server.url, images, clients, seconds))
            one = summary(answers, time.monotonic() - started)
            one["CPU s a mask"] = round((server.cpu_seconds() - spent) / max(one["answers"].get("200", 0), 1), 3)
            if target == SERVED:
                slices = server.metric("batch_slices_sum") / max(server.metric("batch_slices_count"), 1)
                one["slices a batch"] = round(slices, 2)
            server.end()
            found[f"{target}, turn {turn}"] = one
            rates[target].append(one["per second"])
            print(target, turn, one, flush=True)
    found["times the plain handler"] = round(sum(rates[SERVED]) / max(sum(rates[PLAIN]), 1e-9), 2)
    return found


def watch(port: int, seconds: float) -> tuple[list[float], list[float]]:
    """How long /livez took, each time, and how late it was asked."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    took, late = [], []
    due, until = time.perf_counter(), time.perf_counter() + seconds
    while due < until:
        time.sleep(max(0.0, due - time.perf_counter()))
        started = time.perf_counter()
        late.append(started - due)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/livez")
        good = connection.getresponse().status == 200
        connection.close()
        took.append(time.perf_counter() - started if good else float("inf"))
        due = max(due + 0.1, time.perf_counter())
    return took, late


async def crowd_around(server: Server, images: list[bytes], clients: int, slow: int, seconds: float) -> dict[str, Any]:
    """Load with slow clients; /livez is asked ten times a second."""
    ended = asyncio.Event()

    async def trickle() -> None:
        while not ended.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            try:
                writer.write(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n")
                writer.write(b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")
                while not ended.is_set():
                    writer.write(b"-")
                    await writer.drain()
                    await asyncio.sleep(1)
            except OSError:
                pass
            finally:
                writer.close()

    slow_ones = [asyncio.create_task(trickle()) for _ in range(slow)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        watching = other.submit(watch, server.port, seconds)
        answers = await load(server.url, images, clients, seconds)
        ended.set()
        await asyncio.gather(*slow_ones, return_exceptions=True)
        lives, late = (np.array(one) * 1000 for one in await asyncio.wrap_future(watching))
    quantiles = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
    found = {f"livez {name} ms": round(float(np.quantile(lives, part)), 1) for name, part in quantiles.items()}
    found |= {
        f"livez asked late, {name} ms": round(float(np.quantile(late, part)), 1) for name, part in quantiles.items()
    }
    return {"livez asked": len(lives)} | found | summary(answers, seconds)


def crowd(images: list[bytes], model: str, seconds: float) -> dict[str, Any]:
    """256 clients and 100 slow ones."""
    server = Server(SERVED, model)
    found = asyncio.run(crowd_around(server, images, 256, 100, seconds))
    found["slots left"] = server.metric("studies_waiting")
    server.end()
    return found


def patients_in(folder: Path) -> list[bytes]:
    """The folders of ``folder``, each as the zip of its files."""
    patients = []
    for patient in sorted(one for one in folder.iterdir() if one.is_dir()):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path in sorted(patient.glob("*.tif")):
                archive.write(path, path.name)
        patients.append(content.getvalue())
    return patients


def engines(folder: Path, model: str, seconds: float, turns: int) -> dict[str, Any]:
    """The server with networks of its own and with one worker of Ray, in turn."""
    patients = patients_in(folder)
    servers = {"local": Server(SERVED, model), "ray": Server(SERVED, model, engine="ray", workers=1)}
    found = {}
    for turn in range(1, turns + 1):
        for clients in (1, 4):
            for engine, server in servers.items():
                started = time.monotonic()
                answers = asyncio.run(load(server.url, patients, clients, seconds, "application/zip"))
                name = f"{engine}, clients {clients}, turn {turn}"
                found[name] = summary(answers, time.monotonic() - started)
                print(name, found[name], flush=True)
    for server in servers.values():
        server.end()
    return found


def disconnects(images: list[bytes], model: str, number: int) -> dict[str, Any]:
    """Clients that go away after part of the request, or at once after it."""
    server = Server(SERVED, model)
    request = httpx.Request("POST", f"{server.url}/predict", files={"file": images[0]})
    names = ("content-type", "content-length")
    sent = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
    sent += b"".join(f"{name}: {request.headers[name]}\r\n".encode() for name in names) + b"\r\n" + request.read()
    chance = random.Random(0)  # noqa: S311
    before = server.memory_mib()
    for _ in range(number):
        with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
            whole = chance.random() < 0.7
            connection.sendall(sent if whole else sent[: chance.randrange(len(sent))])
            time.sleep(chance.choice((0, 0, 0.01, 0.05, 0.2)))
    time.sleep(15)
    left = {name: server.metric(name) for name in ("studies_waiting", "slices_waiting", "requests_in_flight")}
    answers = asyncio.run(load(server.url, images, 4, 5))
    found = {"disconnects": number, "left": left, "then": summary(answers, 5)}
    found["memory MiB"] = [round(before), round(server.memory_mib())]
    server.end()
    return found


async def end_under_load(server: Server, images: list[bytes], clients: int) -> Counter[str]:
    """Each client asks one thing after the other on one connection until it is turned away."""
    told: Counter[str] = Counter()

    async def one(number: int) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=180) as client:
            while True:
                answer, _, _ = await ask(client, images[number % len(images)])
                told[answer] += 1
                if answer in ("ConnectError", "ConnectTimeout") or not answer.startswith(("2", "503")):
                    return

    asking = [asyncio.create_task(one(number)) for number in range(clients)]
    await asyncio.sleep(random.uniform(0.5, 2))  # noqa: S311
    server.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*asking)
    return told


def sigterm(images: list[bytes], model: str, times: int, seconds: float) -> dict[str, Any]:
    """What clients saw, and whether the log shows a request that began and was not answered in full."""
    until = time.monotonic() + seconds
    told: Counter[str] = Counter()
    logged: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    turn, more = 0, True
    with ThreadPoolExecutor(1) as starter:  # the next server starts while this one ends
        coming = starter.submit(Server, SERVED, model, drain_seconds=0.5)
        while more:
            server, turn = coming.result(), turn + 1
            more = turn < times and time.monotonic() < until
            if more:
                coming = starter.submit(Server, SERVED, model, drain_seconds=0.5)
            told += asyncio.run(end_under_load(server, images, 16))
            statuses[str(server.process.wait(120))] += 1
            lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
            logged["answered"] += sum(line.get("route") == "/predict" and line["status"] == 200 for line in lines)
            logged["not answered"] += sum(line.get("route") == "/predict" and line["status"] == 499 for line in lines)
            logged["failed"] += sum(line["level"] == "error" for line in lines)
            server.log.unlink()
            print("sigterm", turn, dict(told), dict(logged), dict(statuses), flush=True)
    return {"times": turn, "clients saw": dict(told), "the log says": dict(logged), "exit status": dict(statuses)}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="TIFFs of one slice, in any folders")
    parser.add_argument("--model", default="best")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--turns", type=int, default=2, help="how often the server and the plain handler take turns")
    parser.add_argument("--times", type=int, default=50, help="SIGTERMs")
    parser.add_argument("--disconnects", type=int, default=1000)
    parser.add_argument("--parts", default="crowd,throughput,sigterm")
    parser.add_argument("--minutes", type=float, default=12, help="when no further SIGTERM is sent")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    until = time.monotonic() + asked.minutes * 60
    paths = sorted(path for path in asked.images.rglob("*.tif") if not path.stem.endswith("_mask"))
    images = [path.read_bytes() for path in paths[:: max(1, len(paths) // 64)][:64]]
    parts = {
        "throughput": lambda: throughput(images, asked.model, asked.clients, asked.seconds, asked.turns),
        "crowd": lambda: crowd(images, asked.model, asked.seconds),
        "disconnects": lambda: disconnects(images, asked.model, asked.disconnects),
        "engines": lambda: engines(asked.images, asked.model, asked.seconds, asked.turns),
        "sigterm": lambda: sigterm(images, asked.model, asked.times, until - time.monotonic()),
    }
    found: dict[str, Any] = {"model": asked.model, "processors": len(os.sched_getaffinity(0))}
    for name in asked.parts.split(","):
        found[name] = parts[name]()
        print(json.dumps({name: found[name]}, indent=2), flush=True)
        if asked.out:
            asked.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
