"""Preprocessed patients in memory, and the plan of an epoch."""

from __future__ import annotations

import math
import zlib
from collections import abc
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, count, groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import find_objects
from torch.utils.data import Dataset

from metseg.errors import DataError
from metseg.events import Notice, Progress
from metseg.inference import find_brain, locate_brain
from metseg.lesions import Target, label_lesions
from metseg.preprocessing import BrainGrid, PreprocessingConfig, Preprocessor
from metseg.study import DataFolder, ProblemKind, Sequence, Study, StudyFiles, find_studies, joined, load
from metseg.synthetic import insert_metastases
from metseg.training.augmentation import Augmentation, Pair
from metseg.training.config import TrainingConfig
from metseg.training.losses import UNKNOWN
from metseg.training.prepared import PreparedCache, PreparedStudy

#: Folders of patients; of a patient who is in several the first counts.
Folders = Path | DataFolder | abc.Sequence[Path | DataFolder]

#: Which sequence each channel of the files is, where that is given.
Channels = abc.Sequence[Sequence] | None


class Place(NamedTuple):
    """Where training examples come from: a slice of a study, and (y, x) of the lesion that they must show, if any."""

    study: int
    z: int
    centre: tuple[int, int] | None = None


#: One training example: its place, and the seed of its augmentation.
Example = tuple[Place, int]


def prepare(
    study: Study,
    config: PreprocessingConfig,
    patient: str | None = None,
    known: Iterable[int] | None = None,
    brain: BrainGrid | None = None,
) -> PreparedStudy | None:
    """Preprocess ``study`` of ``patient`` (its name, if not given); ``None`` if no slice of it has a mask.

    ``known`` are the slices whose mask counts, if not all that have one. Where ``config`` has a brain it is
    looked for, unless it is given.
    """
    z = study.masked_slices if known is None else list(known)
    if not z or study.mask is None:
        return None
    voxels, mask = study.select([Sequence(name) for name in config.sequences]), study.mask
    if (brain := brain or locate_brain(study, config)) is not None:
        voxels, mask, z = brain.forward(voxels), brain.forward_mask(mask), brain.known_slices(z)
    preprocessor = Preprocessor(config, voxels)
    channels = np.stack([preprocessor.channels(index).astype(np.float16) for index in range(voxels.shape[1])])
    masks = np.stack([preprocessor.grid.forward_mask(plane) for plane in mask])
    return PreparedStudy(study.name, patient or study.name, channels, masks, tuple(z), config.neighbours)


def prepare_simulated(
    study: Study,
    config: PreprocessingConfig,
    seed: tuple[int, ...],
    patient: str | None = None,
    brain: BrainGrid | None = None,
) -> PreparedStudy | None:
    """Preprocess a copy of ``study`` with simulated metastases; ``None`` if there is no room for any.

    Only those slices of the copy count as masked that hold one of them: the others are in the head itself.
    """
    insertion = insert_metastases(study, seed, target=Target.of_sequences(config.sequences))
    kept = tuple(z for z in study.masked_slices if insertion.labels[z].any())
    return prepare(insertion.study, config, patient, kept, brain) if kept else None


def masked_patients(data: Folders, sequences: Channels = None) -> dict[str, list[StudyFiles]]:
    """Files of every patient that has a mask, by name.

    Raises
    ------
    DataError
        If there is none in one of the folders.
    """
    patients: dict[str, list[StudyFiles]] = {}
    for folder in _folders(data):
        here: dict[str, list[StudyFiles]] = {}
        for files in find_studies(folder, sequences):
            if any(file.mask is not None for file in files.slices):
                here.setdefault(files.patient, []).append(files)
        if not here:
            raise DataError(
                f"{folder}: no slice with a mask (such as <name>_<k>_mask.tif beside <name>_<k>.tif; `metseg inspect` "
                "shows what each file is taken for)"
            )
        patients = here | patients
    return patients


