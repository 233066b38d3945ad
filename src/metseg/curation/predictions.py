"""Predictions of a case: kept as they were made, and set against what a person has drawn."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.curation.changes import Labels
from metseg.curation.documents import write_document
from metseg.curation.enums import Origin
from metseg.curation.state import CaseState, PredictionRef, Provenance
from metseg.errors import DataError, UnreadableFileError
from metseg.lesions import label_lesions
from metseg.study import read_tiff, write_errors, write_tiff

FOLDER = "predictions"
_STEPS = 255
_HIGHEST = int(np.iinfo(np.uint16).max)


@dataclass(frozen=True, eq=False, slots=True)
class Prediction:
    """A network's answer for a case.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (z, y, x)
        In steps of 1/255.
    sha256 : str
        Of the stored probabilities (uint8, z-y-x order).
    disagreement : ndarray of float32, shape (z, y, x), or None
        How far the members of an ensemble were apart, 0 to 1, in steps of 1/255; ``None`` of a single network.
    """

    probabilities: npt.NDArray[np.float32]
    provenance: Provenance
    sha256: str
    disagreement: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class PredictionPlan:
    """What taking over a new prediction would do; nothing is changed yet.

    Attributes
    ----------
    labels : ndarray of uint16, shape (z, y, x)
        The labels afterwards.
    added, removed, altered, unchanged : tuple of int
        Lesions that come, go, change their outline, and stay as they are.
    kept : tuple of int
        Lesions drawn or edited by hand, which stay as they are.
    left_out : int
        Predicted lesions that overlap a kept one and are left out for its sake.
    edits : int
        Number of edits that the case had when this was planned.
    """

    labels: Labels
    added: tuple[int, ...]
    removed: tuple[int, ...]
    altered: tuple[int, ...]
    unchanged: tuple[int, ...]
    kept: tuple[int, ...]
    left_out: int
    edits: int

    def __str__(self) -> str:
        counts = [
            (len(self.added), "new"),
            (len(self.removed), "removed"),
            (len(self.altered), "with another outline"),
            (len(self.unchanged), "unchanged"),
            (len(self.kept), "kept as drawn by hand"),
            (self.left_out, "predicted but left out because drawn by hand"),
        ]
        return ", ".join(f"{count} {what}" for count, what in counts if count) or "no lesion"


def plan(labels: Labels, state: CaseState, mask: npt.NDArray[np.generic], *, keep_hand: bool) -> PredictionPlan:
    """Set the lesions of ``mask`` against ``labels``.

    A lesion that a person drew or edited stays exactly as it is, and predicted lesions that overlap it are left out.
    Other lesions give way to the prediction; a predicted lesion takes the id of the one it overlaps most.

    Parameters
    ----------
    labels : ndarray of uint16, shape (z, y, x)
    mask : ndarray, shape (z, y, x)
        Non-zero where the network sees lesion; its lesions are the 26-connected components.
    keep_hand : bool
        ``False`` lets the prediction replace everything; lesions drawn by hand then go, with their ids.

    Raises
    ------
    DataError
        If the mask has another shape, or there are no ids left.
    """
    if mask.shape != labels.shape:
        raise DataError(f"a prediction of shape {mask.shape} does not fit a case of shape {labels.shape}")
    by_hand = [label for label, lesion in state.present.items() if lesion.origin is not Origin.AUTOMATIC]
    kept = by_hand if keep_hand else []
    predicted = label_lesions(mask != 0)
    count = int(predicted.max())
    overlap = _overlaps(predicted, labels, count)
    covered = {part for part, label in overlap if label in set(kept)}
    ids = _identities({pair: n for pair, n in overlap.items() if pair[0] not in covered and pair[1] not in by_hand})
    new = state.next_label
    table = np.zeros(count + 1, np.uint16)
    for part in range(1, count + 1):
        if part in covered:
            continue
        if part not in ids:
            if new > _HIGHEST:
                raise DataError(f"a case has ids up to {_HIGHEST}, and all have been given")
            ids[part], new = new, new + 1
        table[part] = ids[part]
    result: Labels = table[predicted]
    keep = np.isin(labels, kept)
    result[keep] = labels[keep]
    return _compared(labels, result, state, tuple(kept), len(covered))


def save_prediction(
    folder: Path,
    probabilities: npt.NDArray[np.generic],
    provenance: Provenance,
    disagreement: npt.NDArray[np.generic] | None = None,
) -> PredictionRef:
    """Keep probabilities, and how far the members of an ensemble are apart, in the case's ``folder``.

    Parameters
    ----------
    probabilities : ndarray, shape (z, y, x)
    disagreement : ndarray, shape (z, y, x), optional

    Raises
    ------
    DataError
        If they are not between 0 and 1, or cannot be written.
    """
    stored = _in_steps(probabilities, "probabilities")
    apart = None if disagreement is None else _in_steps(disagreement, "disagreement")
    reference = PredictionRef(
        sha256=_digest(stored), provenance=provenance, disagreement=None if apart is None else _digest(apart)
    )
    path = _path(folder, reference.sha256)
    with write_errors(path.parent):
        path.parent.mkdir(exist_ok=True)
    write_tiff(path, stored, channels=False)
    if apart is not None:
        write_tiff(_path(folder, _digest(apart)), apart, channels=False)
    write_document(path.with_suffix(".json"), reference)
    return reference


def load_prediction(folder: Path, reference: PredictionRef) -> Prediction:
    """The prediction that a case refers to; UnreadableFileError if a file of it is gone or damaged."""
    return Prediction(
        probabilities=_stored(folder, reference.sha256),
        provenance=reference.provenance,
        sha256=reference.sha256,
        disagreement=None if reference.disagreement is None else _stored(folder, reference.disagreement),
    )


def _in_steps(values: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.uint8]:
    """0 to 255 for 0 to 1."""
    known = np.asarray(values, np.float32)
    if not (known.min() >= 0 and known.max() <= 1):
        raise DataError(f"{what} must lie between 0 and 1")
    stored: npt.NDArray[np.uint8] = np.rint(known * np.float32(_STEPS)).astype(np.uint8)
    return stored


def _stored(folder: Path, sha256: str) -> npt.NDArray[np.float32]:
    """What :func:`_in_steps` made, 0 to 1."""
    path = _path(folder, sha256)
    stored = read_tiff(path)
    if stored.dtype != np.uint8 or _digest(stored) != sha256:
        raise UnreadableFileError(path, "is damaged; let the network predict again")
    return stored[:, 0].astype(np.float32) / np.float32(_STEPS)


def _path(folder: Path, sha256: str) -> Path:
    return folder / FOLDER / f"{sha256[:12]}.tif"


def _digest(stored: npt.NDArray[np.integer[Any]]) -> str:
    return hashlib.sha256(stored.tobytes()).hexdigest()


def _overlaps(predicted: npt.NDArray[np.int32], labels: Labels, count: int) -> dict[tuple[int, int], int]:
    both = (predicted > 0) & (labels > 0)
    pairs = predicted[both].astype(np.int64) * (_HIGHEST + 1) + labels[both]
    keys, counts = np.unique(pairs, return_counts=True)
    return {divmod(key, _HIGHEST + 1): n for key, n in zip(keys.tolist(), counts.tolist(), strict=True)}


def _identities(overlap: dict[tuple[int, int], int]) -> dict[int, int]:
    """One id for each predicted lesion that overlaps some; the largest overlaps first."""
    ids: dict[int, int] = {}
    for (part, label), _ in sorted(overlap.items(), key=lambda entry: (-entry[1], entry[0])):
        if part not in ids and label not in ids.values():
            ids[part] = label
    return ids


def _compared(labels: Labels, result: Labels, state: CaseState, kept: tuple[int, ...], left_out: int) -> PredictionPlan:
    different = labels != result
    changed = set(np.unique(labels[different]).tolist()) | set(np.unique(result[different]).tolist())
    before = set(state.present)
    after = set(np.unique(result).tolist()) - {0}
    return PredictionPlan(
        labels=result,
        added=tuple(sorted(after - before)),
        removed=tuple(sorted(before - after)),
        altered=tuple(sorted(before & after & changed)),
        unchanged=tuple(sorted((before & after) - changed - set(kept))),
        kept=kept,
        left_out=left_out,
        edits=state.edits,
    )
