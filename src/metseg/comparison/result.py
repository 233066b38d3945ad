"""What a comparison found, as values that round-trip through JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from metseg.metrics import PairedTest, Score, Summary
from metseg.preprocessing import Clahe


class PatientResult(BaseModel, frozen=True):
    """What :class:`metseg.metrics.PatientScore` leaves out.

    Attributes
    ----------
    trained_on : bool
        Whether the model that segmented this patient was trained on it, so that its scores are no evidence.
    hd95, surface_dice : float
        See :class:`metseg.comparison.surfaces.SurfaceAgreement`; means over the scans.
    slices : int
        Slices of all scans.
    seconds : float
        From the studies in memory to their masks.
    """

    name: str
    trained_on: bool
    hd95: float
    surface_dice: float
    slices: int
    seconds: float


class LearningCurve(BaseModel, frozen=True):
    """The log of one training run.

    Attributes
    ----------
    loss : tuple of float
        Training loss of each.
    dice : tuple of float
        Mean Dice per held-out patient; ``nan`` where it was not measured.
    """

    epochs: tuple[int, ...]
    loss: tuple[Score, ...]
    dice: tuple[Score, ...]


class ModelResult(BaseModel, frozen=True):
    """One model on all patients.

    Attributes
    ----------
    name, title : str
        Name in the report, and what the network is.
    clahe : Clahe
        Which slices the network was shown.
    weights_sha256 : tuple of str
        Of every file that was used.
    summary : Summary
        Overlap, lesion-wise scores and calibration, with those of each patient.
    patients : tuple of PatientResult
        In the order of ``summary.scores``.
    mean_surface_dice, median_hd95 : float
        Over patients.
    seconds_per_slice : float
        Median over patients.
    parameters : int
        Trainable numbers of the network.
    curves : tuple of LearningCurve
        One for each training run that left a log.
    """

    name: str
    title: str
    clahe: Clahe
    weights_sha256: tuple[str, ...]
    summary: Summary
    patients: tuple[PatientResult, ...]
    mean_surface_dice: Score
    median_hd95: Score
    seconds_per_slice: Score
    parameters: int
    curves: tuple[LearningCurve, ...] = ()

    @property
    def dice(self) -> list[float]:
        """Dice of every patient."""
        return [score.dice for score in self.summary.scores]


class Verdict(BaseModel, frozen=True):
    """The paired test between the two models with the highest mean Dice.

    Attributes
    ----------
    first, second : str
        The models; ``first`` has the higher mean.
    chosen_from : int
        Number of models that these two are the best of.
    test : PairedTest
        Dice per patient, first minus second.
    """

    first: str
    second: str
    chosen_from: int
    test: PairedTest

    @property
    def sentence(self) -> str:
        """The finding as a sentence; "better" is only used where interval and test both allow it."""
        test = self.test
        if not test.interval.known:
            return f"{self.first} has the highest mean Dice; {_count(test.patients)} cannot tell models apart."
        p_value = "< 0.001" if test.p_value < 0.001 else f"= {test.p_value:.3f}"
        found = (
            f"On the same {_count(test.patients)} the mean Dice of {self.first} is {test.difference:.3f} above that of "
            f"{self.second} (95 % interval {_signed(test.interval.low)} to {_signed(test.interval.high)}, "
            f"Wilcoxon p {p_value})."
        )
        if not test.is_significant:
            return f"{found} Interval and test do not both exclude chance: these patients do not tell the two apart."
        chosen = f", chosen from {self.chosen_from} by these same patients" if self.chosen_from > 2 else ""
        return f"{found} {self.first} is the better of the two{chosen}."


class Comparison(BaseModel, frozen=True):
    """Models side by side on the same patients.

    Attributes
    ----------
    created : str
        ISO 8601 date.
    device : str
        Where the networks ran.
    versions : dict of str to str
        Of the packages that matter.
    models : tuple of ModelResult
        By mean Dice, highest first.
    verdict : Verdict or None
        ``None`` for a single model.
    """

    created: str
    device: str
    versions: dict[str, str]
    patients: int
    models: Annotated[tuple[ModelResult, ...], Field(min_length=1)]
    verdict: Verdict | None

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Patients that at least one model was trained on."""
        return tuple(sorted({row.name for model in self.models for row in model.patients if row.trained_on}))


def _count(patients: int) -> str:
    return "1 patient" if patients == 1 else f"{patients} patients"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
