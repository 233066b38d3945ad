"""The log of a run: a table, and a picture of it."""

from __future__ import annotations

import csv
from pathlib import Path

from metseg.errors import UnreadableFileError
from metseg.study import write_atomically

COLUMNS = ("epoch", "loss", "mean_dice", "median_dice", "worst_dice", "learning_rate", "seconds")


def write_log(folder: Path, history: list[dict[str, float]]) -> None:
    """Write ``log.csv`` and ``curves.png`` into ``folder``: one row per epoch, Dice where it was measured."""
    with write_atomically(folder / "log.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(history)
    _plot(folder / "curves.png", history)


def read_log(folder: Path) -> list[dict[str, float]]:
    """The rows that :func:`write_log` wrote into ``folder``; none if there is no log.

    Raises
    ------
    UnreadableFileError
        If it is damaged.
    """
    path = folder / "log.csv"
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{key: float(cell) for key, cell in row.items() if cell} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise UnreadableFileError(path, f"not the log of a training: {error}") from error


def _plot(path: Path, history: list[dict[str, float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    loss, dice = figure.subplots(1, 2)
    loss.plot([row["epoch"] for row in history], [row["loss"] for row in history], color="#b5432a")
    loss.set(xlabel="epoch", title="training loss")
    measured = [row for row in history if "mean_dice" in row]
    for key, label, style in (
        ("mean_dice", "mean", "-"),
        ("median_dice", "median", "--"),
        ("worst_dice", "worst", ":"),
    ):
        dice.plot(
            [row["epoch"] for row in measured], [row[key] for row in measured], style, label=label, color="#23628f"
        )
    dice.set(xlabel="epoch", title="Dice per held-out patient", ylim=(0, 1))
    if measured:
        dice.legend(loc="lower right", frameon=False)
    for axes in (loss, dice):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
