"""Real uploads for Schemathesis: small synthetic heads in every format, in place of random bytes.

SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=docs/scripts \
        schemathesis run --checks all --url http://127.0.0.1:8000 http://127.0.0.1:8000/openapi.json
"""

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
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


@schemathesis.hook
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Ask for a slice that every upload has: which there are, the document cannot say."""
    if query and isinstance(query.get("slice"), int) and 0 <= query["slice"] <= 1 << 20:
        query["slice"] = 0
    if query and "slice" not in query and query.get("view", "mask") != "mask":
        query["slice"] = 0
    return query
