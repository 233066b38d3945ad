"""The networks that outline a study: chosen by its sequences, loaded when they are first needed."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import TYPE_CHECKING, Self

from metseg import DEFAULT_MODEL
from metseg.checkpoints import ModelInfo, choose_models
from metseg.errors import CheckpointError
from metseg.inference.backend import backend_devices
from metseg.inference.devices import resolve_device
from metseg.inference.opening import check_left_to_server, open_segmenter
from metseg.inference.segmenter import StudySegmenter
from metseg.lesions import Target
from metseg.study import Sequence

if TYPE_CHECKING:
    from metseg.client import Address


class Segmenters:
    """Opens one segmenter for each network that the studies of a run need.

    Parameters
    ----------
    model : str
        ``auto``, or a name or path, which is loaded at once.
    targets : collection of Target
        See :func:`metseg.checkpoints.choose_models`.
    device, batch_size, backend
        See :class:`Segmenter`.
    clahe : str, optional
        See :meth:`metseg.checkpoints.Checkpoint.with_clahe`.
    server : str or Address, optional
        The metseg server whose networks they are, see :func:`open_segmenter`.

    Raises
    ------
    CheckpointError
        If a named model cannot be loaded, or outlines something else than ``targets``.
    MetsegError
        As :func:`open_segmenter` does.
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
        if server is None:
            device = resolve_device(device, backend_devices(backend))
        else:
            check_left_to_server(device)
        self._device = device
        self._batch_size = batch_size
        self._clahe = clahe
        self._backend = backend
        self._server = server
        self._installed = None if server is None else _models_of(server)
        self._open: dict[str, StudySegmenter] = {}
        if model != DEFAULT_MODEL:
            self._chosen(())
            self._segmenter(model)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the device."""
        for segmenter in self._open.values():
            segmenter.close()
        self._open.clear()

    def of(self, sequences: Collection[Sequence]) -> list[StudySegmenter]:
        """Segmenters for a study with these sequences, one for each result.

        Raises
        ------
        CheckpointError
            If a network that ``auto`` takes is not installed.
        DataError
            If the study cannot show what was asked for.
        """
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
            self._open[name] = open_segmenter(
                name,
                device=self._device,
                batch_size=self._batch_size,
                clahe=self._clahe,
                backend=self._backend,
                server=self._server,
            )
        return self._open[name]


def _models_of(server: str | Address) -> list[ModelInfo]:
    from metseg.inference.remote import server_models

    return server_models(server)
