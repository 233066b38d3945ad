"""Two examinations compared: registration, matching, measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.events import Event, Finished, Progress, relay
from metseg.follow_up.changes import FollowedLesion, FollowUpChange, Judgement, Thresholds, change_of, judge_response
from metseg.follow_up.matching import Group, Labels, match_lesions
from metseg.follow_up.registration import Rigid, registering
from metseg.lesions import Lesion, find_midline, label_lesions, measure
from metseg.study import Sequence, Study

_STEPS = 3
#: A lesion is covered by the other examination if at least this share of its voxels lies in it.
_COVERED = 0.5
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class FollowUp:
    """What changed between two examinations.

    Attributes
    ----------
    before, after : Study
    labels_before, labels_after : ndarray of int32, shape (z, y, x)
        Each on its own grid; a lesion has the same number in both.
    carried : ndarray of int32, shape (z, y, x)
        The outlines from before on the grid of the later examination: where to start correcting it.
    transform : Rigid
        From the later examination to the earlier one.
    lesions : tuple of FollowedLesion
        In the order of their numbers.
    judgement : Judgement
        By RANO-BM.
    """

    before: Study
    after: Study
    labels_before: npt.NDArray[np.int32]
    labels_after: npt.NDArray[np.int32]
    carried: npt.NDArray[np.int32]
    transform: Rigid
    lesions: tuple[FollowedLesion, ...]
    judgement: Judgement


def following(
    before: Study,
    after: Study,
    *,
    masks: tuple[Labels, Labels] | None = None,
    thresholds: Thresholds | None = None,
    transform: Rigid | None = None,
) -> Iterator[Event[FollowUp]]:
    """Register two examinations of one patient, match their lesions, and say what changed.

    Parameters
    ----------
    before, after : Study
        With known spacing; sequences that both have are registered, post-contrast before others.
    masks : pair of ndarrays of int, shape (z, y, x), optional
        Non-zero inside lesions, of both; by default the studies' own.
    thresholds : Thresholds, optional
    transform : Rigid, optional
        From the later examination to the earlier one, if it is known: they are not registered again.

    Yields
    ------
    Progress, Finished
        The last event carries the :class:`FollowUp`. Closed in the middle, it stops within an iteration.

    Raises
    ------
    DataError
        If a mask or spacing is missing, no sequence is in both, or the heads cannot be laid on each other.
    """
    limits = thresholds or Thresholds()
    first, second = (before.mask, after.mask) if masks is None else masks
    for study, mask in ((before, first), (after, second)):
        if mask is None or mask.shape != study.shape:
            raise DataError(f"{study.name}: has no mask of its lesions")
    spacing = after.geometry.spacing
    if before.geometry.spacing is None or spacing is None:
        raise DataError("the spacing must be known of both examinations; <name>.json beside a TIFF can state it")
    assert first is not None and second is not None  # noqa: S101, PT018  (just checked)
    sequence = common_sequence(before, after)
    yield Progress(0, _STEPS, "registering")
    if transform is None:
        fixed, moving = (study.voxels[study.channel(sequence)] for study in (after, before))
        transform = yield from relay(
            replace(event, total=_STEPS) if isinstance(event, Progress) else event
            for event in registering(fixed, after.geometry, moving, before.geometry)
        )
    yield Progress(1, _STEPS, "matching lesions")
    earlier, later = label_lesions(first), label_lesions(second)
    to_before = np.linalg.inv(_LPS @ before.geometry.drawn) @ transform.matrix @ (_LPS @ after.geometry.drawn)
    carried = transform.carry(earlier, before.geometry, after.geometry, after.shape, labels=True)
    _keep_small(carried, earlier, np.linalg.inv(to_before))
    groups = match_lesions(carried, later, spacing)
    there = {label for group in groups for label in group.before}
    groups += [Group((label,), ()) for label in np.unique(earlier[earlier > 0]).tolist() if label not in there]
    yield Progress(2, _STEPS, "measuring")
    measured = [{lesion.id: lesion for lesion in _measured(*one)} for one in ((before, earlier), (after, later))]
    seen = _covered(earlier, np.linalg.inv(to_before), after.shape), _covered(later, to_before, before.shape)
    lesions: list[FollowedLesion] = []
    numbers = np.zeros(len(measured[0]) + 1, np.int32), np.zeros(len(measured[1]) + 1, np.int32)
    for number, group in enumerate(sorted(groups, key=lambda one: (not one.before, one.before, one.after)), start=1):
        old, new = (tuple(measured[time][one] for one in part) for time, part in enumerate((group.before, group.after)))
        lost = not new and not any(seen[0][label] for label in group.before)
        unseen = not old and not any(seen[1][label] for label in group.after)
        change = FollowUpChange.NOT_COVERED if lost or unseen else change_of(old, new, limits)
        lesions.append(FollowedLesion(number, old, new, change, group.event))
        numbers[0][list(group.before)] = numbers[1][list(group.after)] = number
    judgement = judge_response(lesions, limits)
    labels = numbers[0][earlier], numbers[1][later], numbers[0][carried]
    yield Finished(FollowUp(before, after, *labels, transform, tuple(lesions), judgement))


def _keep_small(carried: npt.NDArray[np.int32], labels: Labels, to_carried: npt.NDArray[Any]) -> None:
    """Put lesions that vanished between the voxels of the other grid on the voxel where their middle is."""
    for label in set(np.unique(labels[labels > 0]).tolist()) - set(np.unique(carried).tolist()):
        middle = np.argwhere(labels == label).mean(axis=0)[::-1]
        x, y, z = np.rint(to_carried[:3, :3] @ middle + to_carried[:3, 3]).astype(int).tolist()
        if all(0 <= at < size for at, size in zip((z, y, x), carried.shape, strict=True)) and not carried[z, y, x]:
            carried[z, y, x] = label


def common_sequence(before: Study, after: Study) -> Sequence:
    """The sequence that is registered and shown: post-contrast T1 if both examinations have it.

    Raises
    ------
    DataError
        If no sequence is in both.
    """
    wanted = (Sequence.POST, Sequence.FLAIR, Sequence.PRE, Sequence.T2, Sequence.UNKNOWN, Sequence.OTHER)
    found = [one for one in wanted if one in before.sequences and one in after.sequences]
    if not found:
        had = " and ".join(", ".join(study.sequences) for study in (before, after))
        raise DataError(f"no sequence is in both examinations: {had}")
    return found[0]


def _measured(study: Study, labels: Labels) -> list[Lesion]:
    spacing, orientation = study.geometry.spacing, study.geometry.orientation
    midline = find_midline(study.voxels[study.channel(Sequence.POST)], orientation, spacing)
    return measure(labels, spacing=spacing, midline=midline)


def _covered(labels: Labels, to_other: npt.NDArray[Any], shape: tuple[int, int, int]) -> list[bool]:
    """For each label (0 among them) whether most of its voxels lie in the other examination."""
    places = np.argwhere(labels)
    there = places[:, ::-1] @ to_other[:3, :3].T + to_other[:3, 3]
    inside = ((there > -0.5) & (there < np.array(shape[::-1]) - 0.5)).all(axis=1)
    sizes = np.bincount(labels[labels > 0], minlength=int(labels.max(initial=0)) + 1)
    return list(np.bincount(labels[labels > 0], inside, len(sizes)) >= _COVERED * np.maximum(sizes, 1))
