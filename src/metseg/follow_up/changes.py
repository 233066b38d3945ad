"""What became of each lesion, and what RANO-BM calls it.

RANO-BM: Lin et al. 2015, doi 10.1016/S1470-2045(15)70057-4. Clinical state, corticosteroids, and lesions outside of the
brain are part of a response, too, and not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from metseg.lesions import Lesion
from metseg.lesions.measurement import MOST_TARGETS


class FollowUpChange(StrEnum):
    """What became of a lesion."""

    NEW = "new"
    GROWN = "grown"
    SHRUNK = "shrunk"
    UNCHANGED = "unchanged"
    GONE = "gone"
    NOT_COVERED = "not covered"


class Response(StrEnum):
    """Of target lesions, by RANO-BM."""

    COMPLETE = "complete response"
    PARTIAL = "partial response"
    STABLE = "stable disease"
    PROGRESSIVE = "progressive disease"
    NOT_EVALUABLE = "not evaluable"


class Thresholds(BaseModel):
    """From which change on a lesion, or the sum of diameters, has changed.

    Attributes
    ----------
    volume : float
        Share of the volume before by which a lesion has grown or shrunk.
    partial, progressive : float
        RANO-BM: share by which the sum of target diameters is less, or more.
    absolute : float
        RANO-BM: mm by which one of the targets must have grown as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    volume: Annotated[float, Field(gt=0, lt=1)] = 0.2
    partial: Annotated[float, Field(gt=0, lt=1)] = 0.3
    progressive: Annotated[float, Field(gt=0)] = 0.2
    absolute: Annotated[float, Field(ge=0)] = 5.0


@dataclass(frozen=True, slots=True)
class FollowedLesion:
    """One lesion over time.

    Attributes
    ----------
    number : int
        The same in both examinations.
    before, after : tuple of Lesion
        Its parts, as measured on each examination's own grid.
    change : FollowUpChange
    event : str
        ``split``, ``merged``, both, or empty.
    """

    number: int
    before: tuple[Lesion, ...]
    after: tuple[Lesion, ...]
    change: FollowUpChange
    event: str = ""

    @property
    def volumes(self) -> tuple[float, float]:
        """Before and after, mm³."""
        return _sum(self.before, "volume_mm3"), _sum(self.after, "volume_mm3")

    @property
    def diameters(self) -> tuple[float, float]:
        """Before and after, mm: of several parts the sum, as RECIST 1.1 has it."""
        return _sum(self.before, "diameter_mm"), _sum(self.after, "diameter_mm")

    @property
    def volume_change(self) -> float | None:
        """Share of the volume before by which it is more; ``None`` if it was not there."""
        before, after = self.volumes
        return after / before - 1 if before else None

    @property
    def diameter_change(self) -> float:
        """By how many mm it is longer."""
        return self.diameters[1] - self.diameters[0]

    @property
    def measurable_before(self) -> bool:
        """Whether one of its parts had the size of a measurable lesion."""
        return any(lesion.measurable for lesion in self.before)


def signed_percent(share: float) -> str:
    """A change in words, such as ``+12%``, ``−5%`` and ``0%``."""
    percent = round(100 * share)
    return f"{percent:+d}%".replace("-", "−") if percent else "0%"


def change_of(before: Sequence[Lesion], after: Sequence[Lesion], thresholds: Thresholds) -> FollowUpChange:
    """What became of a lesion that both examinations cover."""
    if not before or not after:
        return FollowUpChange.GONE if before else FollowUpChange.NEW
    share = _sum(after, "volume_mm3") / _sum(before, "volume_mm3") - 1
    if abs(share) < thresholds.volume:
        return FollowUpChange.UNCHANGED
    return FollowUpChange.GROWN if share > 0 else FollowUpChange.SHRUNK


@dataclass(frozen=True, slots=True)
class Judgement:
    """The response, and what it rests on.

    Attributes
    ----------
    response : Response
    sums : (float, float)
        Of the diameters of the targets before and after, mm.
    targets : tuple of int
        Numbers of the lesions that are targets: the longest five that were measurable before.
    reason : str
        In a sentence.
    """

    response: Response
    sums: tuple[float, float]
    targets: tuple[int, ...]
    reason: str


def judge_response(lesions: Sequence[FollowedLesion], thresholds: Thresholds | None = None) -> Judgement:
    """Judge the response of the target lesions by RANO-BM, the earlier examination being baseline and nadir."""
    limits = thresholds or Thresholds()
    candidates = [one for one in lesions if one.measurable_before and one.change is not FollowUpChange.NOT_COVERED]
    targets = sorted(candidates, key=lambda one: -one.diameters[0])[:MOST_TARGETS]
    before, after = (sum(one.diameters[time] for one in targets) for time in (0, 1))
    response, reason = categorise(
        (before, after),
        limits,
        longer=max((one.diameter_change for one in targets), default=0.0),
        new=[one.diameters[1] for one in lesions if one.change is FollowUpChange.NEW],
        gone=all(one.change is FollowUpChange.GONE for one in lesions if one.before),
    )
    return Judgement(response, (before, after), tuple(one.number for one in targets), reason)


def categorise(
    sums: Sequence[float], limits: Thresholds, *, longer: float, new: Sequence[float], gone: bool
) -> tuple[Response, str]:
    """Find the category of the last of several examinations by RANO-BM, and its reason in a sentence.

    Parameters
    ----------
    sums : sequence of float
        Of the diameters of the targets, mm, by examination: the first is the baseline, the smallest of those before the
        last the nadir. A baseline of 0 means that there is no target.
    limits : Thresholds
    longer : float
        By how many mm the target that has grown most is longer than it was at its shortest.
    new : sequence of float
        Diameters, mm, of the lesions that are new in the last examination.
    gone : bool
        No lesion is left.
    """
    baseline, nadir, now = sums[0], min(sums[:-1]), sums[-1]
    more = now / nadir - 1 if nadir else float(now > 0)
    less = 1 - now / baseline if baseline else 0.0
    if len(sums) == 2:
        said = f"sum of target diameters {baseline:.1f} mm, then {now:.1f} mm ({signed_percent(more)})"
    else:
        said = f"sum of targets {now:.1f} mm, baseline {baseline:.1f}, nadir {nadir:.1f}"
    if new:
        return Response.PROGRESSIVE, f"{len(new)} new lesion{'s' * (len(new) > 1)}, the longest {max(new):.1f} mm"
    if not baseline:
        return Response.NOT_EVALUABLE, "no lesion was measurable before (10 mm)"
    if more >= limits.progressive and longer >= limits.absolute:
        return Response.PROGRESSIVE, f"{said}, one longer by {longer:.1f} mm"
    if now == 0:
        return (Response.COMPLETE if gone else Response.PARTIAL), said
    return (Response.PARTIAL if less >= limits.partial else Response.STABLE), said


def _sum(lesions: Sequence[Lesion], name: str) -> float:
    return float(sum(getattr(lesion, name) for lesion in lesions))
