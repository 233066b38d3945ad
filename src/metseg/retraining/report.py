"""``gate.md``: the promotion check's decision and both tables, for reading."""

from __future__ import annotations

import json
from pathlib import Path

from metseg.retraining.promotion import FILE, ModelScores, PromotionCheck
from metseg.study import write_text

PAGE = "gate.md"


def write_promotion_check(out: Path, promotion: PromotionCheck) -> None:
    """Write ``gate.md`` and then ``gate.json``, each in one step."""
    for name, text in ((PAGE, promotion_markdown(promotion)), (FILE, promotion.model_dump_json(indent=2) + "\n")):
        write_text(out / name, text)


def promotion_markdown(promotion: PromotionCheck) -> str:
    """The page."""
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
        "| patient | from | Dice | lesions found | false lesions |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        f"| **all** | | **{_dice(model.mean_dice)}** | **{model.found} of {model.lesions}** | **{model.false}** |",
        "",
    ]


def _dice(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"
