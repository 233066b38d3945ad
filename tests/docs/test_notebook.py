"""The notebook runs from a clean kernel, as a reader would run it, and shows what it says it shows."""

from __future__ import annotations

import ast
import base64
import importlib
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from metseg.checkpoints import read_card
from metseg.checkpoints.store import FILE_NAME

pytestmark = pytest.mark.slow


FIGURES = ("look-sequences", "look-heads", "preprocess", "preprocess-heads", "curves", "predict", "scores", "outlines")
TITLES = {"nested_unet": "Nested U-Net", "attention_unet": "Attention U-Net"}
LARGEST = 1_500_000  # bytes; what is committed with its pictures
#: Modules that are public as a whole.
OPEN = {"metseg.errors", "metseg.events"}
#: As little as still trains: the notebook's own settings take about a minute.
QUICK = """
OUT = Path({out!r})
EPOCHS, STEPS_PER_EPOCH, BATCH_SIZE, CROP, SIZE = 2, 3, 4, 64, 96
HEADS, SLICES = 3, 8
"""


@dataclass(frozen=True)
class Run:
    """The notebook after a run, and the folder it wrote to."""

    notebook: NotebookNode
    out: Path


@pytest.fixture(scope="module")
def committed(repository: Path) -> Path:
    return repository / "docs" / "train_models.ipynb"


@pytest.fixture(scope="module")
def run(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The notebook on synthetic heads, with smaller settings put in after its parameters, in a clean kernel."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(committed, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    (after,) = (index + 1 for index, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(after, nbformat.v4.new_code_cell(QUICK.format(out=str(folder / "out")), id="quick"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("METSEG_", "MPLBACKEND"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        client = NotebookClient(notebook, timeout=900, startup_timeout=300, iopub_timeout=60, kernel_name="python3")
        client.execute(cwd=str(folder), env=clean | {"IPYTHONDIR": str(folder / "ipython")})
    return Run(notebook, folder / "out")


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: NotebookNode, cell_id: str, kind: str) -> list[str]:
    """Everything of one MIME type that a cell shows."""
    (cell,) = (cell for cell in notebook.cells if cell.id == cell_id)
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def table(notebook: NotebookNode, cell_id: str) -> list[dict[str, str]]:
    """The rows of a cell's Markdown table, by heading."""
    (text,) = outputs(notebook, cell_id, "text/markdown")
    headings, _, *rows = ([part.strip() for part in line.strip("|").split("|")] for line in text.splitlines())
    return [dict(zip(headings, row, strict=True)) for row in rows]


def test_no_cell_fails_or_warns(run: Run) -> None:
    outcomes = [output for cell in code_cells(run.notebook) for output in cell.outputs]
    assert [output for output in outcomes if output.output_type == "error"] == []
    assert [output.text for output in outcomes if output.get("name") == "stderr"] == []


@pytest.mark.parametrize("cell_id", FIGURES)
def test_there_is_a_picture_where_there_should_be_one(run: Run, cell_id: str) -> None:
    (picture,) = outputs(run.notebook, cell_id, "image/png")
    header = base64.b64decode(picture)[:24]
    width, height = (int.from_bytes(header[start : start + 4], "big") for start in (16, 20))
    assert header.startswith(b"\x89PNG")
    assert width > 250
    assert height > 150


def test_networks_are_scored_on_patients_that_they_were_not_trained_on(run: Run) -> None:
    split = json.loads((run.out / "split.json").read_text(encoding="utf-8"))
    cards = [read_card(run.out / name / FILE_NAME) for name in TITLES]
    assert {card.network.title.partition(",")[0] for card in cards} == {"Nested U-Net (U-Net++)", "Attention U-Net"}
    for card in cards:
        assert set(card.training.patients) == set(split["train"])
        assert set(card.training.held_out) == set(split["held_out"])
    assert set(split["train"]).isdisjoint(split["held_out"])
    assert [row["Who"] for row in table(run.notebook, "split")] == [", ".join(split[k]) for k in ("train", "held_out")]


def test_both_networks_are_compared_with_the_scores_that_were_measured(run: Run) -> None:
    scores = json.loads((run.out / "report" / "scores.json").read_text(encoding="utf-8"))
    measured = {model["name"]: model["summary"] for model in scores["models"]}
    shown = {row.pop(next(iter(row))): row for row in table(run.notebook, "compare")}
    assert set(measured) == set(TITLES)
    for name, title in TITLES.items():
        dice = {kind: float(shown[f"Dice, {kind}"][title]) for kind in ("mean", "median", "worst")}
        assert all(math.isfinite(value) and 0 <= value <= 1 for value in dice.values())
        assert dice == {kind: pytest.approx(measured[name][f"{kind}_dice"], abs=0.0005) for kind in dice}


def test_the_table_of_patients_is_what_was_drawn(run: Run) -> None:
    rows = table(run.notebook, "load")
    assert [row["Patient"] for row in rows] == [f"synthetic-head-{seed}" for seed in range(3)]
    assert all(row["Voxels (z × y × x)"] == "8 × 96 × 96" and int(row["Lesions"]) > 0 for row in rows)


def test_only_public_names_are_used(committed: Path) -> None:
    hidden = [
        f"{room}.{name}"
        for room, name in imported(nbformat.read(committed, as_version=4))
        if room.count(".") > 1 or (room not in OPEN and name not in importlib.import_module(room).__all__)
    ]
    assert hidden == []


def imported(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    plain = TransformerManager()
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(plain.transform_cell(cell.source))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("metseg"):
                yield from ((node.module, alias.name) for alias in node.names)


def test_what_the_committed_notebook_shows_comes_from_one_whole_run(committed: Path) -> None:
    notebook = nbformat.read(committed, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    shown = [cell_id for cell_id in FIGURES if outputs(notebook, cell_id, "image/png")]
    never = counts == [None] * len(counts) and shown == []
    assert never or (counts == list(range(1, len(counts) + 1)) and shown == list(FIGURES))


def test_the_committed_notebook_is_small_and_names_no_folder_of_any_machine(committed: Path) -> None:
    text = committed.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    words = re.sub(r'"image/png": "[^"]*"', "", text)
    assert re.findall(r"(?:/tmp|/home|/root|/work|/Users|/var|[A-Z]:\\\\)[/\\\\]?[\w.-]*", words) == []
