"""The promotion check: a retrained model may become a project's default if it is no worse than its parent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from statistics import fmean
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from metseg.checkpoints import load_checkpoint
from metseg.curation import DefaultModel, Project, PromotionResult, promote_model
from metseg.curation.documents import read_document, write_document
from metseg.errors import DataError
from metseg.lesions import PostprocessingConfig
from metseg.metrics import PairedTest, Score, compare_paired
from metseg.retraining.config import RetrainingConfig
from metseg.study import write_text

FILE, PAGE = "gate.json", "gate.md"


class MaskSource(StrEnum):
    """Where a held-out patient's mask is from."""

    PROJECT = "project"
    ORIGINAL = "original data"


class ComparedScan(BaseModel, frozen=True, extra="forbid"):
    """One model on one held-out study.

    Attributes
    ----------
    name, patient : str
        The study, and whom it is of.
    dice : float
        Volumetric, over all slices with a mask.
    lesions, found, false : int
        Lesions in the mask, those of them that were found, and false positives; see
        :func:`metseg.metrics.score_lesions`.
    """

    name: str
    patient: str
    source: MaskSource
    dice: Score
    lesions: int
    found: int
    false: int


class ModelScores(BaseModel, frozen=True, extra="forbid"):
    """One model on all held-out patients.

    Attributes
    ----------
    rows : tuple of ComparedScan
        The same studies in the same order for parent and child.
    """

    name: str
    sha256: str
    rows: tuple[ComparedScan, ...]

    @property
    def mean_dice(self) -> float:
        """Mean over all studies; ``nan`` without any."""
        return self.mean_dice_on(MaskSource)

    def mean_dice_on(self, sources: Iterable[MaskSource]) -> float:
        """Mean over studies from these sources; ``nan`` without any."""
        wanted = set(sources)
        dice = [row.dice for row in self.rows if row.source in wanted]
        return fmean(dice) if dice else float("nan")

    @property
    def lesions(self) -> int:
        """Lesions of all studies."""
        return sum(row.lesions for row in self.rows)

    @property
    def found(self) -> int:
        """Those of them that were found."""
        return sum(row.found for row in self.rows)

    @property
    def false(self) -> int:
        """Predicted lesions that are none."""
        return sum(row.false for row in self.rows)


class PromotionCheck(BaseModel, frozen=True, extra="forbid"):
    """``gate.json``.

    Attributes
    ----------
    remarks : tuple of str
        What else should be known before anybody relies on it.
    parent, child : ModelScores
        Both on the same patients, whom neither was trained on, with the same post-processing.
    difference : PairedTest
        Dice of child minus parent.
    tolerance, least_patients
        The rule, see :class:`metseg.retraining.RetrainingConfig`.
    project, manifest_sha256 : str
        Id of the project, and the manifest of the export that was trained on.
    """

    format: Literal["metseg-gate"] = "metseg-gate"
    version: Literal[1] = 1
    result: PromotionResult
    reason: str
    remarks: tuple[str, ...] = ()
    parent: ModelScores
    child: ModelScores
    difference: PairedTest
    tolerance: float
    least_patients: int
    postprocessing: PostprocessingConfig
    project: str
    manifest_sha256: str
    time: AwareDatetime
    software: str

    @property
    def passed(self) -> bool:
        """Whether the child may become the default."""
        return self.result is PromotionResult.PASSED


def decide(parent: ModelScores, child: ModelScores, config: RetrainingConfig) -> tuple[PromotionResult, str]:
    """Whether the child is no worse than the parent, and why.

    It is if its mean Dice over the held-out studies is at most ``tolerance`` lower than the parent's and it finds no
    fewer lesions. With fewer than ``least_patients`` patients nothing is decided.
    """
    patients, least = len({row.patient for row in parent.rows}), config.least_patients
    if not patients:
        return PromotionResult.UNDECIDED, "nobody is held out, so there is nobody on whom the two could be compared"
    numbers = (
        f"mean Dice {child.mean_dice:.4f}, the parent's {parent.mean_dice:.4f}; {child.found} of {child.lesions} "
        f"lesions found, by the parent {parent.found}; {patients} patient{'s' * (patients != 1)} held out"
    )
    if patients < least:
        return PromotionResult.UNDECIDED, f"too few patients to say anything, {least} are needed: {numbers}"
    worse = []
    if child.mean_dice < parent.mean_dice - config.tolerance:
        worse.append("mean Dice is lower" + (f" by more than {config.tolerance:g}" if config.tolerance else ""))
    if child.found < parent.found:
        worse.append("fewer lesions are found")
    if worse:
        return PromotionResult.FAILED, f"{' and '.join(worse)}: {numbers}"
    return PromotionResult.PASSED, f"no worse than its parent: {numbers}"