def joined_patients(patients: dict[str, list[StudyFiles]]) -> Mapping[str, str]:
    """One name for all patients that hold the same images: no split may part them."""
    pairs = [(name, files.same_as) for name, several in patients.items() for files in several if files.same_as]
    return joined({*patients, *(other for _, other in pairs)}, pairs)


def _folders(data: Folders) -> abc.Sequence[Path | DataFolder]:
    return [data] if isinstance(data, Path | DataFolder) else data


def chosen_patients(
    data: Folders, names: Iterable[str] | None, sequences: Channels = None
) -> list[tuple[str, list[StudyFiles]]]:
    """Names and files of the patients in ``names``, or of all that have a mask, sorted; DataError if one is missing."""
    files = masked_patients(data, sequences)
    wanted = sorted(files) if names is None else list(names)
    if unknown := set(wanted) - set(files):
        where = ", ".join(map(str, _folders(data)))
        raise DataError(f"{where}: no masked slices of {', '.join(sorted(unknown))}")
    return [(name, files[name]) for name in wanted]


def load_masked(patients: Iterable[StudyFiles]) -> Generator[Notice, None, list[Study]]:
    """Read the studies that have a mask; refused files become notices."""
    studies: list[Study] = []
    for files in patients:
        loaded = load(files)
        yield from (Notice(f"refused: {problem}") for problem in loaded.problems if problem.refused)
        about_masks = [one for one in loaded.problems if one.kind is ProblemKind.MASK and not one.refused]
        yield from (Notice(f"remark: {one}") for one in about_masks)
        studies += [study for study in loaded.studies if study.masked_slices]
    return studies


def prepare_patients(
    patients: dict[str, list[StudyFiles]],
    names: Iterable[str],
    config: PreprocessingConfig,
    *,
    simulated: float = 0.0,
    seed: int = 0,
    cache: PreparedCache | None = None,
) -> Generator[Progress | Notice, None, list[PreparedStudy]]:
    """Read and preprocess the named patients; refused files become notices.

    ``simulated`` copies of each are added, on average, with metastases that follow from ``seed`` and the name.
    """
    wanted = list(names)
    prepared: list[PreparedStudy] = []
    for done, name in enumerate(wanted):
        yield Progress(done, len(wanted), f"reading {name}")
        for study in (yield from _fitting((yield from load_masked(patients[name])), config)):
            chance = np.random.default_rng([seed, zlib.crc32(name.encode())]).random()
            copies = range(int(simulated) + int(chance < simulated % 1))
            brain = (yield from find_brain(study, config)) if copies else None
            made = [(yield from _prepared(study, config, name, cache, brain))]
            made += [prepare_simulated(study, config, (seed, copy), name, brain) for copy in copies]
            prepared += [ready for ready in made if ready is not None]
    yield Progress(len(wanted), len(wanted), "patients read")
    return prepared


def _fitting(studies: Iterable[Study], config: PreprocessingConfig) -> Generator[Notice, None, list[Study]]:
    """Studies that have what the network looks at; FLAIR may stand in for another sequence, with a notice."""
    wanted = [Sequence(name) for name in config.sequences]
    fitting: list[Study] = []
    for study in studies:
        missing = study.named_for(wanted).missing(wanted)
        if not missing or Sequence.UNKNOWN in study.sequences:
            fitting.append(study)
        elif Sequence.FLAIR in wanted and Sequence.FLAIR in study.sequences:
            yield Notice(f"{study.name}: no {' and no '.join(missing)}; flair channel used in place")
            fitting.append(study)
        else:
            there = " and ".join(study.sequences)
            yield Notice(f"{study.name} left out: it has {there}, and no {' and no '.join(missing)}")
    return fitting


def _prepared(
    study: Study,
    config: PreprocessingConfig,
    patient: str,
    cache: PreparedCache | None,
    brain: BrainGrid | None = None,
) -> Generator[Progress | Notice, None, PreparedStudy | None]:
    """The study as :func:`prepare` makes it, from the cache if it was made before; ``brain`` if it is known already."""
    if cache is not None and (kept := cache.read(study, config, patient)) is not None:
        return kept
    if brain is None:
        brain = yield from find_brain(study, config)
    made = prepare(study, config, patient, brain=brain)
    if cache is not None and made is not None:
        cache.write(study, config, made)
    return made


