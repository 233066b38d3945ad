"""One model, measured on every patient."""

from __future__ import annotations

import platform
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

import numpy as np
import numpy.typing as npt

from metseg.checkpoints import load_checkpoint
from metseg.comparison.entries import Contender
from metseg.comparison.result import LearningCurve, ModelResult, PatientResult
from metseg.comparison.surfaces import SurfaceAgreement, compare_surfaces
from metseg.errors import DataError, UnreadableFileError
from metseg.events import Notice, Progress
from metseg.inference import StudySegmenter, open_segmenter
from metseg.metrics import ScanScore, summarise
from metseg.study import Sequence, StudyFiles
from metseg.training.curves import read_log
from metseg.training.dataset import load_masked
from metseg.training.evaluation import score_segmentation


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """The slice of a patient on which there is most to see.

    Attributes
    ----------
    z : int
        Slice, counted from 0.
    dice : float
        Of the whole scan.
    image : ndarray, shape (y, x)
        FLAIR, as stored.
    reference, predicted : ndarray of uint8, shape (y, x)
        1 inside lesions.
    """

    patient: str
    z: int
    dice: float
    image: npt.NDArray[np.uint8 | np.uint16]
    reference: npt.NDArray[np.uint8]
    predicted: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """A model's result with what is shown but not kept: pictures of its best, median and worst patient.

    Of one or two patients, of all there are.
    """

    result: ModelResult
    pictures: tuple[Picture, ...]
    device: str


@dataclass(frozen=True, eq=False, slots=True)
class _Row:
    scans: list[ScanScore]
    patient: PatientResult
    picture: Picture
    device: str


def measure_model(
    contender: Contender, patients: dict[str, list[StudyFiles]], device: str, done: int, total: int
) -> Generator[Progress | Notice, None, Measured]:
    """Segment and score ``patients`` with ``contender``; one network is in memory at a time.

    Progress counts from ``done`` patients that were scored before to ``total`` of all models together.
    """
    rows: dict[str, _Row | None] = {}
    hashes: list[str] = []
    curves: list[LearningCurve] = []
    for index, model in enumerate(contender.entry.models):
        names = [name for name in patients if contender.model_for(name) == index]
        if not names:
            continue
        checkpoint = load_checkpoint(model)
        hashes.append(checkpoint.sha256)
        curves += read_curve(checkpoint.path.parent)
        with open_segmenter(checkpoint, device=device, clahe=contender.cards[index].clahe) as segmenter:
            for name in names:
                yield Progress(done, total, f"{contender.entry.name}: {name}")
                if name == names[0]:
                    yield from _warm_up(segmenter, patients[name])
                rows[name] = yield from _measure_patient(segmenter, name, patients[name], contender.has_seen(name))
                done += 1
    ordered = [row for name in patients if (row := rows[name]) is not None]
    if not ordered:
        raise DataError("none of the patients could be read")
    results = [row.patient for row in ordered]
    result = ModelResult(
        name=contender.entry.name,
        title=contender.title,
        clahe=contender.cards[0].clahe,
        weights_sha256=tuple(hashes),
        summary=summarise(scan for row in ordered for scan in row.scans),
        patients=tuple(results),
        mean_surface_dice=fmean(patient.surface_dice for patient in results),
        median_hd95=median(patient.hd95 for patient in results),
        seconds_per_slice=median(patient.seconds / patient.slices for patient in results),
        parameters=contender.parameters,
        curves=tuple(curves),
    )
    ranked = sorted((row.picture for row in ordered), key=lambda picture: -picture.dice)
    if len(ranked) > 2:
        ranked = [ranked[0], ranked[len(ranked) // 2], ranked[-1]]
    return Measured(result, tuple(ranked), ordered[-1].device)


def read_curve(folder: Path) -> Iterator[LearningCurve]:
    """The curve in the log of a training run; nothing if there is no such file or it is none."""
    with suppress(UnreadableFileError, KeyError):
        if rows := read_log(folder):
            yield LearningCurve(
                epochs=tuple(int(row["epoch"]) for row in rows),
                loss=tuple(row["loss"] for row in rows),
                dice=tuple(row.get("mean_dice", float("nan")) for row in rows),
            )


def device_name(device: str) -> str:
    """What ``device`` is called by its maker, as far as that is known."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device}, {platform.machine()}, {threads} thread{'' if threads == 1 else 's'}"


def _warm_up(segmenter: StudySegmenter, files: list[StudyFiles]) -> Generator[Notice, None, None]:
    """Segment one slice, untimed: the first forward pass of a network is slower than all others."""
    for study in (yield from load_masked(files))[:1]:
        segmenter.segment(replace(study, voxels=study.voxels[:, :1], mask=None, slices=()))


def _measure_patient(
    segmenter: StudySegmenter, name: str, files: list[StudyFiles], trained_on: bool
) -> Generator[Notice, None, _Row | None]:
    """All scans of one patient; the picture is of the one with the lowest Dice. ``None`` if none could be read."""
    studies = yield from load_masked(files)
    scans: list[ScanScore] = []
    surfaces: list[SurfaceAgreement] = []
    pictures: list[Picture] = []
    seconds = 0.0
    for study in studies:
        if study.mask is None:
            continue
        started = time.perf_counter()
        segmentation = segmenter.segment(study)
        seconds += time.perf_counter() - started
        score = score_segmentation(segmentation, name)
        scans.append(score)
        z = study.masked_slices
        reference, predicted = study.mask[z], segmentation.mask[z]
        surfaces.append(compare_surfaces(reference, predicted))
        most = z[int((reference | predicted).sum(axis=(1, 2)).argmax())]
        image = study.voxels[study.channel(Sequence.FLAIR)][most]
        pictures.append(Picture(study.name, most, score.dice, image, study.mask[most], segmentation.mask[most]))
        device = segmentation.device
    if not scans:
        return None
    patient = PatientResult(
        name=name,
        trained_on=trained_on,
        hd95=fmean(surface.hd95 for surface in surfaces),
        surface_dice=fmean(surface.surface_dice for surface in surfaces),
        slices=sum(study.shape[0] for study in studies),
        seconds=seconds,
    )
    return _Row(scans, patient, min(pictures, key=lambda picture: picture.dice), device)