def remarks_on(parent: ModelScores, child: ModelScores) -> tuple[PairedTest, tuple[str, ...]]:
    """The paired test, and what the means do not show: their uncertainty, and which patients lost."""
    test = compare_paired([row.dice for row in child.rows], [row.dice for row in parent.rows])
    remarks = []
    if test.interval.known:
        verdict = "can be told apart" if test.is_significant else "cannot be told apart"
        remarks.append(
            f"Dice differs by {test.difference:+.4f} on average (95 % interval {test.interval.low:+.4f} to "
            f"{test.interval.high:+.4f}, Wilcoxon p {test.p_value:.2g}): the two {verdict}"
        )
    for source in MaskSource:
        before, after = parent.mean_dice_on([source]), child.mean_dice_on([source])
        if after < before:
            remarks.append(f"on the {source} alone mean Dice falls from {before:.4f} to {after:.4f}")
    if child.false > parent.false:
        remarks.append(f"{child.false} false positives, by the parent {parent.false}")
    return test, tuple(remarks)


def read_promotion_check(run: str | Path) -> PromotionCheck:
    """The promotion check of the model in folder ``run``.

    Raises
    ------
    DataError
        If it has not been run yet.
    UnreadableFileError
        If its file is damaged or of a later version.
    """
    path = Path(run) / FILE
    if not path.exists():
        raise DataError(f"{path.parent}: the promotion check was not run here (there is no {FILE})")
    return read_document(path, PromotionCheck)


def promote(project: Project, model: str | Path, *, force: bool = False) -> DefaultModel:
    """Make a model the project's default, if the promotion check beside it passed.

    Parameters
    ----------
    model : str or Path
        The folder of a retraining, or any model's name or file; one without a promotion check needs ``force``.
    force : bool
        Also a model that did not pass.

    Raises
    ------
    CheckpointError
        If there is no such model.
    DataError
        If the promotion check did not pass, was made of other weights, or the project cannot be written to.
    """
    checkpoint = load_checkpoint(model)
    promotion, reason = PromotionResult.NONE, ""
    if (checkpoint.path.parent / FILE).exists():
        check = read_promotion_check(checkpoint.path.parent)
        if check.child.sha256 != checkpoint.sha256:
            if not force:
                raise DataError(f"{checkpoint.path}: not promoted, the promotion check beside it is of another file")
        else:
            promotion, reason = check.result, check.reason
    return promote_model(
        project, checkpoint.path, name=checkpoint.card.name, promotion=promotion, reason=reason, force=force
    )


def write_promotion_check(out: Path, promotion: PromotionCheck) -> None:
    """Write ``gate.md`` and then ``gate.json``, each in one step."""
    write_text(out / PAGE, _markdown(promotion))
    write_document(out / FILE, promotion)


def _markdown(promotion: PromotionCheck) -> str:
    tolerance = f" by more than {promotion.tolerance:g}" if promotion.tolerance else ""
    sections = [
        f"# Promotion check: {promotion.result}",
        "",
        f"{promotion.child.name}: {promotion.reason}.",
        "",
        *(f"- {remark}." for remark in promotion.remarks),
        "",
        f"The rule: mean Dice on held-out patients must not be lower{tolerance} than the parent's and no fewer lesions "
        f"may be found; at least {promotion.least_patients} patients are needed. Neither model was trained on these "
        "patients, and none of them chose anything. Both have the same post-processing.",
        "",
        *_table("Parent", promotion.parent),
        *_table("Child", promotion.child),
        "## Where it comes from",
        "",
        f"- Project `{promotion.project}`, manifest of the export: sha256 `{promotion.manifest_sha256}`",
        f"- Post-processing: `{json.dumps(promotion.postprocessing.model_dump(mode='json'))}`",
        f"- {promotion.time.isoformat(timespec='seconds')}, {promotion.software}",
        "",
        "For research. Not a medical device; every outline must be checked by a person.",
    ]
    return "\n".join(sections) + "\n"


def _table(title: str, model: ModelScores) -> list[str]:
    rows = [
        f"| {row.name} | {row.source} | {_dice(row.dice)} | {row.found} of {row.lesions} | {row.false} |"
        for row in model.rows
    ]
    return [
        f"## {title}: {model.name}",
        "",
        f"sha256 `{model.sha256}`",
        "",
        "| patient | from | Dice | lesions found | false positives |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        f"| **all** | | **{_dice(model.mean_dice)}** | **{model.found} of {model.lesions}** | **{model.false}** |",
        "",
    ]


def _dice(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"
