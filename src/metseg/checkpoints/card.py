"""The model card: what a set of weights is, what it was trained on, how well it did, and for what it is meant."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from metseg.lesions import GuidedFilter, PostprocessingConfig, SlicePropagation, Target
from metseg.metrics import Interval, SizeClass, with_interval
from metseg.networks import EnsembleSpec, NetworkSpec
from metseg.preprocessing import Clahe, PreprocessingConfig


class InferenceConfig(BaseModel, frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True):
    """How logits become probabilities.

    Attributes
    ----------
    mirror : bool
        Average with the probabilities of the slice mirrored left to right.
    clahe_average : bool
        Average the probabilities of the windowed and of the equalised slice.
    refinement : GuidedFilter or None
        Let the probabilities follow the edges of FLAIR, or of the first sequence of a network without FLAIR.
    slice_propagation : SlicePropagation or None, stored as ``continuation``
        Continue lesions in the next slice where that looks like lesion too, after all else.
    temperature : float
        Logits are divided by this, so that probabilities are calibrated (Guo et al. 2017, arXiv 1706.04599);
        a mask at threshold 0.5 does not change.
    """

    mirror: bool = False
    clahe_average: bool = False
    refinement: GuidedFilter | None = None
    slice_propagation: Annotated[SlicePropagation | None, Field(alias="continuation")] = None
    temperature: Annotated[float, Field(gt=0)] = 1.0


class CorrectedCases(BaseModel, frozen=True, extra="forbid"):
    """Corrected cases of a project that were trained on.

    Attributes
    ----------
    manifest_sha256 : str
        Hash of the manifest of their export, which has the hash of every image and mask.
    cases : int
        How many cases are in the export.
    """

    project: str
    manifest_sha256: str
    cases: int


class TrainingRecord(BaseModel, frozen=True, extra="forbid"):
    """How the weights came to be.

    Attributes
    ----------
    command : str
        What to run to make them again.
    config : dict
        The complete training configuration.
    patients, held_out : tuple of str
        Training patients, and those never trained on.
    epoch : int
        Epoch whose weights these are.
    parent : str or None
        sha256 of the weights this training started from.
    parent_name : str
        What these were called.
    corrected : tuple of CorrectedCases
        Corrected cases it was trained on, its parents included, the oldest first.
    data : str
        Source and licence of the images.
    versions : dict
        Versions of the packages that matter.
    """

    command: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    patients: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    epoch: int = 0
    parent: str | None = None
    parent_name: str = ""
    corrected: tuple[CorrectedCases, ...] = ()
    data: str = ""
    versions: dict[str, str] = Field(default_factory=dict)


class ModelCard(BaseModel, frozen=True, extra="forbid"):
    """Everything needed to run the weights and to judge them.

    Attributes
    ----------
    target : Target
        What the network outlines; cards written before there were two targets are of FLAIR abnormality.
    network, preprocessing, inference, postprocessing
        Rebuild the exact path from image to mask.
    training : TrainingRecord
        Where the weights come from.
    scores : dict
        Held-out scores by setting, each a part of a :class:`metseg.metrics.Summary`; those measured before lesions were
        counted by patient have ``lesion_sensitivity`` (of all lesions) and ``false_lesions_per_patient`` instead.
    notes : str
        What a user must know beside that.
    licence : str
        Terms of the weights, those of the images they were trained on, as an SPDX identifier in lower case.
    created : str
        ISO 8601 date.
    """

    name: str
    target: Target = Target.FLAIR_ABNORMALITY
    network: Annotated[NetworkSpec | EnsembleSpec, Field(discriminator="architecture")]
    preprocessing: PreprocessingConfig
    inference: InferenceConfig = InferenceConfig()
    postprocessing: PostprocessingConfig = PostprocessingConfig()
    training: TrainingRecord = TrainingRecord()
    scores: dict[str, dict[str, Any]] = Field(default_factory=dict)
    notes: str = ""
    licence: str = "cc-by-nc-sa-4.0"
    created: str = ""

    @model_validator(mode="after")
    def _channels_agree(self) -> ModelCard:
        if self.network.in_channels != self.preprocessing.channels:
            raise ValueError(
                f"the network takes {self.network.in_channels} channels, "
                f"preprocessing makes {self.preprocessing.channels}"
            )
        return self

    @property
    def clahe(self) -> Clahe:
        """Which slices the network is shown."""
        return Clahe.of(self.preprocessing, averaged=self.inference.clahe_average)

    def with_clahe(self, choice: str | None = None, clip_limit: float | None = None) -> ModelCard:
        """This card for equalised slices, for windowed ones, or for the average of both.

        The one place that decides what the choice means; the card that comes back has exactly what is applied.

        Parameters
        ----------
        choice : str, optional
            A :class:`~metseg.preprocessing.Clahe` or its value, in place of the card's own.
        clip_limit : float, optional
            Of the equalised slices, in place of the card's own or the usual one.
        """
        chosen = Clahe(choice or self.clahe)
        preprocessing = self.preprocessing.with_clahe(chosen is not Clahe.OFF)
        if preprocessing.clahe is not None and clip_limit is not None:
            clahe = preprocessing.clahe.model_copy(update={"clip_limit": clip_limit})
            preprocessing = preprocessing.model_copy(update={"clahe": clahe})
        inference = self.inference.model_copy(update={"clahe_average": chosen is Clahe.AVERAGE})
        return self.model_copy(update={"preprocessing": preprocessing, "inference": inference})

    @property
    def summary(self) -> str:
        """One line for a list of models."""
        for setting, name in (("held_out", "held-out"), ("cross_validation", "cross-validated")):
            row = self.scores.get(setting, {})
            dice, patients = row.get("mean_dice"), row.get("patients")
            if isinstance(dice, int | float):
                whom = f" on {patients} patients" if isinstance(patients, int) else ""
                return f"{self.network.title}; {name} Dice {dice:.3f}{whom}"
        return f"{self.network.title}; no held-out score"


def card_markdown(card: ModelCard, file: str, sha256: str) -> str:
    """The card of ``file`` as a page of Markdown with the front matter that model hubs read."""
    record = card.training
    parent = " ".join(filter(None, (record.parent_name, record.parent))) or "none"
    sections = [
        "---",
        "library_name: metseg",
        "pipeline_tag: image-segmentation",
        f"license: {card.licence}",
        "tags: [medical, mri, brain, segmentation]",
        "---",
        "",
        f"# {card.name}: {card.network.title}",
        "",
        f"Outlines: **{card.target}**, on {', '.join(card.preprocessing.sequences)}.",
        "",
        f"{card.network.description}. {card.network.in_channels} input channels: "
        f"{', '.join(card.preprocessing.sequences)}, {card.preprocessing.planes} × each.",
        "",
        f"sha256 of `{file}`: `{sha256}`",
        "",
        "For research. Not a medical device; every outline must be checked by a person.",
        "",
        card.notes,
        "",
        "## Scores",
        "",
        *_score_tables(card.scores),
        "Means over patients with 95 % bootstrap intervals; Dice is volumetric. A lesion (26-connected, at least 5 "
        "voxels) is found when any predicted voxel lies in it; a false positive overlaps none. Lesion-wise Dice as in "
        "BraTS-METS 2023. * share of the lesions of all patients together, false positives per patient. *held_out*: "
        "the patients named so below, whom no step of the training saw other than to choose the epoch. "
        "*cross_validation*: networks of the same recipe, on patients that they never saw.",
        "",
        "## Training",
        "",
        f"- Command: `{record.command}`",
        f"- Epoch kept: {record.epoch}. Parent weights: {parent}. Date: {card.created}.",
        f"- Data: {record.data}",
        *(
            f"- Corrected cases: {entry.cases} of project `{entry.project}`, manifest sha256 `{entry.manifest_sha256}`"
            for entry in record.corrected
        ),
        f"- Versions: {', '.join(f'{name} {version}' for name, version in record.versions.items())}",
        f"- Training patients ({len(record.patients)}): {', '.join(record.patients)}",
        f"- Held out ({len(record.held_out)}): {', '.join(record.held_out)}",
        "",
        "## Configuration",
        "",
        *_block("preprocessing", card.preprocessing.model_dump(mode="json")),
        *_block("inference", card.inference.model_dump(mode="json")),
        *_block("postprocessing", card.postprocessing.model_dump(mode="json")),
        *_block("training", record.config),
    ]
    return "\n".join(sections).rstrip() + "\n"


_SCORES = {
    "mean_dice": "mean Dice",
    "median_dice": "median",
    "worst_dice": "worst",
    "sensitivity": "lesions found",
    "false_positives_per_scan": "false positives per scan",
    "lesion_dice": "lesion-wise Dice",
}
_FORMER = {"sensitivity": "lesion_sensitivity", "false_positives_per_scan": "false_lesions_per_patient"}


def _score_tables(scores: dict[str, dict[str, Any]]) -> list[str]:
    """Means by setting, and lesions found by size where a setting has them."""
    table = _table(
        ["setting", *_SCORES.values(), "patients"],
        [
            [setting, *(_cell(row, key) for key in _SCORES), f"{row.get('patients', '')}"]
            for setting, row in scores.items()
        ],
    )
    for setting, row in scores.items():
        sizes = [SizeClass.model_validate(size) for size in row.get("sizes", ())]
        rows = [
            [
                size.name,
                with_interval(size.sensitivity, size.interval),
                f"{size.found} of {size.reference}",
                f"{size.false}",
            ]
            for size in sizes
        ]
        if rows:
            table += _table([f"lesions, {setting}", "found, by patient", "of all lesions", "false positives"], rows)
    return table


def _table(headings: list[str], rows: list[list[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def _cell(row: dict[str, Any], key: str) -> str:
    former = _FORMER.get(key) if key not in row else None
    value = row.get(former or key)
    if not isinstance(value, int | float):
        return "–"
    interval = row.get("intervals", {}).get(key)
    return with_interval(value, interval and Interval.model_validate(interval)) + ("*" if former else "")


def _block(title: str, content: dict[str, Any]) -> list[str]:
    return [f"{title.capitalize()}:", "", "```json", json.dumps(content, indent=2), "```", ""]
