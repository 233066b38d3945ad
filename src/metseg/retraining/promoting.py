"""Making a retrained model a project's default."""

from __future__ import annotations

from pathlib import Path

from metseg.checkpoints import load_checkpoint
from metseg.curation import DefaultModel, Project, PromotionResult, promote_model
from metseg.errors import DataError
from metseg.retraining.promotion import FILE, read_promotion_check


def promote(project: Project, model: str | Path, *, force: bool = False) -> DefaultModel:
    """Let the project ask a model first, if the promotion check beside it passed.

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
        If the promotion check did not pass, was asked about other weights, or the project cannot be written to.
    """
    checkpoint = load_checkpoint(model)
    promotion, reason = PromotionResult.NONE, ""
    if (checkpoint.path.parent / FILE).exists():
        said = read_promotion_check(checkpoint.path.parent)
        if said.child.sha256 != checkpoint.sha256:
            if not force:
                raise DataError(f"{checkpoint.path}: not promoted, the promotion check beside it is of another file")
        else:
            promotion, reason = said.result, said.reason
    return promote_model(
        project, checkpoint.path, name=checkpoint.card.name, promotion=promotion, reason=reason, force=force
    )
