"""``croissant.json``: the data set in the Croissant format 1.0 of MLCommons (mlcommons.org/croissant/1.0), JSON-LD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metseg.curation.export.manifest import ExportedCase, ExportedFile, Manifest, Subset

#: Terms that are called in JSON-LD as they are in Croissant.
_TERMS = """citeAs column equivalentProperty extract field fileObject fileProperty fileSet format includes isLiveDataset
    jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source subField
    transform"""
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS.split()},
}
_FORMATS = {
    ".tif": "image/tiff",
    ".nii.gz": "application/gzip",
    ".json": "application/json",
    ".tsv": "text/tab-separated-values",
    ".md": "text/markdown",
}
_SPLITS = {Subset.TRAIN: "cr:TrainingSplit", Subset.HELD_OUT: "cr:TestSplit"}
_COLUMNS = (
    ("case", "Name of the examination.", "sc:Text"),
    ("patient", "Whom it is of; no patient is on both sides of the split.", "sc:Text"),
    ("split", "train or held_out.", "sc:Text"),
    ("status", "Where the correction stood.", "sc:Text"),
    ("slices", "Number of slices.", "sc:Integer"),
    ("lesions", "Number of lesions.", "sc:Integer"),
    ("lesion_voxels", "Voxels of all lesions together.", "sc:Integer"),
)


def croissant(manifest: Manifest, files: Sequence[ExportedFile]) -> dict[str, Any]:
    """The data set as a JSON-LD object.

    Parameters
    ----------
    files : sequence of ExportedFile
        Those that belong to no case.
    """
    cases = manifest.cases
    annotators = sorted({name for case in cases for name in case.statistics.annotators})
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"metseg-export-{manifest.project[:8]}",
        "description": f"{len(cases)} brain MRI examinations with outlined lesions, corrected in napari-metseg. "
        "manifest.json traces each mask to the record of the journal, the model and the edits it comes from.",
        "license": manifest.licence or "unknown",
        "url": f"urn:uuid:{manifest.project}",
        "creator": [{"@type": "sc:Person", "name": name} for name in annotators]
        or [{"@type": "sc:Organization", "name": "unnamed annotators"}],
        "datePublished": manifest.time.date().isoformat(),
        "version": "1.0.0",
        "keywords": ["brain MRI", "lesion", "segmentation"],
        "distribution": [_file_object(file) for file in (*manifest.all_files(), *files)],
        "recordSet": [_splits(), _cases(cases)],
    }


def _file_object(file: ExportedFile) -> dict[str, Any]:
    kind = next((kind for ending, kind in _FORMATS.items() if file.path.endswith(ending)), "application/octet-stream")
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "description": f"{file.role}",
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": kind,
        "sha256": file.sha256,
    }


def _splits() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "Sides of the patient-wise split.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _field("splits", "name", "Name of the side.", "sc:Text"),
            _field("splits", "url", "Its meaning.", "sc:URL"),
        ],
        "data": [{"splits/name": str(side), "splits/url": url} for side, url in _SPLITS.items()],
    }


def _cases(cases: Sequence[ExportedCase]) -> dict[str, Any]:
    fields = [_field("cases", *column) for column in _COLUMNS]
    next(field for field in fields if field["name"] == "split")["references"] = {"field": {"@id": "splits/name"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "cases",
        "name": "cases",
        "description": "One record for each examination.",
        "key": {"@id": "cases/case"},
        "field": fields,
        "data": [
            {
                "cases/case": case.name,
                "cases/patient": case.patient,
                "cases/split": str(case.side),
                "cases/status": str(case.status),
                "cases/slices": case.shape[0],
                "cases/lesions": len(case.lesions),
                "cases/lesion_voxels": sum(lesion.voxels for lesion in case.lesions),
            }
            for case in cases
        ],
    }


def _field(record_set: str, name: str, description: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "description": description,
        "dataType": kind,
    }
