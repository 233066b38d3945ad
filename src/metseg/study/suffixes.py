"""Which endings of file names are read as images; ``.nii.gz`` is one ending."""

from __future__ import annotations

from pathlib import PurePath

#: Endings of the files that are read, in lower case.
SUFFIXES: tuple[str, ...] = (".tif", ".tiff")


def suffix_of(path: str | PurePath) -> str:
    """The ending of a file's name, as it is written, if files that end so are read; else empty."""
    name = path.name if isinstance(path, PurePath) else PurePath(path).name
    endings = [name[-len(suffix) :] for suffix in SUFFIXES if name.lower().endswith(suffix) and len(name) > len(suffix)]
    return max(endings, key=len, default="")


def stem_of(path: str | PurePath) -> str:
    """The name of a file without its ending; that of a file that is not read without its last one."""
    name = PurePath(path).name
    suffix = suffix_of(name)
    return name[: -len(suffix)] if suffix else PurePath(name).stem
