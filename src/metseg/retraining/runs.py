"""The retrainings of a project, wherever they were started: the studio, the server, the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from metseg.curation.default_model import RUNS
from metseg.curation.names import safe_name
from metseg.retraining.config import FILE, RetrainingConfig, read_config
from metseg.retraining.promotion import FILE as PROMOTION
from metseg.retraining.promotion import PromotionCheck, read_promotion_check
from metseg.training.curves import read_log

_STAMP = re.compile(r"-\d{8}-\d{6}(-\d+)?$")
_LONGEST = 60


@dataclass(frozen=True)
class RetrainingRun:
    """What is on the disk of a retraining.

    Attributes
    ----------
    config : RetrainingConfig
        Its settings, with the folders where they are now.
    promotion : PromotionCheck or None
        What came of the comparison with its parent; ``None`` if it has not come to its end.
    """

    config: RetrainingConfig
    rows: list[dict[str, float]]
    promotion: PromotionCheck | None


def new_run_folder(project: Path, parent: str) -> Path:
    """Folder below ``project`` for a new retraining of ``parent``, which is not there yet.

    It is called after the parent and the time; after a parent that was retrained itself without that time.
    """
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    first = project / RUNS / f"{safe_name(_STAMP.sub('', parent), _LONGEST) or 'model'}-{stamp}"
    folder, number = first, 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return folder


def newest_run(project: Path) -> RetrainingRun | None:
    """The retraining of ``project`` that was begun last; ``None`` if there is none."""
    files = sorted((project / RUNS).glob(f"*/{FILE}"), key=lambda file: file.stat().st_mtime)
    folder = files[-1].parent if files else None
    if folder is None or (config := read_config(folder)) is None:
        return None
    here = config.model_copy(update={"out": folder, "project": project.resolve()})
    promotion = read_promotion_check(folder) if (folder / PROMOTION).exists() else None
    return RetrainingRun(here, read_log(folder), promotion)
