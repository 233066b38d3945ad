"""``metseg predict --manifest``: many studies, runs that are interrupted, and the workers of Ray."""

from __future__ import annotations

import csv
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from metseg.prediction import NetworkSettings, PredictionSettings, read_manifest
from metseg.prediction.manifest_run import ManifestWorker
from metseg.ray_cluster import Workers, has_address, worker_sizes
from metseg.study import read_tiff, write_tiff

NAMES = ("a", "b", "c", "d")

#: Outlines a manifest as the command does, and prints each event; the test reads them and kills it in between.
PROGRAM = """
import sys
from pathlib import Path
from metseg.events import Progress
from metseg.prediction import NetworkSettings, PredictionSettings
from metseg.prediction import predict_manifest, ray_engine, read_manifest, run_here
manifest, output, model, engine = sys.argv[1:]
runner = ray_engine(1) if engine == "ray" else run_here
for event in predict_manifest(
    read_manifest(Path(manifest)), Path(output), NetworkSettings(model), PredictionSettings(), runner
):
    if isinstance(event, Progress):
        print(event.done, flush=True)
"""


@pytest.fixture
def manifest(write_patient: Any, tmp_path: Path) -> Path:
    """A table of four patients, and one whose image is damaged."""
    for name in NAMES:
        write_patient(tmp_path / f"in/{name}", slices=2, masks=False)
    (tmp_path / "in/damaged.tif").write_bytes(b"II*\0 no image")
    file = tmp_path / "in/studies.csv"
    file.write_text("path\n" + "".join(f"{name}\n" for name in (*NAMES, "damaged.tif")), encoding="utf-8")
    return file


@pytest.fixture
def run_until(manifest: Path, model: Path, tmp_path: Path) -> Callable[..., None]:
    """Outline in a process of its own until so many rows are done, then do something to it."""

    def run(engine: str, rows: int, then: Callable[[subprocess.Popen[str]], object]) -> None:
        command = [sys.executable, "-c", PROGRAM, str(manifest), str(tmp_path / "out"), str(model), engine]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) >= rows:
                    then(process)
                    break
            process.stdout.read()

    return run


def masks_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*_mask.tif"))}


def test_each_row_is_outlined_as_predict_does_and_failures_are_listed(
    metseg: Any, model: Path, manifest: Path, tmp_path: Path
) -> None:
    done = metseg("predict", "--model", model, "--manifest", manifest, "--output", tmp_path / "out")
    assert done.status == 1
    assert "8 masks of 5 rows" in done.out
    assert "damaged.tif" in done.err
    metseg("predict", "--model", model, "--input", manifest.parent, "--output", tmp_path / "usual")
    assert masks_in(tmp_path / "out") == masks_in(tmp_path / "usual")
    assert (tmp_path / "out/a/a_1_mask.tif").exists()
    with (tmp_path / "out/studies.csv").open(newline="") as lines:
        table = list(csv.DictReader(lines))
    assert [row["masks"] for row in table] == ["2", "2", "2", "2", "0"]
    assert "damaged.tif" in table[-1]["refused"]


