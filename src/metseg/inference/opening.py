"""The one place that opens a network for prediction, here or on a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, overload

from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.errors import MetsegError
from metseg.inference.backend import BackendFactory
from metseg.inference.segmenter import Segmenter, StudySegmenter

if TYPE_CHECKING:
    from metseg.client import Address


@overload
def open_segmenter(
    model: str | Path | Checkpoint,
    *,
    device: str = "auto",
    batch_size: int = 16,
    clahe: str | None = None,
    backend: str | BackendFactory = "auto",
    server: None = None,
) -> Segmenter: ...


@overload
def open_segmenter(
    model: str | Path | Checkpoint,
    *,
    device: str = "auto",
    batch_size: int = 16,
    clahe: str | None = None,
    backend: str | BackendFactory = "auto",
    server: str | Address | None,
) -> StudySegmenter: ...


def open_segmenter(
    model: str | Path | Checkpoint,
    *,
    device: str = "auto",
    batch_size: int = 16,
    clahe: str | None = None,
    backend: str | BackendFactory = "auto",
    server: str | Address | None = None,
) -> StudySegmenter:
    """Open a network for prediction.

    Parameters
    ----------
    model : str, Path or Checkpoint
        Name or path of a network, or the network itself; on a server a name of the server's.
    device, batch_size, backend
        See :class:`Segmenter`; a server decides itself, and a device must not be named for it.
    clahe : {"on", "off", "average"}, optional
        See :meth:`metseg.checkpoints.Checkpoint.with_clahe`; what the card says unless given.
    server : str or Address, optional
        The metseg server that runs the network, see :class:`RemoteSegmenter`; this computer unless given.

    Raises
    ------
    CheckpointError
        If there is no such network, or its file is damaged or foreign.
    MetsegError
        If there is no such device or backend, or as :class:`RemoteSegmenter` does.
    """
    if server is not None:
        from metseg.inference.remote import RemoteSegmenter

        check_left_to_server(device)
        if isinstance(model, Checkpoint):
            raise MetsegError("a server has networks of its own: name one of them")
        return RemoteSegmenter(str(model), server, clahe=clahe)
    checkpoint = model if isinstance(model, Checkpoint) else load_checkpoint(model)
    return Segmenter(checkpoint.with_clahe(clahe), device=device, batch_size=batch_size, backend=backend)


def check_left_to_server(device: str) -> None:
    """Refuse a device for a network of a server's.

    Raises
    ------
    MetsegError
        If one is named.
    """
    if device != "auto":
        raise MetsegError("the server decides on what its networks run: leave the device away")
