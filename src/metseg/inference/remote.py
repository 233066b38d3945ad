"""``RemoteSegmenter``: the same path from a study to its mask with a network that a metseg server runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from metseg import __version__
from metseg.checkpoints import ModelCard, ModelInfo, card_of
from metseg.client import JSON, NIFTI, Address, Client, JobProgress, JobRequest, outlining, packed, server_at, unpacked
from metseg.errors import CheckpointError, MetsegError, ServerDownError
from metseg.events import Event, Finished, Notice, Progress, Warned
from metseg.http_documents import JobState, MaskDocument, ModelList
from metseg.inference.segmentation import Segmentation
from metseg.inference.segmenter import StudySegmenter
from metseg.lesions import PostprocessingConfig, Target, mask_from_probabilities
from metseg.preprocessing import Clahe
from metseg.study import Sequence, Study

Volume = npt.NDArray[np.float32]

#: How long a server is asked again to which the connection is lost.
LOST_SECONDS = 120.0
#: How a notice begins that the mask may be worthless; the study's name follows.
_WARNING = "WARNING: "


class RemoteSegmenter(StudySegmenter):
    """Segments studies with one model of a server.

    The server gets voxels, spacing and the names of the sequences, and answers with probabilities; mask and measures
    are made of them here. It keeps nothing of a study once that is fetched or given up.

    Parameters
    ----------
    model : str
        Name of a network of the server.
    server : str or Address
        See :func:`metseg.client.server_at`.
    clahe : {"on", "off", "average"}, optional
        What the network is shown; what its card says unless given.

    Raises
    ------
    CheckpointError
        If the server has no such network, or one that this version does not know.
    DataError
        If it is no server's URL, or a token would be readable on its way.
    ServerDownError
        If no server answers.
    MetsegError
        If the server refuses, or is of an older version.
    """

    def __init__(self, model: str, server: str | Address, *, clahe: str | None = None) -> None:
        address = server_at(server)
        self.url = address.url
        self._client = Client(address)
        try:
            found = _list_of(self._client)
            self.card = _card(model, self._client.name, found).with_clahe(clahe)
        except BaseException:
            self._client.close()
            raise
        self.sha256 = next(one.weights_sha256 for one in found.models if one.name == model)
        self._model = model
        self._clahe = clahe or ""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def stream(self, study: Study, postprocessing: PostprocessingConfig | None = None) -> Iterator[Event[Segmentation]]:
        """Segment ``study``; closing the generator gives it up on the server, too.

        Parameters
        ----------
        study : Study
            See :meth:`Segmenter.stream`.
        postprocessing : optional
            In place of that in the model's card.

        Yields
        ------
        Progress, Notice, Finished
            ``Progress`` counts slices of the study; the last event carries the :class:`Segmentation`.

        Raises
        ------
        MetsegError
            If the server refuses the study, or cannot be reached for two minutes.
        """
        total = study.shape[0]
        study = study.named_for([Sequence(name) for name in self.card.preprocessing.sequences])
        yield Progress(0, total, "packing the images")
        sequences = ",".join(study.sequences)
        request = JobRequest(packed(study), "study.nii.gz", sequences, self._model, self._clahe)
        with closing(outlining(self._client, request, _fetch, lost_seconds=LOST_SECONDS)) as events:
            for event in events:
                match event:
                    case Finished(answer):
                        yield Finished(self._segmentation(study, *answer, postprocessing or self.card.postprocessing))
                    case Warned(text):
                        yield Warned(f"{_WARNING}{study.name}: {text.removeprefix(_WARNING)}")
                    case Notice(text):
                        yield Notice(f"{study.name}: {text}")
                    case JobProgress(done, of, JobState.QUEUED):
                        yield Progress(done, of, f"waiting for {self._client.name}")
                    case JobProgress(done, of):
                        yield Progress(done, of, study.name)
                    case Progress():
                        yield Progress(0, total, event.what)

    def _segmentation(
        self,
        study: Study,
        document: MaskDocument,
        probabilities: Volume,
        disagreement: Volume | None,
        postprocessing: PostprocessingConfig,
    ) -> Segmentation:
        if probabilities.shape != study.shape:
            raise ServerDownError(f"the server at {self._client.name} answered with an image of another size")
        return Segmentation(
            study=study,
            probabilities=probabilities,
            mask=mask_from_probabilities(probabilities, postprocessing),
            preprocessing=document.preprocessing,
            postprocessing=postprocessing,
            model=self.card.name,
            weights_sha256=document.model.weights_sha256,
            device=document.model.device,
            backend=document.model.backend,
            disagreement=disagreement,
            target=Target(document.model.target),
            clahe_average=document.clahe is Clahe.AVERAGE,
            served={"brain": document.brain, "metseg": document.metseg, "server": self.url},
        )


@dataclass(frozen=True, slots=True)
class ServerDescription:
    """A server that answers, and what it says of itself.

    Attributes
    ----------
    device, metseg : str
        Where its networks run, and the version of its software; empty if it does not say.
    models : tuple of ModelInfo
        Its networks, in the order of their names; ``path`` is no more than the name.
    """

    address: Address
    device: str
    metseg: str
    models: tuple[ModelInfo, ...]


def describe_server(server: str | Address) -> ServerDescription:
    """What a server has.

    Raises
    ------
    DataError, ServerDownError, MetsegError
        As :class:`RemoteSegmenter` does.
    """
    address = server_at(server)
    with Client(address) as client:
        found = _list_of(client)
        return ServerDescription(address, found.device, found.metseg, tuple(_infos(found, client.name)))


def server_models(server: str | Address) -> list[ModelInfo]:
    """The networks of a server, see :func:`describe_server`."""
    return list(describe_server(server).models)


def _list_of(client: Client) -> ModelList:
    """The networks of a server.

    Raises
    ------
    MetsegError
        If the server is too old to describe them.
    """
    found = client.model_list()
    if any(document.usable and document.card is None for document in found.models):
        raise MetsegError(f"the server at {client.name} is older than metseg {__version__} here: update it")
    return found


def _infos(found: ModelList, server: str) -> list[ModelInfo]:
    infos = []
    for document in found.models:
        card, problem = None, f"its file on {server} is damaged"
        if document.card is not None:
            try:
                card = ModelCard.model_validate(document.card)
            except ValidationError:
                version = found.metseg or "in another version"
                problem = f"{server} has metseg {version}, whose networks metseg {__version__} here does not understand"
        infos.append(ModelInfo(document.name, Path(document.name), card, None if card else problem))
    return infos


def _card(model: str, server: str, found: ModelList) -> ModelCard:
    try:
        return card_of(model, _infos(found, server))
    except CheckpointError as error:
        raise CheckpointError(f"the server at {server}: {error}") from None


def _fetch(client: Client, job: str) -> tuple[MaskDocument, Volume, Volume | None]:
    """What came of a job, its probabilities and, of an ensemble, its disagreement, float32 (z, y, x)."""
    try:
        document = MaskDocument.model_validate_json(client.result(job, JSON))
        apart = unpacked(client.result(job, NIFTI, "disagreement")) if document.model.ensemble else None
        return document, unpacked(client.result(job, NIFTI, "probability")), apart
    except ValueError as error:
        raise ServerDownError(f"the answer of the server at {client.name} is not understood: {error}") from None
