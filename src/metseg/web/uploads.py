"""What is sent to the server: one file as it is, several images as a zip, or the sample."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

import numpy as np

from metseg.errors import DataError
from metseg.study import MASK_ENDING, Study, is_mask_name, suffixes, write_tiff

#: Endings of files that can be chosen; the server looks at their first bytes.
ENDINGS = ("gz", "zip", *(suffix.rpartition(".")[2] for suffix in suffixes() if suffix != ".nii.gz"))

_ENDING = re.compile(rf"(\.({'|'.join(ENDINGS)}))+$", re.IGNORECASE)
_NO_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Upload:
    """A study on its way to the server.

    Attributes
    ----------
    name : str
        What it is called on the page.
    file_name : str
        Name of the file; the server does not go by it.
    remarks : tuple of str
        What the user must know of how it was put together.
    sequences : str
        Which sequence each channel is, such as ``post-contrast,flair``; empty if the user did not say.
    """

    name: str
    content: bytes
    file_name: str
    remarks: tuple[str, ...] = ()
    sequences: str = ""

    @cached_property
    def digest(self) -> str:
        """Tells this study from others."""
        return hashlib.sha256(self.content + self.sequences.encode()).hexdigest()


def pack(files: Sequence[tuple[str, bytes]], limit_mib: int) -> Upload:
    """Make one upload of the files that a user chose.

    Parameters
    ----------
    files : sequence of (str, bytes)
        Names and contents; one of any kind, or several slices or volumes of one patient. Masks among those stay here.
    limit_mib : int
        MiB that the server takes.

    Raises
    ------
    DataError
        If they cannot be sent together.
    """
    if len(files) == 1:
        name, content = files[0]
        return _within(Upload(_stem(name), content, PurePath(name).name), limit_mib)
    others = [name for name, _ in files if not name.lower().endswith(suffixes())]
    if others:
        named = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise DataError(
            f"several files can only be sent together if all are images of one patient; these are not: {named}"
        )
    slices = [(name, content) for name, content in files if not is_mask_name(PurePath(name))]
    if not slices:
        raise DataError("all files are masks; add the images that they belong to, or rather those alone")
    again = [name for name, count in Counter(PurePath(name).name for name, _ in slices).items() if count > 1]
    if again:
        raise DataError(f"two files have the same name: {again[0]}; send a zip that keeps their folders")
    left = len(files) - len(slices)
    remark = f"{left} mask{'s' * (left > 1)} (*{MASK_ENDING}.tif) not sent"
    archive = _zip((PurePath(name).name, content) for name, content in slices)
    name = _common_name([_stem(name) for name, _ in slices])
    return _within(Upload(name, archive, f"{name}.zip", (remark,) if left else ()), limit_mib)


def pack_study(study: Study) -> Upload:
    """An upload of a study that was never a file, with its spacing."""
    with TemporaryDirectory(prefix="metseg-sample-") as folder:
        pages = np.ascontiguousarray(study.voxels.transpose(1, 2, 3, 0))
        write_tiff(Path(folder, f"{study.name}.tif"), pages, channels=True, spacing=study.geometry.spacing)
        archive = _zip((file.name, file.read_bytes()) for file in sorted(Path(folder).iterdir()))
    return Upload(study.name, archive, f"{study.name}.zip")


def _within(upload: Upload, limit_mib: int) -> Upload:
    if len(upload.content) > limit_mib << 20:
        size = len(upload.content) / (1 << 20)
        raise DataError(f"{upload.name} is too large: {size:.0f} MiB; the server takes {limit_mib} MiB at once")
    return upload


def _zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, _NO_DATE), data)
    return content.getvalue()


def _stem(name: str) -> str:
    return _ENDING.sub("", PurePath(name).name) or "study"


def _common_name(stems: Sequence[str]) -> str:
    first, last = min(stems), max(stems)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same].rstrip(" _.-") or "study"
