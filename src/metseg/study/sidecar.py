"""What is known about a TIFF beside it: ``<name>.json`` with ``{"spacing": [z, y, x]}``, nnU-Net's convention.

Beside a network's mask it also says what the mask is of, and the hash of its pixels: who edits the mask leaves the hash
as it was, so that a mask nobody has touched can be told from one that holds a person's work.

See "dataset_format.md" in the documentation of nnU-Net (Isensee et al. 2021, doi 10.1038/s41592-020-01008-z).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metseg.errors import DataError, UnreadableFileError
from metseg.study.files import read_errors, write_text
from metseg.study.geometry import MAX_MM, Spacing
from metseg.study.ifd import open_regular

#: Key of the SHA-256 of the pixels that were written, see :func:`metseg.study.is_as_written`.
PIXELS_KEY = "pixels_sha256"
#: Key of the SHA-256 of the whole file, of formats that hold more than pixels.
FILE_KEY = "file_sha256"

_MAX_BYTES = 1 << 16


def sidecar_of(path: Path) -> Path:
    """Where that is kept which is known of the file at ``path``: ``a.json`` for ``a.tif`` and ``a.nii.gz``."""
    stem = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return stem.with_suffix(".json")


def read_spacing(path: Path) -> Spacing | None:
    """Spacing (z, y, x) in mm of the TIFF at ``path`` from its sidecar.

    Returns
    -------
    tuple of float, or None
        ``None`` if there is no sidecar or it does not speak of spacing.

    Raises
    ------
    UnreadableFileError
        If the sidecar states a spacing that cannot be used.
    """
    sidecar = sidecar_of(path)
    content = _content(sidecar)
    if not isinstance(content, dict) or "spacing" not in content:
        return None
    values = content["spacing"]
    if isinstance(values, list) and len(values) == 2:
        raise UnreadableFileError(sidecar, "gives no distance between slices; the spacing is not known")
    if not isinstance(values, list) or len(values) != 3 or not all(_is_length(value) for value in values):
        raise UnreadableFileError(sidecar, "spacing must be three lengths (z, y, x) in mm; the spacing is not known")
    z, y, x = (float(value) for value in values)
    return z, y, x


def read_pixels_hash(path: Path, key: str = PIXELS_KEY) -> str | None:
    """SHA-256 of the pixels that were written to the TIFF at ``path``, as its sidecar states it under ``key``.

    Returns
    -------
    str, or None
        ``None`` if there is no sidecar, or none that states it.
    """
    try:
        content = _content(sidecar_of(path))
    except UnreadableFileError:
        return None
    stated = content.get(key) if isinstance(content, dict) else None
    return stated if isinstance(stated, str) else None


def _content(sidecar: Path) -> Any:
    """What a sidecar holds; ``None`` if there is none."""
    if not sidecar.is_file():
        return None
    with read_errors(sidecar), open_regular(sidecar) as file:
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise UnreadableFileError(sidecar, "too long for a spacing; it was not read")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(sidecar, "not valid JSON; the spacing is not known") from error


def write_sidecar(path: Path, spacing: Sequence[float] | None = None, about: Mapping[str, Any] | None = None) -> None:
    """Write the sidecar of the TIFF at ``path``, in place of one that is there.

    Parameters
    ----------
    spacing : (float, float, float), optional
        Along (z, y, x) in mm.
    about : mapping of str to JSON values, optional
        What else is known.

    Raises
    ------
    DataError
        If ``spacing`` is not three positive lengths in mm, or the file cannot be written.
    """
    content = dict(about or {})
    if spacing is None:
        content.pop("spacing", None)
    elif len(spacing) != 3 or not all(_is_length(value) for value in spacing):
        raise DataError(f"{path}: spacing {spacing} is not three lengths (z, y, x) in mm")
    else:
        content["spacing"] = [float(value) for value in spacing]
    write_text(sidecar_of(path), json.dumps(content) + "\n")


def _is_length(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 < value <= MAX_MM
