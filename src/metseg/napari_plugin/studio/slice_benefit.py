"""What looking at each slice of the open case is worth, while somebody works on it. Runs in threads: no Qt."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from metseg.curation import CaseBenefit, CaseView, Status, edited_slices, expected_benefit
from metseg.napari_plugin.studio.drawn_slices import slices_by_hand


def slice_benefit(case: CaseView, looked: Collection[int]) -> CaseBenefit | None:
    """What is to be gained on the slices that nobody has looked at.

    Slices on which somebody drew were looked at. Those in which a lesion was deleted, merged, or grown as a whole were
    not, for the lesion may have been seen in one of them only; but what was decided about its voxels is taken for true.

    Parameters
    ----------
    case : CaseView
    looked : collection of int
        Slices that were looked at without drawing on them.

    Returns
    -------
    CaseBenefit or None
        ``None`` if no network has predicted the case yet.

    Raises
    ------
    UnreadableFileError
        If the prediction's file is gone or damaged.
    """
    prediction = case.prediction()
    if prediction is None:
        return None
    labels, probabilities, disagreement = case.labels, prediction.probabilities, prediction.disagreement
    edited = () if case.status is Status.PREDICTED else edited_slices(labels, prediction)
    drawn_on = slices_by_hand(case.history()).intersection(edited) if edited else set()
    decided = np.zeros(labels.shape, bool)
    for z in set(edited) - drawn_on:
        decided[z] = (labels[z] > 0) != (probabilities[z] >= prediction.provenance.threshold)
    if decided.any():
        probabilities = np.where(decided, labels > 0, probabilities).astype(np.float32)
        disagreement = None if disagreement is None else np.where(decided, 0, disagreement).astype(np.float32)
    return expected_benefit(labels, probabilities, reviewed={*drawn_on, *looked}, disagreement=disagreement)
