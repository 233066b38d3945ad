"""The networks that outline a study: chosen by its sequences, loaded when they are first needed."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Self

from metseg import DEFAULT_MODEL
from metseg.checkpoints import choose_models
from metseg.inference.backend import backend_devices
from metseg.inference.devices import resolve_device
from metseg.inference.opening import open_segmenter
from metseg.inference.segmenter import Segmenter
from metseg.lesions import Target
from metseg.study import Sequence


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
    ) -> None:
        self._model = model
        self._targets = tuple(targets)
        self._device = resolve_device(device, backend_devices(backend))
        self._batch_size = batch_size
        self._clahe = clahe
        self._backend = backend
        self._open: dict[str, Segmenter] = {}
        if model != DEFAULT_MODEL:
            choose_models(model, (), targets)
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

    def of(self, sequences: Collection[Sequence]) -> list[Segmenter]:
        """Segmenters for a study with these sequences, one for each result.

        Raises
        ------
        CheckpointError
            If a network that ``auto`` takes is not installed.
        DataError
            If the study cannot show what was asked for.
        """
        return [self._segmenter(name) for name in choose_models(self._model, sequences, self._targets)]

    def _segmenter(self, name: str) -> Segmenter:
        if name not in self._open:
            self._open[name] = open_segmenter(
                name, device=self._device, batch_size=self._batch_size, clahe=self._clahe, backend=self._backend
            )
        return self._open[name]
