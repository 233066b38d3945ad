"""How many simulated metastases a model finds in heads that it does not know, by their size."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field
from scipy import ndimage

from metseg.checkpoints import Checkpoint
from metseg.errors import DataError
from metseg.events import Event, Finished, Notice, Progress
from metseg.inference import open_segmenter
from metseg.lesions import PostprocessingConfig
from metseg.metrics import CONFIDENCE, Interval, match_lesions, mean_interval
from metseg.study import Study
from metseg.synthetic import Insertion, MetastasisConfig, insert_metastases
from metseg.training.dataset import Folders, chosen_patients, load_masked

#: Bounds between the classes of diameters, mm; the first and last class are open.
DIAMETERS = (5.0, 10.0, 15.0)

_TOUCHING = np.ones((3, 3, 3), bool)


class SimulatedLesion(BaseModel, frozen=True):
    """One inserted lesion and whether it was found.

    Attributes
    ----------
    patient, kind : str
        Whose head it was drawn into, and what.
    centre : tuple of float
        (z, y, x), voxels from 0.
    diameter, oedema : float
        Of the tumour, and width of the oedema around it, mm.
    slice_distance : float
        In mm, known or assumed.
    voxels : int
        Outlined, with the oedema.
    found : bool
        Whether any predicted voxel lies in it or beside it.
    """

    patient: str
    kind: str
    centre: tuple[float, float, float]
    diameter: float
    oedema: float
    slice_distance: float
    voxels: int
    found: bool


class DiameterClass(BaseModel, frozen=True):
    """Lesions of similar diameter; ``interval`` is Wilson's (1927) for the share that was found."""

    title: str
    lesions: int
    found: int
    interval: Interval

    @property
    def sensitivity(self) -> float:
        """Share that was found; ``nan`` if there are none."""
        return self.found / self.lesions if self.lesions else float("nan")


class SimulationScore(BaseModel, frozen=True, serialize_by_alias=True, validate_by_name=True):
    """What became of the inserted lesions.

    Attributes
    ----------
    weights_sha256 : tuple of str
        Of its weights; several for the folds of a cross-validation.
    seen : tuple of str
        Those of the patients that the model was trained on.
    false_positives : dict of str to int, stored as ``false_lesions``
        By patient: predicted lesions that touch neither an inserted lesion nor an outlined real one.
    """

    model: str
    weights_sha256: tuple[str, ...]
    postprocessing: PostprocessingConfig
    simulation: MetastasisConfig
    seed: int
    seen: tuple[str, ...]
    false_positives: Annotated[dict[str, int], Field(alias="false_lesions")]
    lesions: tuple[SimulatedLesion, ...]

    @property
    def false_per_head(self) -> float:
        """Mean number of false positives; ``nan`` without heads."""
        return fmean(self.false_positives.values()) if self.false_positives else float("nan")

    def classes(self) -> tuple[DiameterClass, ...]:
        """Lesions by diameter, smallest first, then all of them."""
        low, high = self.simulation.diameter
        bounds = [low, *(edge for edge in DIAMETERS if low < edge < high), high]
        rows = [
            _diameter_class(
                f"{below:g} to {above:g} mm",
                [x for x in self.lesions if below <= x.diameter < above or x.diameter == above == high],
            )
            for below, above in zip(bounds, bounds[1:], strict=False)
        ]
        return (*rows, _diameter_class("all", self.lesions))

    def as_table(self) -> str:
        """Sensitivity by diameter and false positives per head, as plain text."""
        lines = [f"{'diameter':<14}{'lesions':>9}{'found':>7}{'share':>8}  95 % interval"]
        for row in self.classes():
            share = f"{row.sensitivity:.2f}" if row.lesions else "–"
            interval = f"{row.interval.low:.2f} to {row.interval.high:.2f}" if row.interval.known else "–"
            lines.append(f"{row.title:<14}{row.lesions:>9}{row.found:>7}{share:>8}  {interval}")
        spread = mean_interval(list(self.false_positives.values()))
        bounds = f" ({spread.low:.2f} to {spread.high:.2f})" if spread.known else ""
        lines.append(f"false positives per head: {self.false_per_head:.2f}{bounds}, {len(self.false_positives)} heads")
        return "\n".join(lines)

    @classmethod
    def pooled(cls, parts: Sequence[SimulationScore]) -> SimulationScore:
        """One score of the folds of a cross-validation, each of which scored its own patients.

        Raises
        ------
        DataError
            If there is none, or two of them scored the same patient or other lesions.
        """
        if not parts:
            raise DataError("no fold has a patient here that it never saw")
        first = parts[0]
        if any((part.simulation, part.seed) != (first.simulation, first.seed) for part in parts):
            raise DataError("scores of different simulations cannot be pooled")
        names = [name for part in parts for name in part.false_positives]
        if len(set(names)) < len(names):
            raise DataError("two folds held out the same patient; score them one by one")
        return first.model_copy(
            update={
                "weights_sha256": tuple(sha for part in parts for sha in part.weights_sha256),
                "seen": tuple(name for part in parts for name in part.seen),
                "false_positives": {name: count for part in parts for name, count in part.false_positives.items()},
                "lesions": tuple(lesion for part in parts for lesion in part.lesions),
            }
        )


