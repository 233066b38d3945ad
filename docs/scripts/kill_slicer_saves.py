"""Kill the server (SIGKILL) while labels are being sent to it, again and again; then look at every case.

Each round starts ``metseg serve`` over the same project, sends labels to several cases at once, kills all of the
server's processes after a random time, and opens every case. A case is in order if it opens, and holds either the last
label that was answered with 200 or the one that was on its way. POSIX only: each server is forked from this process,
so that everything is imported once, and has an untrained network, which no label asks.

    python docs/scripts/kill_slicer_saves.py --rounds 50
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import random
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import httpx
import nibabel
import numpy as np
from serving import free_port, wait_until_ready

from metseg.checkpoints import ModelCard, save_checkpoint
from metseg.cli.serve import serve
from metseg.curation import Project
from metseg.errors import MetsegError
from metseg.networks import NetworkSpec, build_network
from metseg.preprocessing import PreprocessingConfig
from metseg.server import application  # noqa: F401  (imported before the forks)
from metseg.study import read_study, write_tiff
from metseg.synthetic import synthetic_study

CASES = ("head_1", "head_2", "head_3")
SLICES, SIZE = 24, 256
AFFINE = np.diag([-1.0, -1.0, 3.0, 1.0])


@dataclass
class Sender:
    """Sends labels to one case until the server is gone."""

    case: str
    url: str
    seed: int
    answered: np.ndarray | None = None
    on_its_way: np.ndarray | None = None
    count: int = 0
    refused: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Send until nobody answers."""
        chance = np.random.default_rng(self.seed)
        while True:
            mask = blobs(chance)
            self.on_its_way = mask
            try:
                answer = httpx.put(
                    f"{self.url}/datastore/label",
                    params={"image": self.case},
                    files={"label": ("label.nii.gz", volume(mask))},
                    timeout=60,
                )
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                self.refused.append(answer.text)
                return
            self.answered, self.count = mask, self.count + 1


def blobs(chance: np.random.Generator) -> np.ndarray:
    """A mask of three balls somewhere, bool (z, y, x)."""
    z, y, x = np.ogrid[:SLICES, :SIZE, :SIZE]
    mask = np.zeros((SLICES, SIZE, SIZE), np.bool_)
    for _ in range(3):
        centre = chance.integers((4, 40, 40), (SLICES - 4, SIZE - 40, SIZE - 40))
        distance = (3 * (z - centre[0])) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2
        mask |= distance < chance.integers(8, 30) ** 2
    return mask


def volume(mask: np.ndarray) -> bytes:
    """What Slicer would send."""
    return gzip.compress(nibabel.Nifti1Image(mask.transpose(2, 1, 0).astype(np.uint8), AFFINE).to_bytes(), 1)


def new_project(folder: Path) -> Project:
    """A project of synthetic heads."""
    project = Project.create(folder / "project")
    for seed, name in enumerate(CASES):
        voxels = synthetic_study(seed=seed, slices=SLICES, size=SIZE).voxels
        write_tiff(folder / f"{name}.tif", voxels.transpose(1, 2, 3, 0), channels=True, spacing=(3.0, 1.0, 1.0))
        project.add(read_study(folder / f"{name}.tif"))
    return project


def new_model(folder: Path) -> Path:
    """A small network that knows nothing."""
    network = NetworkSpec.of("attention_unet")
    card = ModelCard(name="untrained", network=network, preprocessing=PreprocessingConfig(size=64))
    return save_checkpoint(folder / "untrained", build_network(network), card)


@contextmanager
def server(project: Project, model: Path, log: Path) -> Iterator[tuple[str, int]]:
    """A server that is ready: its address, and its process, which leads a group of its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = os.fork()
    if process == 0:
        _become_server(port, project, model, log)
    try:
        wait_until_ready(url, log, lambda: os.waitpid(process, os.WNOHANG)[0])
        yield url, process
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _become_server(port: int, project: Project, model: Path, log: Path) -> NoReturn:
    """Serve, and leave without what the script does at its own end."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        serve(port=port, model=str(model), project=project.path)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def one_round(project: Project, model: Path, log: Path, chance: random.Random) -> list[Sender]:
    """Start, send, kill."""
    with server(project, model, log) as (url, process):
        senders = [Sender(case, url, chance.getrandbits(32), before(project, case)) for case in CASES]
        threads = [threading.Thread(target=sender.run) for sender in senders]
        for thread in threads:
            thread.start()
        while not any(sender.count for sender in senders) and any(thread.is_alive() for thread in threads):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 2))
        os.killpg(process, signal.SIGKILL)
        for thread in threads:
            thread.join()
    return senders


def before(project: Project, case: str) -> np.ndarray:
    """Where a case says lesion now."""
    return np.asarray(project.read_case(case).labels > 0)


def state_of(project: Project, sender: Sender) -> str:
    """What a case holds: the answered label, the one on its way, or a problem."""
    try:
        with project.open_case(sender.case, timeout=10) as case:
            labels = np.asarray(case.labels > 0)
            numbers = [record.seq for record in case.history()]
    except MetsegError as error:
        return f"corrupt: {error}"
    if numbers != list(range(1, len(numbers) + 1)):
        return "corrupt: records are missing"
    if np.array_equal(labels, sender.answered):
        return "answered"
    return "on its way" if np.array_equal(labels, sender.on_its_way) else "corrupt: neither label"


def main() -> None:
    """Kill, look, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)  # noqa: S311  (no secret)
    saves, found = 0, dict.fromkeys(("answered", "on its way"), 0)
    corrupt: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kill-slicer-saves-") as folder:
        project, model = new_project(Path(folder)), new_model(Path(folder))
        for number in range(1, given.rounds + 1):
            senders = one_round(project, model, Path(folder, "server.log"), chance)
            if refused := [text for sender in senders for text in sender.refused]:
                raise SystemExit(f"refused: {refused}")
            states = [state_of(project, sender) for sender in senders]
            corrupt += [state for state in states if state not in found]
            for state in states:
                found[state] = found.get(state, 0) + 1
            saves += sum(sender.count for sender in senders)
            print(f"round {number}: {', '.join(states)}", flush=True)
    print(f"{given.rounds} kills, {saves} labels answered; {len(corrupt)} of {given.rounds * len(CASES)} cases corrupt")
    print(found)
    raise SystemExit(bool(corrupt))


if __name__ == "__main__":
    main()
