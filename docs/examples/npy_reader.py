"""A reader of NumPy's .npy, as a package of its own would bring it; see docs/extending.md.

In that package's pyproject.toml:

[project.entry-points."metseg.readers"]
npy = "npy_reader:NpyReader"
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.study import Geometry
from metseg.study.formats import Found, Header, named, one_by_one


class NpyReader:
    """Reads one volume (z, y, x) a file; such files do not say where they lie."""

    name = "NumPy"
    suffixes: tuple[str, ...] = (".npy",)
    about = "one volume a file"

    def recognises(self, head: bytes) -> bool:
        """Whether it begins as such files do."""
        return head.startswith(b"\x93NUMPY")

    def find(self, files: Sequence[Path], channels: int | None = None) -> Found:
        """Each file is an image; whatever ``_header`` raises is said of that file."""
        return one_by_one(files, self._header)

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x)."""
        with named(header.path, "the voxels cannot be read"):
            return np.load(header.path, allow_pickle=False)[None]

    def _header(self, path: Path) -> Header:
        voxels = np.load(path, mmap_mode="r", allow_pickle=False)
        pages = tuple((0, z) for z in range(voxels.shape[0]))
        return Header(self.name, (path,), (1, *voxels.shape), voxels.dtype, Geometry(), pages)
