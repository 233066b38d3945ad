"""The one place that opens networks for prediction, here or on a server: one by name, or those that a study needs."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from metseg import DEFAULT_MODEL
from metseg.checkpoints import Checkpoint, ModelInfo, choose_models, load_checkpoint
from metseg.errors import CheckpointError, MetsegError
from metseg.inference.backend import BackendFactory, backend_devices
from metseg.inference.devices import resolve_device
from metseg.inference.segmenter import Closeable, Segmenter, StudySegmenter
from metseg.lesions import Target
from metseg.study import Sequence

if TYPE_CHECKING:
    from metseg.client import Address


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
        See :class:`Segmenter`; a server decides itself, and neither device nor backend may be named for it.
    clahe : {"on", "off", "average"}, optional
        See :meth:`metseg.checkpoints.Checkpoint.with_clahe`; as its card unless given.
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

        _check_left_to_server(device, backend)
        if isinstance(model, Checkpoint):
            raise MetsegError("a server has networks of its own: name one of them")
        return RemoteSegmenter(str(model), server, clahe=clahe)
    checkpoint = model if isinstance(model, Checkpoint) else load_checkpoint(model)
    return Segmenter(checkpoint.with_clahe(clahe), device=device, batch_size=batch_size, backend=backend)


class Segmenters(Closeable):
    """Opens one segmenter for each network that the studies of a run need.

    Parameters
    ----------
    model : str
        ``auto``, or a name or path, which is loaded at once.
    targets : collection of Target
        See :func:`metseg.checkpoints.choose_models`.
    device, batch_size, clahe, backend, server
        See :func:`open_segmenter`.

    Raises
    ------
    CheckpointError
        If a named model cannot be loaded, or outlines something else than ``targets``.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        targets: Collection[Target] = (),
        *,
        device: str = "auto",
        batch_size: int = 16,
        clahe: str | None = None,
        backend: str = "auto",
        server: str | Address | None = None,
    ) -> None:
        self._model = model
        self._targets = tuple(targets)
        self._installed: list[ModelInfo] | None = None
        if server is None:
            device = resolve_device(device, backend_devices(backend))
        else:
            from metseg.inference.remote import server_models

            _check_left_to_server(device, backend)
            self._installed = server_models(server)
        self._open_network = partial(
            open_segmenter, device=device, batch_size=batch_size, clahe=clahe, backend=backend, server=server
        )
        self._server = server
        self._open: dict[str, StudySegmenter] = {}
        if model != DEFAULT_MODEL:
            self._chosen(())
            self._segmenter(model)

    def close(self) -> None:
        """Free the device."""
        for segmenter in self._open.values():
            segmenter.close()
        self._open.clear()

    def of(self, sequences: Collection[Sequence]) -> list[StudySegmenter]:
        """Segmenters for a study with these sequences, one for each result of :func:`choose_models`."""
        return [self._segmenter(name) for name in self._chosen(sequences)]

    def _chosen(self, sequences: Collection[Sequence]) -> list[str]:
        try:
            return choose_models(self._model, sequences, self._targets, self._installed)
        except CheckpointError as error:
            if self._server is None:
                raise
            url = self._server if isinstance(self._server, str) else self._server.url
            raise CheckpointError(f"{url}: {error}") from error

    def _segmenter(self, name: str) -> StudySegmenter:
        if name not in self._open:
            self._open[name] = self._open_network(name)
        return self._open[name]


def _check_left_to_server(device: str, backend: str | BackendFactory) -> None:
    for name, given in (("device", device), ("backend", backend)):
        if given != "auto":
            raise MetsegError(f"the server decides on what its networks run: leave the {name} away")
