"""Real uploads for Schemathesis: small synthetic heads in every format, in place of random bytes.

SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=docs/scripts \
        schemathesis run --checks all --request-timeout 60 http://127.0.0.1:8000/openapi.json
"""

from __future__ import annotations

import email.parser
import email.policy
import gzip
import io
import json
import zipfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import httpx
import nibabel
import numpy as np
import schemathesis
from hypothesis import strategies as st

from metseg.study import Study, write_tiff
from metseg.synthetic import synthetic_study


def tiff(pages: np.ndarray) -> bytes:
    """``pages`` as TIFF."""
    with TemporaryDirectory() as folder:
        write_tiff(Path(folder, "x.tif"), pages)
        return Path(folder, "x.tif").read_bytes()


def zipped(head: Study) -> bytes:
    """The slices of ``head`` as zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for z in range(head.shape[0]):
            archive.writestr(f"head/head_{z + 1}.tif", tiff(head.voxels[1, z]))
    return content.getvalue()


whole = synthetic_study(seed=1, slices=8, size=64)
head = replace(whole, voxels=whole.voxels[:, 3:6], mask=None, slices=())
triplet = np.ascontiguousarray(head.voxels[:, 1].transpose(1, 2, 0))
volume = nibabel.Nifti1Image(head.voxels[1].transpose(2, 1, 0), np.diag([-1.0, -1.0, 4.0, 1.0])).to_bytes()
eight = (triplet >> 8 if triplet.dtype == np.uint16 else triplet).astype(np.uint8)

UPLOADS = {
    "image/tiff": [tiff(triplet), tiff(head.voxels[1, 1]), tiff(head.voxels[1])],
    "image/png": [cv2.imencode(".png", triplet)[1].tobytes(), cv2.imencode(".png", triplet[..., 0])[1].tobytes()],
    "image/jpeg": [cv2.imencode(".jpg", eight)[1].tobytes()],
    "application/gzip": [gzip.compress(volume)],
    "application/x-nifti": [volume],
    "application/zip": [zipped(head)],
}
for media_type, uploads in UPLOADS.items():
    schemathesis.openapi.media_type(media_type, st.sampled_from(uploads))


@lru_cache(maxsize=1)
def known_image(base_url: str) -> tuple[str, bytes]:
    """An image of the project that is served, and an empty label of it."""
    name = next(iter(httpx.get(f"{base_url}/datastore/", params={"output": "all"}, timeout=60).json()["objects"]))
    image = httpx.get(f"{base_url}/datastore/image", params={"image": name}, timeout=60).content
    there = nibabel.Nifti1Image.from_bytes(gzip.decompress(image))
    empty = nibabel.Nifti1Image(np.zeros(there.shape, np.uint8), there.affine)
    return name, gzip.compress(empty.to_bytes())


@lru_cache(maxsize=1)
def known_model(base_url: str) -> str:
    """The model that the server offers first."""
    return next(iter(httpx.get(f"{base_url}/info/", timeout=60).json()["models"]))


#: Where an image of the project is named, and in which parameter.
NAMED = {
    ("POST", "/infer/{model}"): "image",
    ("GET", "/datastore/image"): "image",
    ("GET", "/datastore/label"): "label",
    ("PUT", "/datastore/label"): "image",
}


@schemathesis.hook
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask for what every upload has: a slice, images that there are, no view that only a DICOM series has.

    The document cannot say which.
    """
    operation = context.operation
    if operation.path in ("/predict", "/jobs/{id}/result"):
        query = query or {}
        if query.get("view") in ("contours", "report"):
            query["view"] = "mask"
        valid = "slice" not in query or (isinstance(query["slice"], int) and 0 <= query["slice"] <= 1 << 20)
        if valid and ("slice" in query or query.get("view", "mask") != "mask"):
            query["slice"] = 0
    name = NAMED.get((operation.method.upper(), operation.path))
    if query and isinstance(query.get(name), str) and 0 < len(query[name]) <= 500:
        query[name] = known_image(operation.base_url.rstrip("/"))[0]
    return query


@schemathesis.hook
def map_path_parameters(context: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask a model that there is."""
    operation = context.operation
    if operation.path == "/infer/{model}" and parameters and isinstance(parameters.get("model"), str):
        parameters["model"] = known_model(operation.base_url.rstrip("/"))
    return parameters


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Send a label that lies where its image does."""
    operation = context.operation
    fields = getattr(body, "body", body)
    if operation.path == "/datastore/label" and isinstance(fields, dict) and isinstance(fields.get("label"), bytes):
        fields["label"] = known_image(operation.base_url.rstrip("/"))[1]
    return body


@schemathesis.deserializer("multipart/form-data")
def answered_form(context: Any, response: Any) -> dict[str, Any]:
    """The fields of a form that was answered."""
    kind = response.headers["content-type"][0].encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + kind + b"\r\n\r\n" + response.content
    )
    parts = {str(part.get_param("name", header="content-disposition")): part for part in message.iter_parts()}
    found = {name: part.get_payload(decode=True) for name, part in parts.items()}
    return {"params": json.loads(found["params"]), "image": found["image"].decode("latin-1")}
