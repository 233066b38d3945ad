"""Scores of a model on patients with known masks, through the same path that users' studies take."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

import numpy as np
from pydantic import BaseModel

from metseg.checkpoints import Checkpoint
from metseg.events import Event, Finished, Notice, Progress
from metseg.inference import Segmentation, StudySegmenter, open_segmenter
from metseg.lesions import PostprocessingConfig
from metseg.metrics import ScanScore, Summary, score_scan, summarise
from metseg.preprocessing import Clahe, PreprocessingConfig
from metseg.study import Sequence, Study, StudyFiles
from metseg.training.dataset import Channels, Folders, chosen_patients, load_masked


class Evaluation(BaseModel, frozen=True):
    """Scores of one model on one set of patients.

    Attributes
    ----------
    preprocessing, postprocessing
        The exact configurations.
    clahe : Clahe
        Which slices the network was shown.
    seen : tuple of str
        Those of the patients that the model was trained on: their scores are no evidence for new patients.
    summaries : dict of str to Summary
        By setting: ``all sequences``, and ``FLAIR alone`` where FLAIR is known.
    """

    model: str
    weights_sha256: str
    preprocessing: PreprocessingConfig
    postprocessing: PostprocessingConfig
    clahe: Clahe
    seen: tuple[str, ...]
    summaries: dict[str, Summary]


def evaluate(
    checkpoint: Checkpoint,
    data: Folders,
    *,
    patients: Iterable[str] | None = None,
    device: str = "auto",
    postprocessing: PostprocessingConfig | None = None,
    flair_alone: bool = True,
    sequences: Channels = None,
) -> Iterator[Event[Evaluation]]:
    """Segment every patient in ``data`` that has a mask, and score it.

    Only slices with a mask file count. Visits of one patient, and slices of one that differ in size, are segmented and
    scored apart and then pooled, see :func:`metseg.metrics.summarise`.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model, with the preprocessing to measure it with; see :meth:`~metseg.checkpoints.Checkpoint.with_clahe`.
    patients : iterable of str, optional
        Just these.
    postprocessing : optional
        In place of the card's.
    flair_alone : bool
        Also measure with FLAIR as the only sequence, if the network looks at FLAIR.

    Raises
    ------
    DataError
        If there is no patient with a mask, or a named one is missing.
    """
    flair_alone = flair_alone and Sequence.FLAIR in checkpoint.card.preprocessing.sequences
    chosen = chosen_patients(data, patients, sequences)
    scores: dict[str, list[ScanScore]] = {}
    with open_segmenter(checkpoint, device=device) as segmenter:
        for done, (name, files) in enumerate(chosen):
            yield Progress(done, len(chosen), f"scoring {name}")
            for setting, score in (yield from _score(segmenter, name, files, postprocessing, flair_alone)):
                scores.setdefault(setting, []).append(score)
    yield Progress(len(chosen), len(chosen), "scored")
    card = checkpoint.card.with_clahe()
    trained_on = set(card.training.patients)
    yield Finished(
        Evaluation(
            model=card.name,
            weights_sha256=checkpoint.sha256,
            preprocessing=card.preprocessing,
            postprocessing=postprocessing or card.postprocessing,
            clahe=card.clahe,
            seen=tuple(name for name, _ in chosen if name in trained_on),
            summaries={setting: summarise(rows) for setting, rows in scores.items()},
        )
    )


def _score(
    segmenter: StudySegmenter,
    patient: str,
    files: list[StudyFiles],
    postprocessing: PostprocessingConfig | None,
    flair_alone: bool,
) -> Generator[Notice, None, list[tuple[str, ScanScore]]]:
    scored = []
    for study in (yield from load_masked(files)):
        if study.mask is None:
            continue
        settings: dict[str, Study] = {"all sequences": study}
        if flair_alone and Sequence.FLAIR in study.sequences and len(study.sequences) > 1:
            settings["FLAIR alone"] = study.only(Sequence.FLAIR)
        for setting, variant in settings.items():
            scored.append((setting, score_segmentation(segmenter.segment(variant, postprocessing), patient)))
    return scored


def score_segmentation(found: Segmentation, patient: str) -> ScanScore:
    """Score a result on the slices of its study that have a mask.

    Raises
    ------
    ValueError
        If the study has no mask.
    """
    study = found.study
    if study.mask is None:
        raise ValueError(f"{study.name} has no mask")
    z = study.masked_slices
    return score_scan(
        study.name,
        study.mask[z],
        np.ascontiguousarray(found.mask[z]),
        study.geometry.spacing,
        patient=patient,
        probabilities=found.probabilities[z],
        min_lesion_voxels=found.postprocessing.min_lesion_voxels,
    )
