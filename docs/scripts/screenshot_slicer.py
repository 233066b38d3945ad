"""Take the pictures of docs/slicer.md: what goes between 3D Slicer's extension and the server, and what comes of it.

xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" python docs/scripts/screenshot_slicer.py [--model NAME]

Slicer itself does not run here. A client makes the requests of its MONAI Label extension 0.8.5, in its order and with
its bodies, to a real ``metseg serve``. The heads are synthetic, so what a person would draw is known: their true mask.
"""

from __future__ import annotations

import argparse
import email.parser
import email.policy
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
from serving import free_port, wait_until_ready

from metseg.curation import Project
from metseg.study import read_study, write_tiff
from metseg.synthetic import synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"
WHO = "rater-7"
_HEADS = 3
_SPACING = (5.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Exchange:
    """One case as it went to Slicer and came back; volumes are (z, y, x).

    Attributes
    ----------
    case : str
    image, answered, sent, kept : ndarray
        FLAIR as the client got it, the network's mask, the label that was sent, the labels in the project thereafter.
    """

    case: str
    image: np.ndarray
    answered: np.ndarray
    sent: np.ndarray
    kept: np.ndarray

    @property
    def slice(self) -> int:
        """Where most was corrected."""
        return int(np.argmax((self.answered != self.sent).sum(axis=(1, 2))))


def make_project(folder: Path) -> tuple[Project, dict[str, np.ndarray]]:
    """A project of synthetic heads, and their true masks."""
    project, truth = Project.create(folder / "project"), {}
    for seed in range(_HEADS):
        head = synthetic_study(seed)
        path = folder / f"head_{seed + 1}.tif"
        write_tiff(path, head.voxels.transpose(1, 2, 3, 0), channels=True, spacing=head.geometry.spacing or _SPACING)
        project.add(read_study(path))
        truth[path.stem] = head.mask
    return project, truth


@contextmanager
def served(project: Path, model: str) -> Iterator[str]:
    """The address of a server over ``project``."""
    port, log = free_port(), project.parent / "server.log"
    command = [sys.executable, "-m", "metseg.cli", "serve", "--port", str(port), "--model", model]
    with log.open("wb") as file:
        process = subprocess.Popen([*command, "--project", str(project)], stderr=file, stdout=file)  # noqa: S603
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", log, process.poll)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def play(url: str, model: str, truth: dict[str, np.ndarray]) -> tuple[str, dict[str, Any]]:
    """Connect, Next Sample, Run, correct, Submit Label: the case, and its volumes as they went over the network."""
    with httpx.Client(base_url=url, timeout=600) as client:
        info = client.get("/info/").raise_for_status().json()
        sample = client.post("/activelearning/first", json={"client_id": WHO}).raise_for_status().json()
        name = sample["id"]
        image = volume_in(client.get("/datastore/image", params={"image": name}).raise_for_status().content)
        told = {**info["models"][model]["config"], "result_extension": ".nrrd", "client_id": WHO}
        form = {"params": (None, json.dumps(told))}
        answer = client.post(f"/infer/{model}", params={"image": name}, files=form).raise_for_status()
        mask = volume_in(parts_of(answer)["image"])
        drawn = truth[name].transpose(2, 1, 0).astype(np.uint8)
        label = gzip.compress(nibabel.Nifti1Image(drawn, mask.affine).to_bytes())
        told = {"label_info": [{"name": info["labels"][0], "idx": 1}], "client_id": WHO}
        form = {"params": (None, json.dumps(told)), "label": ("label.nii.gz", label, "application/gzip")}
        saved = client.put("/datastore/label", params={"image": name}, files=form).raise_for_status().json()
    print(saved, flush=True)
    return name, {"image": voxels_of(image), "answered": voxels_of(mask) > 0, "sent": drawn.transpose(2, 1, 0) > 0}


def parts_of(answer: httpx.Response) -> dict[str, bytes]:
    """The parts of an answered form by name."""
    head = f"Content-Type: {answer.headers['content-type']}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + answer.content)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in message.iter_parts()
    }


def volume_in(content: bytes) -> Any:
    """A ``.nii.gz``."""
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(content))


def voxels_of(volume: Any) -> np.ndarray:
    """The voxels of a volume of the server, (z, y, x)."""
    return np.asarray(volume.dataobj).transpose(2, 1, 0)


def draw(exchange: Exchange, path: Path) -> None:
    """One slice at each stop of its way."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    z = exchange.slice
    steps = (
        ("Run: what the server answers", "POST /infer/MODEL", exchange.answered, "#f2c14e"),
        ("Submit Label: what the client sends", "PUT /datastore/label", exchange.sent, "#4ecdc4"),
        ("What the project holds then", "the case's journal", exchange.kept > 0, "#ff6b9d"),
    )
    figure = Figure(figsize=(12, 4.9), facecolor="#16181d", layout="constrained")
    FigureCanvasAgg(figure)
    rows, columns = np.nonzero(exchange.image[z] > np.percentile(exchange.image[z], 60))
    for number, (title, request, mask, colour) in enumerate(steps):
        axes = figure.add_subplot(1, 3, number + 1)
        axes.imshow(exchange.image[z], cmap="gray", interpolation="nearest")
        axes.contour(mask[z], [0.5], colors=[colour], linewidths=1.6)
        axes.set(xlim=(columns.min() - 4, columns.max() + 4), ylim=(rows.max() + 4, rows.min() - 4))
        axes.set_title(f"{title}\n", color="white", fontsize=12)
        axes.text(0.5, 1.02, request, color="#9aa4b2", fontsize=10, ha="center", transform=axes.transAxes)
        axes.axis("off")
    figure.savefig(path, dpi=110)
    print(path, flush=True)


def show_in_studio(project: Path, exchange: Exchange, path: Path) -> None:
    """The same slice of the same case in the studio's window."""
    import napari
    from window import PLUGIN, settle, wait_until

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(1440, 990)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Correction studio")
    studio, state = widget.studio, widget.studio.state
    studio.open_project(project)
    wait_until(lambda: state.project is not None and not state.searching, "opening the project")
    studio.open_case(exchange.case)
    wait_until(lambda: state.case is not None, "opening the case")
    studio.go_to(exchange.slice)
    wait_until(lambda: not studio.busy and not widget.queue.reviewing.busy, "looking at the case")
    viewer.reset_view(margin=0.02)
    settle(5)
    viewer.window.screenshot(str(path), flash=False, canvas_only=False)
    print(path, flush=True)
    viewer.close()


def main() -> None:
    """Play the requests, draw them, and open the case in the studio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="attention_unet")
    options.add_argument("--output", type=Path, default=IMAGES)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        project, truth = make_project(Path(scratch))
        with served(project.path, given.model) as url:
            name, volumes = play(url, given.model, truth)
        exchange = Exchange(name, **volumes, kept=project.read_case(name).labels)
        draw(exchange, given.output / "slicer_exchange.png")
        show_in_studio(project.path, exchange, given.output / "slicer_studio.png")


if __name__ == "__main__":
    main()
