"""Lesions by size."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from pydantic import BaseModel

from metseg.metrics.matching import SMALLEST_LESION, FalsePositive, LesionScore, LesionSize
from metseg.metrics.overlap import ratio
from metseg.metrics.statistics import Interval, Score, mean_interval, mean_of

#: Where one class of sizes ends and the next begins; diameters after RANO-BM (Lin et al. 2015, 10 mm is measurable).
EDGES: dict[Literal["voxels", "mm"], tuple[float, ...]] = {"voxels": (SMALLEST_LESION, 30, 200), "mm": (0, 5, 10)}

#: Lesions and false positives of one patient, over all scans.
Found = tuple[Sequence[LesionScore], Sequence[FalsePositive]]


class SizeClass(BaseModel, frozen=True):
    """Lesions of one class of sizes, over all patients.

    Attributes
    ----------
    smallest, largest : float, float or None
        ``smallest <= size < largest``; ``None`` where there is no bound.
    unit : str
        ``voxels``, or ``mm`` for the diameter of the sphere of the lesion's volume.
    reference, found : int
        True lesions of this size, and those of them that were found.
    false : int
        False positives of this size.
    patients : int
        Patients with such a lesion.
    sensitivity, interval : float, Interval
        Share of a patient's lesions of this size that were found, mean over those patients.
    """

    smallest: float
    largest: float | None
    unit: Literal["voxels", "mm"]
    reference: int
    found: int
    false: int
    patients: int
    sensitivity: Score
    interval: Interval

    @property
    def name(self) -> str:
        """Its bounds, short enough for a heading."""
        if self.largest is None:
            return f"{self.smallest:g} {self.unit} and more"
        if not self.smallest:
            return f"under {self.largest:g} {self.unit}"
        return f"{self.smallest:g} to {self.largest - (self.unit == 'voxels'):g} {self.unit}"


def by_size(patients: Sequence[Found], units: Collection[str]) -> tuple[SizeClass, ...]:
    """Count lesions by each of ``units``, the smallest class first."""
    return tuple(
        _size_class(patients, unit, smallest, largest)
        for unit, edges in EDGES.items()
        if unit in units
        for smallest, largest in zip(edges, (*edges[1:], None), strict=True)
    )


def _size_class(
    patients: Sequence[Found], unit: Literal["voxels", "mm"], smallest: float, largest: float | None
) -> SizeClass:
    def inside(row: LesionSize) -> bool:
        size = row.voxels if unit == "voxels" else row.diameter_mm
        return size is not None and smallest <= size and (largest is None or size < largest)

    found = [[row.found for row in lesions if inside(row)] for lesions, _ in patients]
    shares = [ratio(sum(flags), len(flags)) for flags in found]
    return SizeClass(
        smallest=smallest,
        largest=largest,
        unit=unit,
        reference=sum(map(len, found)),
        found=sum(map(sum, found)),
        false=sum(inside(row) for _, rows in patients for row in rows),
        patients=sum(map(bool, found)),
        sensitivity=mean_of(shares),
        interval=mean_interval(shares),
    )