def test_a_second_run_does_only_the_rest_and_leaves_edited_masks_alone(
    metseg: Any, model: Path, manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    metseg("predict", "--model", model, "--manifest", manifest, "--output", out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*_mask.tif")}
    edited, removed = out / "a/a_1_mask.tif", out / "b/b_1_mask.tif"
    write_tiff(edited, np.zeros_like(read_tiff(edited)[0, 0]))
    removed.unlink()
    again = metseg("predict", "--model", model, "--manifest", manifest, "--output", out)
    assert "3 of 5 rows are done already" in again.err
    assert removed.exists()
    assert not read_tiff(edited).any()
    untouched = [path for path in times if path.parent.name in "acd" and path != edited]
    assert all(path.stat().st_mtime_ns == times[path] for path in untouched)


def test_a_worker_that_is_given_a_row_again_leaves_its_masks_as_they_are(
    model: Path, manifest: Path, tmp_path: Path
) -> None:
    row = read_manifest(manifest)[0]
    with closing(ManifestWorker(NetworkSettings(str(model)), PredictionSettings(), tmp_path / "out")) as worker:
        first = worker.outline(row)
        times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
        assert worker.outline(row) == first
    assert len(first.masks) == 2
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == times


def test_masks_of_other_settings_are_replaced_only_if_that_is_asked_for(
    metseg: Any, model: Path, manifest: Path, tmp_path: Path
) -> None:
    asked = ("predict", "--model", model, "--manifest", manifest, "--output", tmp_path / "out")
    metseg(*asked)
    before = masks_in(tmp_path / "out")
    refused = metseg(*asked, "--threshold", "0.99")
    assert refused.status == 2
    assert "threshold None, now 0.99" in refused.err
    assert masks_in(tmp_path / "out") == before
    metseg(*asked, "--threshold", "0.99", "--overwrite")
    assert masks_in(tmp_path / "out") != before


def test_masks_of_a_usual_run_are_not_replaced(metseg: Any, model: Path, manifest: Path, tmp_path: Path) -> None:
    asked = ("predict", "--model", model, "--output", tmp_path / "out", "--threshold", "0.99")
    metseg(*asked, "--input", manifest.parent)
    before = masks_in(tmp_path / "out")
    done = metseg("predict", "--model", model, "--output", tmp_path / "out", "--manifest", manifest)
    assert done.status == 1
    assert "give --overwrite" in done.err
    assert masks_in(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "wanted: path"),
        ("image\na\n", "wanted: path"),
        ("path\n", "has no rows"),
        ("path\na\na\n", "rows twice"),
        ("path\n/elsewhere/a\n", "name a folder in column output"),
        ("path,output\na,../b\n", "must be a folder inside"),
        ("path,sequences\na,t9\n", "t9"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_refused(metseg: Any, tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(text, encoding="utf-8")
    done = metseg("predict", "--manifest", file, "--output", tmp_path / "out")
    assert done.status == 2
    assert reason in done.err


def test_rows_name_sequences_and_folders(tmp_path: Path) -> None:
    (tmp_path / "studies.csv").write_text("path,output,sequences\na/x.nii.gz,,post-contrast flair\n/b,of_b,\n")
    first, second = read_manifest(tmp_path / "studies.csv")
    assert (first.output, first.sequences) == (Path("a"), ("post-contrast", "flair"))
    assert (second.path, second.output, second.sequences) == (Path("/b"), Path("of_b"), None)


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with(
    metseg: Any, model: Path, manifest: Path, tmp_path: Path, run_until: Callable[..., None]
) -> None:
    run_until("local", 2, lambda process: os.killpg(process.pid, signal.SIGKILL))
    assert not (tmp_path / "out/studies.csv").exists()
    again = metseg("predict", "--model", model, "--manifest", manifest, "--output", tmp_path / "out")
    assert "2 of 5 rows are done already" in again.err or "3 of 5 rows are done already" in again.err
    metseg("predict", "--model", model, "--input", manifest.parent, "--output", tmp_path / "usual")
    assert masks_in(tmp_path / "out") == masks_in(tmp_path / "usual")


@pytest.mark.parametrize(
    ("machines", "wanted", "rows", "workers"),
    [
        ([(8, 0)], None, 100, (1, 8, 0)),
        ([(0, 0), *[(8, 0)] * 4], None, 100, (4, 8, 0)),  # a head on which nothing runs
        ([(0, 0), (8, 2), (8, 2)], None, 100, (4, 4, 1)),
        ([(8, 0), (8, 4)], None, 100, (4, 2, 1)),  # a head without GPUs, whose processors do not count
        ([(8, 4)], 6, 100, (4, 2, 1)),
        ([(8, 4)], None, 3, (3, 2, 1)),
        ([(16, 0), (4, 0)], None, 100, (2, 4, 0)),
        ([(8, 0), (8, 0)], 3, 100, (3, 4, 0)),
        ([(2, 0)], 4, 100, (4, 1, 0)),
        ([(8, 0), (8, 0)], None, 1, (1, 8, 0)),
        ([(0, 0)], None, 5, (1, 1, 0)),
    ],
)
def test_every_machine_that_has_processors_gets_a_worker_and_every_gpu(
    machines: list[tuple[int, int]], wanted: int | None, rows: int, workers: tuple[int, int, int]
) -> None:
    assert worker_sizes(machines, wanted, rows) == Workers(*workers)


@pytest.mark.parametrize(("address", "named"), [(None, False), ("", False), ("local", False), ("head:6379", True)])
def test_an_empty_address_names_no_cluster(monkeypatch: pytest.MonkeyPatch, address: str | None, named: bool) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address is not None:
        monkeypatch.setenv("RAY_ADDRESS", address)
    assert has_address() is named


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_said_at_once(
    metseg: Any, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed: pip install napari-metseg[scale]")
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_tcp_port}")
    done = metseg("predict", "--manifest", manifest, "--output", tmp_path / "out", "--engine", "ray")
    assert done.status == 2
    assert f"no Ray cluster answers at 127.0.0.1:{free_tcp_port} (RAY_ADDRESS)" in done.err


def test_the_file_for_kubernetes_runs_the_command_with_the_version_of_ray_that_is_pinned(
    metseg: Any, manifest: Path, tmp_path: Path, repository: Path
) -> None:
    job = yaml.safe_load((repository / "docs/examples/rayjob.yaml").read_text(encoding="utf-8"))["spec"]
    assert f"ray=={job['rayClusterSpec']['rayVersion']}" in (repository / "constraints.txt").read_text().splitlines()
    name, *arguments = shlex.split(job["entrypoint"])
    assert name == "metseg"
    places = {"/data/studies.csv": tmp_path / "none.csv", "/data/masks": tmp_path / "masks"}
    done = metseg(*(places.get(word, word) for word in arguments))
    assert "No such file" in done.err
    assert str(tmp_path / "none.csv") in done.err


def outlined_by_ray(model: Path, manifest: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: pytest makes errors of what Ray's log says in the wrong form."""
    asked = ["predict", "--model", model, "--manifest", manifest, "--output", output, "--engine", "ray"]
    command = [sys.executable, "-m", "metseg.cli", *map(str, asked)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_ray_gives_the_same_masks(metseg: Any, model: Path, manifest: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed: pip install napari-metseg[scale]")
    done = outlined_by_ray(model, manifest, tmp_path / "ray")
    assert (done.returncode, "8 masks of 5 rows" in done.stdout) == (1, True), done.stderr
    metseg("predict", "--model", model, "--manifest", manifest, "--output", tmp_path / "here")
    assert masks_in(tmp_path / "ray") == masks_in(tmp_path / "here")


@pytest.mark.slow
def test_a_killed_worker_of_ray_is_replaced(
    metseg: Any, model: Path, manifest: Path, tmp_path: Path, run_until: Callable[..., None]
) -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed: pip install napari-metseg[scale]")
    killed: list[int] = []

    def kill_worker(process: subprocess.Popen[str]) -> None:
        for place in Path("/proc").glob("[0-9]*"):
            try:
                command = (place / "cmdline").read_bytes()
                ours = os.getsid(int(place.name)) == os.getsid(process.pid) or command.startswith(b"ray::")
            except OSError:
                continue  # has ended
            if ours and command.startswith(b"ray::Map"):
                os.kill(int(place.name), signal.SIGKILL)
                killed.append(int(place.name))

    run_until("ray", 1, kill_worker)
    assert killed
    done = metseg("predict", "--model", model, "--manifest", manifest, "--output", tmp_path / "out")
    assert "4 of 5 rows are done already" in done.err
    assert len(masks_in(tmp_path / "out")) == 8


@pytest.mark.slow
def test_a_killed_run_of_ray_is_gone_on_with(
    model: Path, manifest: Path, tmp_path: Path, run_until: Callable[..., None]
) -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed: pip install napari-metseg[scale]")
    run_until("ray", 1, lambda process: os.killpg(process.pid, signal.SIGKILL))
    done = outlined_by_ray(model, manifest, tmp_path / "out")
    assert "of 5 rows are done already" in done.stderr
    assert len(masks_in(tmp_path / "out")) == 8
