"""The one place that opens a network for prediction."""

from __future__ import annotations

from pathlib import Path

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.inference.backend import BackendFactory
from metseg.inference.segmenter import Segmenter


def open_segmenter(
    model: str | Path | Checkpoint,
    *,
    device: str = "auto",
    batch_size: int = 16,
    clahe: str | None = None,
    backend: str | BackendFactory = "auto",
) -> Segmenter:
    """Open a network for prediction.

    Parameters
    ----------
    model : str, Path or Checkpoint
        Name or path of a network, or the network itself.
    device, batch_size, backend
        See :class:`Segmenter`.
    clahe : {"on", "off", "average"}, optional
        See :meth:`metseg.checkpoints.Checkpoint.with_clahe`; what the card says unless given.

    Raises
    ------
    CheckpointError
        If there is no such network, or its file is damaged or foreign.
    MetsegError
        If there is no such device or backend.
    """
    checkpoint = model if isinstance(model, Checkpoint) else load_checkpoint(model)
    return Segmenter(checkpoint.with_clahe(clahe), device=device, batch_size=batch_size, backend=backend)
