"""What readers have in common: one image a file, and bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from metseg.errors import TooLargeError, UnreadableFileError, UnsupportedFileError
from metseg.study.formats.reader import Found, Header
from metseg.study.model import Problem, ProblemKind

#: Largest decoded size of one image, in bytes.
MAX_IMAGE: Final = 2 << 30
#: Most voxels along an axis.
_MAX_SIDE = 1 << 15


def one_by_one(files: Seq[Path], look: Callable[[Path], Header]) -> Found:
    """Look at each file by itself; each is an image or a problem."""
    images: list[Header] = []
    problems: list[Problem] = []
    for path in files:
        try:
            with named(path, "the header is damaged"):
                header = look(path)
            check_size(path, header.shape, header.dtype)
            images.append(header)
        except UnreadableFileError as error:
            problems.append(refused(error))
    return Found(tuple(images), tuple(problems))


def check_size(path: Path, shape: tuple[int, int, int, int], dtype: np.dtype[Any]) -> None:
    """Check that voxels (c, z, y, x) are not too many, before anything is made of them; TooLargeError if they are."""
    channels, z, y, x = shape
    if math.prod(shape) * dtype.itemsize <= MAX_IMAGE and max(z, y, x) <= _MAX_SIDE:
        return
    size = f"{z} slices of {y} x {x} pixels, {channels} channel{'s' * (channels > 1)}"
    raise TooLargeError(path, f"would take more than {MAX_IMAGE >> 20} MiB when decoded, or is too long ({size})")


def refused(error: UnreadableFileError, kind: ProblemKind | None = None) -> Problem:
    """The problem that a file with ``error`` is."""
    if kind is None:
        kind = ProblemKind.UNREADABLE
        if isinstance(error, TooLargeError):
            kind = ProblemKind.TOO_LARGE
        elif isinstance(error, UnsupportedFileError):
            kind = ProblemKind.UNSUPPORTED
    return Problem(error.path, error.reason, refused=True, kind=kind)


def error_of(problem: Problem) -> UnreadableFileError:
    """The error that a refused ``problem`` stands for."""
    kinds = {ProblemKind.TOO_LARGE: TooLargeError, ProblemKind.UNSUPPORTED: UnsupportedFileError}
    return kinds.get(problem.kind, UnreadableFileError)(problem.path, problem.reason)


@contextmanager
def named(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a library raises into an error that names the file; ``what`` begins the reason."""
    try:
        yield
    except UnreadableFileError:
        raise
    except MemoryError as error:
        raise TooLargeError(path, "not enough memory") from error
    except Exception as error:  # of whatever class the library has
        said = str(error).strip().split("\n")[0].replace(str(path), path.name)
        raise UnreadableFileError(path, f"{what}: {said or type(error).__name__}") from error
