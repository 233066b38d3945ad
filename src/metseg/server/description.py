"""The OpenAPI document: what FastAPI cannot know by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from metseg import __version__
from metseg.preprocessing import PreprocessingConfig
from metseg.server.problems import ProblemDetails
from metseg.server.responses import JSON
from metseg.server.routes.uploads import TYPES, UPLOAD_PATHS
from metseg.server.services import Services

_ID = "0c6f3f6e-6d0f-4f2b-8f43-3b7f6f0e9a11"
_ANSWER = {
    "request_id": _ID,
    "metseg": __version__,
    "model": {
        "name": "best",
        "weights_sha256": "5f2c" + 60 * "0",
        "target": "FLAIR abnormality",
        "device": "cpu",
        "backend": "openvino 2025.2 f32",
        "ensemble": True,
    },
    "image": {
        "format": "tiff",
        "shape": [1, 256, 256],
        "sequences": ["pre-contrast", "flair", "post-contrast"],
        "spacing": None,
    },
    "clahe": "off",
    "preprocessing": PreprocessingConfig(normalisation="median", clahe=None).model_dump(mode="json"),
    "postprocessing": {"threshold": 0.5, "smallest": 20, "fill_holes": True, "peak": 0.0},
    "mask": {"runs": "29310+7 29565+10 29821+11", "voxels": 28},
    "lesions": [
        {
            "lesion": 1,
            "first_slice": 0,
            "last_slice": 0,
            "voxels": 28,
            "volume_mm3": None,
            "diameter_px": 11.4,
            "diameter_mm": None,
            "perpendicular_mm": None,
            "diameter_slice": 0,
            "slice_spacing_mm": None,
            "measurable": None,
            "side": None,
            "mean_probability": 0.93,
            "centroid": [0.0, 115.5, 129.0],
            "touches_border": True,
        }
    ],
    "sum_of_target_diameters_mm": None,
    "brain": None,
    "notices": [],
}
_PROBLEM = {
    "type": "about:blank",
    "title": "Unsupported Media Type",
    "status": 415,
    "detail": "by its first bytes none of TIFF (.tif, .tiff), NIfTI (.nii.gz, .nii), ..., or a zip of such files",
    "request_id": _ID,
}


def described(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What makes the OpenAPI document of ``app``: with problems, the types of uploads, examples and model names."""
    original = app.openapi
    models: list[str] = []

    def openapi() -> dict[str, Any]:
        schema = original()
        models[:] = models or _model_names(app)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = {**ProblemDetails.model_json_schema(), "example": _PROBLEM}
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                _complete(path, operation, models, schemas)
        return schema

    return openapi


def _complete(path: str, operation: dict[str, Any], models: list[str], schemas: dict[str, Any]) -> None:
    success = operation["responses"].get("200", {}).get("content", {})
    if success.get(JSON, {}).get("schema", {}).get("$ref", "").endswith("/MaskDocument"):
        success[JSON]["example"] = _ANSWER
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
    if form is not None:
        operation["requestBody"]["required"] = True
        fields = schemas[form["schema"]["$ref"].rpartition("/")[2]]
        form.setdefault("encoding", {}).update(_encodings(fields["properties"]))
    if path not in UPLOAD_PATHS:
        return
    fields["additionalProperties"] = False
    for parameter in operation["parameters"]:
        if parameter["name"] == "model" and models:
            parameter["schema"]["anyOf"][0]["enum"] = models


def _encodings(fields: dict[str, Any]) -> dict[str, Any]:
    """What the parts of a form are: files of some types, JSON. A form has no null; a part is there or it is not."""
    found = {}
    for name, field in fields.items():
        if TYPES in field and "anyOf" in field:
            field.update(*(option for option in field.pop("anyOf") if option != {"type": "null"}))
        if types := field.pop(TYPES, None):
            found[name] = {"contentType": types}
        if content := field.pop("contentSchema", None):
            del field["type"], field["contentMediaType"]
            field.update(content)
            found[name] = {"contentType": JSON}
    return found


def _model_names(app: FastAPI) -> list[str]:
    """Models that can be used, once the server has started."""
    services: Services | None = getattr(app.state, "services", None)
    return [] if services is None else [info.name for info in services.model_registry.listed() if info.card is not None]
