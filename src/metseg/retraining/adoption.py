"""Making a retrained model a project's default."""

from __future__ import annotations

from pathlib import Path

from metseg.checkpoints import load_checkpoint
from metseg.curation import DefaultModel, GateResult, Project, adopt_model
from metseg.errors import DataError
from metseg.retraining.gate import FILE, read_gate


def adopt(project: Project, model: str | Path, *, force: bool = False) -> DefaultModel:
    """Let the project ask a model first, if the gate beside it passed.

    Parameters
    ----------
    project : Project
    model : str or Path
        The folder of a retraining, or any model's name or file; one without a gate needs ``force``.
    force : bool
        Also a model that did not pass.

    Raises
    ------
    CheckpointError
        If there is no such model.
    DataError
        If the gate did not pass, was asked about other weights, or the project cannot be written to.
    """
    checkpoint = load_checkpoint(model)
    gate, reason = GateResult.NONE, ""
    if (checkpoint.path.parent / FILE).exists():
        said = read_gate(checkpoint.path.parent)
        if said.child.sha256 != checkpoint.sha256:
            if not force:
                raise DataError(f"{checkpoint.path}: not adopted, the gate beside it was asked about another file")
        else:
            gate, reason = said.result, said.reason
    return adopt_model(project, checkpoint.path, name=checkpoint.card.name, gate=gate, reason=reason, force=force)
