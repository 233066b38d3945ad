"""Scores of networks that were measured on the same patients, and how each network stands among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from metseg.checkpoints.card import ModelCard
from metseg.lesions import Target

#: File in a folder of networks.
FILE = "comparable.json"


class MeasuredNetwork(BaseModel, frozen=True, extra="forbid"):
    """What was measured of one network.

    Attributes
    ----------
    dice : float
        Mean volumetric Dice per patient.
    milliseconds : float
        For a slice, on one processor core.
    created : str
        Date on the card of the weights that are meant; of other weights under the name nothing is known.
    """

    dice: float = Field(ge=0, le=1)
    milliseconds: float = Field(gt=0)
    created: str


class ComparableScores(BaseModel, frozen=True, extra="forbid"):
    """Networks for one target, measured on the same patients, which none of them was trained on."""

    data: str
    target: Target
    patients: int = Field(gt=0)
    networks: dict[str, MeasuredNetwork]


@dataclass(frozen=True, slots=True)
class Standing:
    """A network among those that were measured on the same patients.

    Attributes
    ----------
    dice, milliseconds, patients, data
        See :class:`MeasuredNetwork` and :class:`ComparableScores`.
    marks : tuple of str
        ``most accurate``, ``fastest``, both, or none.
    """

    dice: float
    milliseconds: float
    patients: int
    data: str
    marks: tuple[str, ...] = ()

    def __str__(self) -> str:
        score = f"Dice {self.dice:.3f} on {self.patients} patients ({self.data}), {self.milliseconds:.0f} ms a slice"
        return ", ".join((*self.marks, score))


def standings(folder: Path, cards: Mapping[str, ModelCard]) -> dict[str, Standing]:
    """Compare the networks in a folder by the scores that lie beside them; no scores, or unreadable ones, are none.

    Parameters
    ----------
    folder : Path
        Holds ``comparable.json``.
    cards : mapping of str to ModelCard
        Networks in ``folder``, by name; networks with another date than was measured are left out.
    """
    try:
        scores = ComparableScores.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return {}
    known = {
        name: measured
        for name, measured in scores.networks.items()
        if name in cards and cards[name].created == measured.created and cards[name].target is scores.target
    }
    if not known:
        return {}
    best, fastest = max(one.dice for one in known.values()), min(one.milliseconds for one in known.values())
    found = {}
    for name, one in known.items():
        marks = ("most accurate",) * (one.dice == best) + ("fastest",) * (one.milliseconds == fastest)
        alone = len(known) == 1
        found[name] = Standing(one.dice, one.milliseconds, scores.patients, scores.data, () if alone else marks)
    return found
