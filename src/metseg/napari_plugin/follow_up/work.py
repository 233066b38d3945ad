"""What runs outside the window's thread: reading, registration, matching, resampling. No Qt, no writing to layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.events import Event, Finished, Progress, Warned, relay
from metseg.follow_up import FollowUp, Rigid, common_sequence, following
from metseg.napari_plugin.layers import LayerData, source_of, study_layers
from metseg.napari_plugin.pipeline import errors_yielded
from metseg.study import Sequence, find_studies, load

Labels = npt.NDArray[np.integer[Any]]

#: Examinations that a file or folder that is opened may hold.
_MOST = 2


@errors_yielded
def opening(path: Path) -> Iterator[Event[list[list[LayerData]]]]:
    """Read the examinations in a file or folder, each as its layers; at most two."""
    yield Progress(0, 0, "reading")
    found = find_studies(path)
    if len(found) > _MOST:
        raise DataError(f"{path.name}: holds {len(found)} examinations; open one of them, or two of one patient")
    loaded = [load(files) for files in found]
    problems = [problem for files in found for problem in files.problems]
    problems += [problem for result in loaded for problem in result.problems]
    studies = [study for result in loaded for study in result.studies]
    if not studies:
        raise DataError("\n".join(map(str, problems)) or f"{path.name}: no image here")
    yield from (Warned(str(problem)) for problem in dict.fromkeys(problems) if problem.refused)
    yield Finished([study_layers(study) for study in studies])


@dataclass(frozen=True, eq=False)
class CompareOrder:
    """Two examinations to compare. The masks are copies: painting may go on meanwhile.

    Attributes
    ----------
    earlier, later : image layer
    masks : pair of ndarrays of int, shape (z, y, x)
        Non-zero inside lesions; the second is ``None`` if the later examination has no outlines yet.
    transform : Rigid or None
        From the later to the earlier one, if it is known.
    """

    earlier: Any
    later: Any
    masks: tuple[Labels, Labels | None]
    transform: Rigid | None = None


@dataclass(frozen=True, eq=False)
class ComparedExaminations:
    """What was found, and what is shown of it on the later examination's voxels.

    Attributes
    ----------
    order : CompareOrder
    result : FollowUp
        Without outlines of the later examination, all lesions are gone in it.
    sequence : Sequence
        That was registered, and is shown.
    earlier_image : ndarray of float32, shape (z, y, x)
        That of the earlier examination, interpolated.
    numbers : pair of (ndarray of int, shape (n, 3); ndarray of int, shape (n,))
        Where to write which lesion's number, for the earlier outlines, and for both on the later image.
    """

    order: CompareOrder
    result: FollowUp
    sequence: Sequence
    earlier_image: npt.NDArray[np.float32]
    numbers: tuple[tuple[Labels, Labels], tuple[Labels, Labels]]

    @property
    def outlined(self) -> bool:
        """Whether the later examination had outlines."""
        return self.order.masks[1] is not None

    def place_of(self, lesion: int) -> tuple[float, float, float] | None:
        """The middle (z, y, x) of a lesion where it is, or was, largest; ``None`` if it lies outside of the image."""
        for labels in (self.result.labels_after, self.result.carried):
            inside = labels == lesion
            if inside.any():
                z = int(np.count_nonzero(inside, axis=(1, 2)).argmax())
                y, x = np.argwhere(inside[z]).mean(axis=0).tolist()
                return z, y, x
        return None


@errors_yielded
def comparing(order: CompareOrder) -> Iterator[Event[ComparedExaminations]]:
    """Register two examinations, match their lesions, and bring the earlier one to the later one's voxels."""
    yield Progress(0, 0, "reading")
    before, after = source_of(order.earlier).study, source_of(order.later).study
    first, second = order.masks
    masks = first, np.zeros(after.shape, np.uint8) if second is None else second
    result = yield from relay(following(before, after, masks=masks, transform=order.transform))
    yield Progress(3, 3, "resampling")
    sequence = common_sequence(before, after)
    moving = before.voxels[before.channel(sequence)]
    image = result.transform.carry(moving, before.geometry, after.geometry, after.shape, labels=False)
    both = np.where(result.labels_after > 0, result.labels_after, result.carried)
    numbers = number_places(result.carried), number_places(both)
    yield Finished(ComparedExaminations(order, result, sequence, image, numbers))


def number_places(labels: Labels) -> tuple[Labels, Labels]:
    """Where lesions' numbers are written: in each slice at the upper right corner of what is there of a lesion.

    Parameters
    ----------
    labels : ndarray of int, shape (z, y, x)

    Returns
    -------
    places : ndarray of int, shape (n, 3)
        In (z, y, x).
    numbers : ndarray of int, shape (n,)
    """
    z, y, x = np.nonzero(labels)
    pairs, where = np.unique(np.column_stack([labels[z, y, x], z]), axis=0, return_inverse=True)
    top, right = np.full(len(pairs), labels.shape[1]), np.zeros(len(pairs), int)
    np.minimum.at(top, where.ravel(), y)
    np.maximum.at(right, where.ravel(), x)
    return np.column_stack([pairs[:, 1], top, right]), pairs[:, 0]