def prepare_background(
    data: Folders, config: PreprocessingConfig, cache: PreparedCache | None = None
) -> Generator[Progress | Notice, None, list[PreparedStudy]]:
    """Read and preprocess patients whose masks outline something else than what is trained.

    Outside these masks nothing is lesion, inside nothing is known. If the network looks at brains, each is also shown
    with its skull. Patients for whom FLAIR stands in the place of a
    wanted sequence are left out, with a notice.
    """
    prepared: list[PreparedStudy] = []
    left_out: list[str] = []
    patients = masked_patients(data)
    variants = [config]
    if config.brain is not None:  # whole heads, too, for an extraction may fail
        variants.append(config.model_copy(update={"brain": config.brain.model_copy(update={"extraction": "none"})}))
    for done, (name, files) in enumerate(patients.items()):
        yield Progress(done, len(patients), f"reading {name} for its background")
        for study in (yield from load_masked(files)):
            if set(study.stand_ins) & set(config.sequences):
                left_out.append(study.name)
                continue
            for variant in variants:
                if (ready := (yield from _prepared(study, variant, name, cache))) is not None:
                    prepared.append(replace(ready, masks=ready.masks * np.uint8(UNKNOWN), replayed=True))
    if left_out:
        yield Notice(f"{len(left_out)} left out, of whom a sequence is missing: {', '.join(left_out)}")
    return prepared


def prepare_single_slices(
    data: Folders, config: PreprocessingConfig
) -> Generator[Progress | Notice, None, list[PreparedStudy]]:
    """Read and preprocess masked slices that are no volume: each is a study of its own, and its own neighbour."""
    prepared: list[PreparedStudy] = []
    patients = masked_patients(data)
    for done, (name, files) in enumerate(patients.items()):
        yield Progress(done, len(patients), f"reading slices of {name}")
        for study in (yield from load_masked(files)):
            ready = [prepare(study.slice(z), config, name) for z in study.masked_slices]
            prepared += [replace(entry, replayed=True) for entry in ready if entry is not None]
    return prepared


class TrainingSlices(Dataset[Pair]):
    """Augmented slices or stacks of them, addressed by :data:`Example`: the same example is always the same pixels."""

    def __init__(self, studies: list[PreparedStudy], config: TrainingConfig) -> None:
        self.studies = studies
        self._stack = config.stack
        self._augmentation = Augmentation(config.augmentation, config.crop, config.preprocessing)

    def __getitem__(self, example: Example) -> Pair:
        """Image float32 (channels, crop, crop) and mask uint8 (1, crop, crop); before that (z, …) for stacks."""
        (index, z, centre), seed = example
        study = self.studies[index]
        generator = torch.Generator().manual_seed(seed)
        if self._stack == 1:
            image, mask = study.image(z), study.masks[z, None]
        else:
            below = int(torch.randint(self._stack, (), generator=generator))
            around = np.clip(np.arange(z - below, z - below + self._stack), 0, len(study.channels) - 1)
            image, mask = np.stack([study.image(int(k)) for k in around]), study.masks[around, None]
        return self._augmentation(torch.from_numpy(image), torch.from_numpy(mask), generator, centre)


