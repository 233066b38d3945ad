"""``Segmenter``: the one path from a study to its mask, used by every front end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from metseg.checkpoints import Checkpoint, ModelCard, misfit
from metseg.errors import MetsegError
from metseg.events import Event, Finished, Notice, Progress, Warned, drain
from metseg.inference.backend import (
    Backend,
    BackendFactory,
    DeviceMemoryError,
    backend_devices,
    backend_factory,
    preparation,
)
from metseg.inference.brain_extraction import find_brain
from metseg.inference.devices import resolve_device
from metseg.inference.segmentation import Segmentation
from metseg.inference.threads import THREADS
from metseg.lesions import PostprocessingConfig, guided_filter, mask_from_probabilities, propagate_slices
from metseg.networks import EnsembleSpec
from metseg.preprocessing import BrainGrid, PreprocessingConfig, Preprocessor
from metseg.study import Sequence, Study

Planes = npt.NDArray[np.float32]

#: Slices of a forward pass, for each of the network's margin: those of the margin are computed again in the next one.
_PASS_FOR_MARGIN = 8

#: Probabilities nearer to 0 or 1 than this have no finite logit in fp32.
_LEAST = np.float32(1e-6)


class Closeable(ABC):
    """Base class of what is closed at the end of a ``with`` block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Free what it holds, such as a device or a connection."""


class StudySegmenter(Closeable):
    """Segments studies with one model, here (:class:`Segmenter`) or on a server (:class:`RemoteSegmenter`).

    Attributes
    ----------
    card : ModelCard
        What the model is; of a server's without the record of its training.
    sha256 : str
        Hash of its weights.
    """

    card: ModelCard
    sha256: str

    @abstractmethod
    def stream(self, study: Study, postprocessing: PostprocessingConfig | None = None) -> Iterator[Event[Segmentation]]:
        """Segment ``study``; closing the generator stops the work."""

    def segment(self, study: Study, postprocessing: PostprocessingConfig | None = None) -> Segmentation:
        """Segment ``study`` and wait for the result."""
        return drain(self.stream(study, postprocessing))


class Segmenter(StudySegmenter):
    """Segments studies with one model.

    When a batch does not fit the device's memory the batch is halved, for good; when a single slice does not
    fit, the network moves to the CPU. A :class:`Notice` reports either. Not safe for use by several threads.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model.
    device : str
        ``auto`` or one of :func:`metseg.inference.available_devices`; ``dml`` (DirectML) of ONNX Runtime.
    batch_size : int
        Slices per forward pass; at least eight times the margin of a network that looks at neighbouring slices.
    backend : str or BackendFactory
        What runs the network: ``auto``, ``torch``, ``openvino`` or ``onnx``, or what makes it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str = "auto",
        batch_size: int = 16,
        backend: str | BackendFactory = "auto",
    ) -> None:
        if batch_size < 1:
            raise MetsegError(f"the batch size must be at least 1, not {batch_size}")
        self.checkpoint = checkpoint
        self.card, self.sha256 = checkpoint.card, checkpoint.sha256
        self.batch_size = max(batch_size, _PASS_FOR_MARGIN * self.card.network.margin)
        self._open = backend_factory(backend) if isinstance(backend, str) else backend
        self._device = resolve_device(device, backend_devices(backend) if isinstance(backend, str) else None)
        self._backend: Backend | None = None

    def close(self) -> None:
        """Free the device; the next study loads the network again."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None
        if self._device == "cpu":
            THREADS.release()

    def stream(
        self,
        study: Study,
        postprocessing: PostprocessingConfig | None = None,
        preprocessing: PreprocessingConfig | None = None,
    ) -> Iterator[Event[Segmentation]]:
        """Segment ``study``; closing the generator stops the work before the next batch.

        Parameters
        ----------
        study : Study
            Any sequences; missing ones are replaced as in :meth:`Study.select`, with a notice, or a warning
            where the network was never trained for that. A single channel of unknown sequence is the one that a
            network for one sequence looks at.
        postprocessing, preprocessing : optional
            In place of those in the model's card.

        Yields
        ------
        Progress, Notice, Finished
            ``Progress`` counts slices of the network's grid; the last event carries the :class:`Segmentation`.
        """
        if self._device == "cpu":
            THREADS.adapt()
        card = self.checkpoint.card.with_clahe()
        preprocessing = preprocessing or card.preprocessing
        postprocessing = postprocessing or card.postprocessing
        wanted = [Sequence(name) for name in preprocessing.sequences]
        study = study.named_for(wanted)
        if reason := misfit(card, study.sequences):
            yield Warned(
                f"WARNING: {study.name}: {reason}; the network never saw such images, do not trust its outline"
            )
        elif missing := study.missing(wanted):
            stand_in = study.sequences[study.channel(missing[0])]
            yield Notice(f"{study.name}: no {' and no '.join(missing)}; {stand_in} channel used in place")
        brain = yield from find_brain(study, preprocessing, self._device)
        selected = study.select(wanted)
        voxels = selected if brain is None else brain.forward(selected)
        preprocessor = Preprocessor(preprocessing, voxels)
        preprocessors = [preprocessor]
        if card.inference.clahe_average:
            preprocessors.append(Preprocessor(preprocessing.with_clahe(False), voxels))
        total, done = voxels.shape[1], 0
        planes = np.empty((total, *preprocessor.grid.padded), np.float32)
        differences = np.empty_like(planes) if isinstance(card.network, EnsembleSpec) else None
        yield from self._prepare(total)
        yield Progress(0, total, study.name)
        while done < total:
            z = range(done, min(done + self.batch_size, total))
            try:
                planes[z.start : z.stop], apart = self._probabilities(preprocessors, z, total)
            except DeviceMemoryError as error:
                yield self._retreat(error)
                continue
            if differences is not None:
                differences[z.start : z.stop] = apart
            done = z.stop
            yield Progress(done, total, study.name)
        if card.inference.slice_propagation is not None:
            planes = propagate_slices(planes, preprocessor.windowed_on_grid, card.inference.slice_propagation)
        planes = _restored(planes, preprocessor, brain)
        yield Finished(
            Segmentation(
                study=study,
                probabilities=planes,
                mask=mask_from_probabilities(planes, postprocessing),
                preprocessing=preprocessing,
                postprocessing=postprocessing,
                model=card.name,
                weights_sha256=self.checkpoint.sha256,
                device=self._device,
                backend="" if self._backend is None else self._backend.name,
                disagreement=None if differences is None else _restored(differences, preprocessor, brain),
                target=card.target,
                brain=brain,
                clahe_average=card.inference.clahe_average,
            )
        )

    def _probabilities(self, preprocessors: list[Preprocessor], z: range, depth: int) -> tuple[Planes, Planes | None]:
        """Probabilities on slices ``z``: averaged over ``preprocessors`` and mirror images, refined, calibrated.

        And, of an ensemble, how far its members are apart.
        """
        inference = self.checkpoint.card.inference
        margin = self.checkpoint.card.network.margin
        first, last = max(z.start - margin, 0), min(z.stop + margin, depth)
        predictions: list[list[Planes]] = []
        for preprocessor in preprocessors:
            images = preprocessor.images(range(first, last))
            predictions.append(self._predict(images))
            if inference.mirror:
                predictions.append([one[..., ::-1] for one in self._predict(images[..., ::-1].copy())])
        means = [np.float32(1 / len(predictions)) * sum(same[1:], same[0]) for same in zip(*predictions, strict=True)]
        planes, *apart = (one[z.start - first : z.stop - first] for one in means)
        if inference.refinement is not None:
            planes = guided_filter(planes, preprocessors[0].guide(z), inference.refinement)
        if inference.temperature != 1:
            planes = expit(logit(np.clip(planes, _LEAST, 1 - _LEAST)) / inference.temperature)
        return np.asarray(planes, np.float32), apart[0] if apart else None

    def _predict(self, images: Planes) -> list[Planes]:
        """Probabilities, float32 (n, height, width); after them the disagreement of an ensemble."""
        if isinstance(self.checkpoint.card.network, EnsembleSpec):
            return list(self._ready().with_disagreement(images))
        return [self._ready().probabilities(images)]

    def _prepare(self, total: int) -> Iterator[Progress | Notice]:
        """Open the network, and report what takes long or turned out otherwise."""
        if self._backend is None:
            if what := preparation(self._open, self.checkpoint, self._device):
                yield Progress(0, total, what)
            try:
                self._ready()
            except DeviceMemoryError as error:
                yield self._retreat(error)
                return
            if self._ready().remark:
                yield Notice(self._ready().remark)

    def _ready(self) -> Backend:
        if self._backend is None:
            self._backend = self._open(self.checkpoint, self._device)
        return self._backend

    def _retreat(self, error: DeviceMemoryError) -> Notice:
        """Make the next try smaller and describe it; raises ``error`` if one slice does not fit the CPU's memory."""
        if self.batch_size > 1:
            self.batch_size //= 2
            return Notice(f"{error}; going on with {self.batch_size} slices at a time")
        if self._device == "cpu":
            raise error
        self.close()
        self._device = "cpu"
        return Notice(f"{error}, even for one slice; going on with the CPU")


def _restored(planes: Planes, preprocessor: Preprocessor, brain: BrainGrid | None) -> Planes:
    """Values on the network's grid, float32 (n, height, width), on the study's grid, float32 (z, y, x)."""
    restored = preprocessor.restore(planes)
    return restored if brain is None else brain.backward(restored)
