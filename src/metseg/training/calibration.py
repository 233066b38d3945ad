"""One number that calibrates probabilities: temperature scaling (Guo et al. 2017, arXiv 1706.04599)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from metseg.checkpoints import Checkpoint, InferenceConfig, load_checkpoint, replace_card
from metseg.checkpoints.store import FILE_NAME
from metseg.errors import DataError
from metseg.events import Event, Finished, Notice, Progress
from metseg.inference import StudySegmenter, open_segmenter
from metseg.metrics import Reliability, pool_reliability
from metseg.networks import EnsembleSpec, NetworkSpec
from metseg.study import StudyFiles
from metseg.training.dataset import Folders, load_masked, masked_patients

#: Logits are counted in bins of this width, which moves the likelihood by less than a millionth.
_WIDTH = 0.01
_LEAST = 1e-6
_EDGES = np.arange(-1382, 1383) * _WIDTH
_REMARK = "Calibrated on "


@dataclass(frozen=True, eq=False, slots=True)
class LogitCounts:
    """How many voxels have which logit; adds up over patients without keeping the voxels.

    Attributes
    ----------
    lesion, healthy : ndarray of int64, shape (n,)
        Voxels inside and outside lesions whose logit lies in each bin of 0.01 from -13.82 to 13.82.
    """

    lesion: npt.NDArray[np.int64]
    healthy: npt.NDArray[np.int64]

    @classmethod
    def of(cls, reference: npt.NDArray[np.generic], probabilities: npt.NDArray[np.floating]) -> LogitCounts:
        """Count the voxels of one study; ``reference`` is non-zero inside lesions, probabilities are 0 to 1."""
        logits = logit(np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST))
        inside = reference.astype(bool)
        return cls(np.histogram(logits[inside], _EDGES)[0], np.histogram(logits[~inside], _EDGES)[0])

    @classmethod
    def none(cls) -> LogitCounts:
        """No voxels."""
        empty = np.zeros(len(_EDGES) - 1, np.int64)
        return cls(empty, empty)

    def __add__(self, other: LogitCounts) -> LogitCounts:
        """Of both sets of voxels together."""
        return LogitCounts(self.lesion + other.lesion, self.healthy + other.healthy)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return int(self.lesion.sum() + self.healthy.sum())

    @property
    def logits(self) -> npt.NDArray[np.float64]:
        """Centres of the bins."""
        return np.asarray((_EDGES[1:] + _EDGES[:-1]) / 2)

    def negative_log_likelihood(self, temperature: float) -> float:
        """Mean over all voxels, natural logarithm, of the truth under logits divided by ``temperature``."""
        scaled = self.logits / temperature
        total = self.lesion @ np.logaddexp(0, -scaled) + self.healthy @ np.logaddexp(0, scaled)
        return float(total / self.voxels)

    def brier(self, temperature: float) -> float:
        """Mean over all voxels of (probability - truth)², after logits are divided by ``temperature``."""
        return self._squared_error(expit(self.logits / temperature)) / self.voxels

    def reliability(self, temperature: float) -> Reliability:
        """How often voxels of a given probability are lesion, after logits are divided by ``temperature``."""
        edges = pool_reliability([]).edges
        probability = expit(self.logits / temperature)
        voxels = self.lesion + self.healthy
        place = np.digitize(probability, edges[1:-1])

        def sums(weights: npt.NDArray[np.generic]) -> list[float]:
            return [float(total) for total in np.bincount(place, weights=weights, minlength=len(edges) - 1)]

        return Reliability(
            edges=edges,
            voxels=tuple(int(number) for number in sums(voxels)),
            lesion_voxels=tuple(int(number) for number in sums(self.lesion)),
            probability=tuple(sums(voxels * probability)),
            squared_error=self._squared_error(probability),
        )

    def _squared_error(self, probability: npt.NDArray[np.float64]) -> float:
        return float(self.lesion @ (1 - probability) ** 2 + self.healthy @ probability**2)


def fit_temperature(counts: LogitCounts) -> float:
    """The temperature between 1/20 and 20 with the least Brier score.

    Likelihood, which Guo et al. take, is ruled by the few lesion voxels of confident misses; it flattens
    all probabilities for their sake, also those in doubt, which were right. The Brier score bounds what one voxel costs
    (``docs/experiments/gliomas.md`` has both).

    Raises
    ------
    DataError
        If the voxels are all lesion or all healthy.
    """
    if not counts.lesion.any() or not counts.healthy.any():
        raise DataError("a temperature needs voxels inside and outside lesions")
    limit = float(np.log(20))
    found = minimize_scalar(
        lambda exponent: counts.brier(float(np.exp(exponent))),
        bounds=(-limit, limit),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


class Calibration(BaseModel, frozen=True):
    """A temperature, and what it changes on the voxels that it was fitted on.

    Attributes
    ----------
    temperature : float
        Logits are to be divided by this.
    patients : tuple of str
        Whose voxels these are; none was trained on by the weights that segmented it.
    nll_before, nll_after : float
        Mean negative log-likelihood of a voxel, without and with the temperature.
    before, after : Reliability
        Likewise; carries the expected calibration error and the Brier score.
    """

    temperature: float
    patients: tuple[str, ...]
    voxels: int
    nll_before: float
    nll_after: float
    before: Reliability
    after: Reliability


def calibrate(
    model: Checkpoint, data: Folders, *, runs: Sequence[Path] = (), device: str = "auto"
) -> Iterator[Event[Calibration]]:
    """Fit the temperature of ``model`` on the voxels of patients that its weights never saw.

    Without ``runs`` these are the patients that its card names as held out. A model trained on all patients has none:
    then the cross-validation of the same recipe takes its place, every patient through the fold that held it out. For
    an ensemble give the cross-validation of each member; their probabilities are averaged as the ensemble does.
    Nothing is written, see :func:`write_temperature`.

    Parameters
    ----------
    model : Checkpoint
        What is calibrated; the temperature that it has is left aside.
    data : Path or DataFolder
        As for :func:`metseg.training.train`; only slices with a mask count.
    runs : sequence of Path
        Folders that hold ``fold_0``, ``fold_1``, …

    Raises
    ------
    DataError
        If no patient was held out, or ``runs`` are of another network or preprocessing.
    """
    there = masked_patients(data)
    weights = _held_out_by_folds(model, runs) if runs else dict.fromkeys(_clean(model), (model.path,))
    plan = sorted(((files, name) for name, files in weights.items() if name in there))
    if not plan:
        raise DataError(
            f"{data}: nobody here was held out from {model.card.name}; give --runs with the folds of its recipe"
        )
    counts = LogitCounts.none()
    done = 0
    for files, group in groupby(plan, key=lambda row: row[0]):
        with ExitStack() as stack:
            segmenters = [
                stack.enter_context(open_segmenter(_uncalibrated(file, model.card.inference), device=device))
                for file in files
            ]
            for _, name in group:
                yield Progress(done, len(plan), f"outlining {name}")
                counts += yield from _count(segmenters, there[name])
                done += 1
    temperature = round(fit_temperature(counts), 4)
    yield Finished(
        Calibration(
            temperature=temperature,
            patients=tuple(sorted(name for _, name in plan)),
            voxels=counts.voxels,
            nll_before=counts.negative_log_likelihood(1.0),
            nll_after=counts.negative_log_likelihood(temperature),
            before=counts.reliability(1.0),
            after=counts.reliability(temperature),
        )
    )


def write_temperature(model: Checkpoint, calibration: Calibration) -> Path:
    """Write the temperature into the card of ``model``, see :func:`metseg.checkpoints.replace_card`."""
    before, after = calibration.before.ece_in_doubt, calibration.after.ece_in_doubt
    remark = (
        f"{_REMARK}{len(calibration.patients)} held-out patients: temperature {calibration.temperature}, expected "
        f"calibration error of voxels in doubt {before:.3f} before and {after:.3f} after."
    )
    notes = [line for line in model.card.notes.splitlines() if line and not line.startswith(_REMARK)]
    card = model.card.model_copy(
        update={
            "inference": model.card.inference.model_copy(update={"temperature": calibration.temperature}),
            "notes": "\n\n".join([*notes, remark]),
        }
    )
    return replace_card(model, card)


def _clean(checkpoint: Checkpoint) -> list[str]:
    record = checkpoint.card.training
    return [name for name in record.held_out if name not in record.patients]


def _held_out_by_folds(model: Checkpoint, runs: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """By patient the checkpoint of each of ``runs`` that held it out, for patients whom all of them held out once."""
    spec = model.card.network
    wanted = set(spec.members) if isinstance(spec, EnsembleSpec) else {spec}
    found: set[NetworkSpec | EnsembleSpec] = set()
    by_run: list[dict[str, Path]] = []
    for folder in runs:
        folds = [load_checkpoint(file) for file in sorted(folder.glob(f"fold_*/{FILE_NAME}"))]
        if not folds:
            raise DataError(f"{folder}: no cross-validation here (fold_0/{FILE_NAME}, fold_1/{FILE_NAME}, …)")
        if any(fold.card.preprocessing != model.card.preprocessing for fold in folds):
            raise DataError(f"{folder} and {model.card.name} differ in preprocessing")
        found |= {fold.card.network for fold in folds}
        by_run.append({name: fold.path for fold in folds for name in _clean(fold)})
    if found != wanted:
        titles = [", ".join(sorted(network.title for network in networks)) for networks in (found, wanted)]
        raise DataError(f"the cross-validation is of {titles[0]}, {model.card.name} of {titles[1]}")
    names = set.intersection(*(set(run) for run in by_run))
    return {name: tuple(run[name] for run in by_run) for name in names}


def _uncalibrated(file: Path, inference: InferenceConfig) -> Checkpoint:
    """A checkpoint with the settings of ``inference``, at temperature 1."""
    checkpoint = load_checkpoint(file)
    uncalibrated = inference.model_copy(update={"temperature": 1.0})
    return replace(checkpoint, card=checkpoint.card.model_copy(update={"inference": uncalibrated}))


def _count(segmenters: list[StudySegmenter], files: list[StudyFiles]) -> Generator[Notice, None, LogitCounts]:
    counts = LogitCounts.none()
    for study in (yield from load_masked(files)):
        if study.mask is None:
            continue
        z = study.masked_slices
        probabilities = [segmenter.segment(study).probabilities[z] for segmenter in segmenters]
        counts += LogitCounts.of(study.mask[z], np.mean(probabilities, axis=0))
    return counts