class EpochPlan:
    """Which slices make up each batch of each epoch: seeded, and balanced between slices with and without lesion.

    If some studies are replayed, ``config.replay`` is their share of the examples, of those with lesion as of those
    without, and an epoch is over when every new slice with lesion was shown.
    """

    def __init__(self, studies: list[PreparedStudy], config: TrainingConfig) -> None:
        places = [Place(index, z) for index, study in enumerate(studies) for z in study.masked]
        has_lesion = {place: bool((studies[place.study].masks[place.z] == 1).any()) for place in places}
        self._lesion = [place for place in places if has_lesion[place]]
        self._empty = [place for place in places if not has_lesion[place]]
        if not self._lesion:
            raise DataError("no training slice has a lesion")
        self._seed = config.seed
        self._replayed = frozenset(index for index, study in enumerate(studies) if study.replayed)
        self._replay = config.replay
        self._per_batch = config.batch_size // config.stack
        self._lesions_per_batch = (
            max(1, round(self._per_batch * config.lesion_share)) if self._empty else self._per_batch
        )
        new, old = self._parted(self._lesion)
        to_show = len(new) / (1 - self._replay) if new and old else len(self._lesion)
        self.steps = config.steps_per_epoch or max(1, math.ceil(to_show / (self._lesions_per_batch * config.stack)))
        by_lesion = config.sampling == "lesion"
        self._by_lesion = [_slices_by_lesion(studies, part) for part in (new, old)] if by_lesion else None

    def batches(self, epoch: int) -> list[list[Example]]:
        """The examples of every batch of ``epoch``."""
        rng = np.random.default_rng([self._seed, epoch])
        if self._by_lesion is None:
            lesions = self._mixed([_endless(part, rng) for part in self._parted(self._lesion)])
        else:
            lesions = self._mixed([_endless_by_lesion(part, rng) for part in self._by_lesion])
        empties = self._mixed([_endless(part, rng) for part in self._parted(self._empty)])
        seeds = rng.integers(2**62, size=(self.steps, self._per_batch)).tolist()
        plan: list[list[Example]] = []
        for row in seeds:
            places = [next(lesions if number < self._lesions_per_batch else empties) for number in range(len(row))]
            plan.append(list(zip(places, row, strict=True)))
        return plan

    def _parted(self, places: list[Place]) -> tuple[list[Place], list[Place]]:
        """New and replayed ones."""
        new = [place for place in places if place.study not in self._replayed]
        return new, [place for place in places if place.study in self._replayed]

    def _mixed(self, sources: list[Iterator[Place]]) -> Iterator[Place]:
        """Places from the new and the replayed source, the latter as often as they should be; one may be empty."""
        first = [next(source, None) for source in sources]
        streams = [chain([place], source) for place, source in zip(first, sources, strict=True) if place is not None]
        if len(streams) < 2:
            yield from chain(*streams)
            return
        for number in count(1):
            due = math.floor(number * self._replay) - math.floor((number - 1) * self._replay)
            yield next(streams[due])


def _slices_by_lesion(studies: list[PreparedStudy], places: list[Place]) -> list[list[list[Place]]]:
    """Those of ``places`` on which each lesion of each patient lies, over all visits, with the lesion's centre."""
    patients: dict[str, list[list[Place]]] = {}
    for index, group in groupby(places, key=lambda place: place.study):
        study = studies[index]
        wanted = {place.z for place in group}
        labels = label_lesions(study.masks == 1)
        for label, box in enumerate(find_objects(labels), start=1):
            slices = []
            for z in sorted(set(range(box[0].start, box[0].stop)) & wanted):
                y, x = np.argwhere(labels[z, box[1], box[2]] == label).mean(axis=0)
                slices.append(Place(index, z, (box[1].start + round(y), box[2].start + round(x))))
            if slices:
                patients.setdefault(study.patient, []).append(slices)
    return list(patients.values())


def _endless_by_lesion(patients: list[list[list[Place]]], rng: np.random.Generator) -> Iterator[Place]:
    """Places without end: every patient in random order, one of their lesions, one of its slices."""
    while patients:
        for patient in rng.permutation(len(patients)):
            lesions = patients[patient]
            slices = lesions[rng.integers(len(lesions))]
            yield slices[rng.integers(len(slices))]


def _endless(slices: list[Place], rng: np.random.Generator) -> Iterator[Place]:
    """Every slice once in random order, then again in another."""
    while slices:
        for place in rng.permutation(len(slices)):
            yield slices[place]