def _diameter_class(title: str, lesions: Iterable[SimulatedLesion]) -> DiameterClass:
    from scipy.stats import binomtest

    outcomes = [lesion.found for lesion in lesions]
    interval = Interval(low=float("nan"), high=float("nan"))
    if outcomes:
        bounds = binomtest(sum(outcomes), len(outcomes)).proportion_ci(CONFIDENCE, method="wilson")
        interval = Interval(low=float(bounds.low), high=float(bounds.high))
    return DiameterClass(title=title, lesions=len(outcomes), found=sum(outcomes), interval=interval)


@dataclass(frozen=True, eq=False)
class SimulatedHead:
    """A head with simulated metastases.

    Attributes
    ----------
    insertion : Insertion
        The copy with the lesions.
    z : tuple of int
        Slices whose mask is known.
    """

    original: Study
    insertion: Insertion
    z: tuple[int, ...]


def simulate_heads(
    data: Folders, patients: Iterable[str] | None = None, *, seed: int = 0
) -> Generator[Progress | Notice | SimulatedHead, None, None]:
    """Draw metastases into every patient with masks; one head after the other, so that only one is in memory.

    Parameters
    ----------
    patients : iterable of str, optional
        Just these.
    seed : int
        Of the drawing; not negative.
    """
    chosen = chosen_patients(data, patients)
    for done, (name, files) in enumerate(chosen):
        yield Progress(done, len(chosen), name)
        for study in (yield from load_masked(files)):
            insertion = insert_metastases(study, seed)
            if not insertion.lesions:
                yield Notice(f"{study.name}: no room for a lesion")
            yield SimulatedHead(study, insertion, tuple(study.masked_slices))
    yield Progress(len(chosen), len(chosen), "heads simulated")


def score_simulated(
    checkpoint: Checkpoint,
    data: Folders,
    *,
    patients: Iterable[str] | None = None,
    seed: int = 0,
    device: str = "auto",
    postprocessing: PostprocessingConfig | None = None,
) -> Iterator[Event[SimulationScore]]:
    """Segment heads with simulated metastases, and count which of these are found.

    An inserted lesion is found if any predicted voxel lies in its outline dilated by one voxel. A predicted component
    is false if it overlaps neither the dilated outline of an inserted lesion nor that of a real one; what is made of
    the real ones otherwise does not count.

    The heads are those of :func:`simulate_heads`; ``postprocessing`` takes the place of the card's.
    """
    lesions: list[SimulatedLesion] = []
    false: dict[str, int] = {}
    with open_segmenter(checkpoint, device=device) as segmenter:
        for event in simulate_heads(data, patients, seed=seed):
            if not isinstance(event, SimulatedHead):
                yield event
                continue
            predicted = segmenter.segment(event.insertion.study, postprocessing).mask[list(event.z)]
            found, wrong = _outcomes(event, predicted)
            lesions += found
            false[event.original.name] = false.get(event.original.name, 0) + wrong
    trained_on = set(checkpoint.card.training.patients)
    yield Finished(
        SimulationScore(
            model=checkpoint.card.name,
            weights_sha256=(checkpoint.sha256,),
            postprocessing=postprocessing or checkpoint.card.postprocessing,
            simulation=MetastasisConfig(),
            seed=seed,
            seen=tuple(name for name in false if name in trained_on),
            false_positives=false,
            lesions=tuple(lesions),
        )
    )


def _outcomes(head: SimulatedHead, predicted: npt.NDArray[np.uint8]) -> tuple[list[SimulatedLesion], int]:
    """Every inserted lesion of one head, and the number of false ones; ``predicted`` on the slices ``head.z``."""
    labels = head.insertion.labels[list(head.z)]
    dilated = ndimage.grey_dilation(labels, footprint=_TOUCHING)
    touched = set(np.unique(dilated[predicted > 0]).tolist())
    lesions = [
        SimulatedLesion(
            patient=head.original.name,
            kind=lesion.spec.kind,
            centre=lesion.spec.centre,
            diameter=lesion.diameter,
            oedema=lesion.spec.oedema,
            slice_distance=head.insertion.spacing[0],
            voxels=lesion.voxels,
            found=lesion.label in touched,
        )
        for lesion in head.insertion.lesions
        if (labels == lesion.label).any()
    ]
    mask = head.insertion.study.mask
    outlined = labels > 0 if mask is None else mask[list(head.z)]
    return lesions, int(match_lesions(ndimage.binary_dilation(outlined, _TOUCHING), predicted).false.sum())
