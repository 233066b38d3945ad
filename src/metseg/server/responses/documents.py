"""A result and a model as the documents that clients get."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from metseg import __version__
from metseg.checkpoints import ModelInfo
from metseg.curation.export.manifest import encode_runs
from metseg.http_documents import (
    ImageDocument,
    LesionDocument,
    MaskDocument,
    ModelDocument,
    RunsDocument,
    UsedModel,
)
from metseg.lesions import lesion_records
from metseg.server.responses.result import SegmentedUpload
from metseg.study import file_sha256


def as_document(result: SegmentedUpload, request_id: str) -> MaskDocument:
    """The answer as JSON."""
    made, study = result.segmentation, result.decoded.study
    inside, provenance = np.flatnonzero(made.mask), made.provenance
    records = zip(lesion_records(made.measured), made.measured, strict=True)
    return MaskDocument(
        request_id=request_id,
        metseg=__version__,
        model=UsedModel(
            name=result.model,
            weights_sha256=made.weights_sha256,
            target=made.target,
            device=made.device,
            backend=provenance["backend"],
            ensemble=made.disagreement is not None,
        ),
        image=ImageDocument(
            format=result.decoded.format,
            shape=study.shape,
            sequences=[str(sequence) for sequence in study.sequences],
            spacing=study.geometry.spacing,
        ),
        clahe=made.clahe,
        preprocessing=made.preprocessing,
        postprocessing=made.postprocessing,
        mask=RunsDocument(runs=encode_runs(inside) if inside.size else "", voxels=inside.size),
        lesions=[LesionDocument.model_validate({**record, "centroid": lesion.centroid}) for record, lesion in records],
        sum_of_target_diameters_mm=made.sum_of_target_diameters,
        brain=provenance["brain"],
        notices=list(result.notices),
    )


def describe_model(info: ModelInfo, *, default: str, loaded: tuple[str, ...]) -> ModelDocument:
    """What can be said of a model without loading it."""
    card = info.card
    return ModelDocument(
        name=info.name,
        usable=card is not None,
        default=info.name == default,
        loaded=info.name in loaded,
        architecture=card.network.title if card else "",
        target=card.target if card else "",
        sequences=list(card.preprocessing.sequences) if card else [],
        threshold=card.postprocessing.threshold if card else None,
        smallest=card.postprocessing.min_lesion_voxels if card else None,
        clahe=card.clahe if card else None,
        created=card.created if card else "",
        notes=card.notes if card else "",
        scores=card.scores if card else {},
        weights_sha256=_hash_of(info.path, info.path.stat().st_mtime_ns) if card else "",
        card=card.model_dump(mode="json", exclude={"training"}) if card else None,
    )


@lru_cache(maxsize=64)
def _hash_of(path: Path, _changed: int) -> str:
    """The hash of a file that was changed then."""
    return file_sha256(path)
