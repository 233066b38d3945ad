"""The errors a user can meet. Each says what is wrong and, where there is one, what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path


class MetsegError(Exception):
    """Base of every error that is shown to a user without a traceback."""


class UnreadableFileError(MetsegError):
    """A file cannot be read as what it claims to be.

    Parameters
    ----------
    path : Path
        The offending file.
    reason : str
        Why, in words for the person who owns the file.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return type(self), (self.path, self.reason)


class TooLargeError(UnreadableFileError):
    """A file may be in order, but would take more memory than a file may when it is unpacked."""


class UnsupportedFileError(UnreadableFileError):
    """A file is in order as far as can be told, but of a kind that is not read."""


class CheckpointError(MetsegError):
    """A model is unknown, or its file is damaged, foreign or incompatible."""


class DataError(MetsegError):
    """The data set as a whole cannot be used (no patients, no masks, a split that does not fit)."""


class ServerDownError(MetsegError):
    """Nobody answers at a metseg server's address, or something that is no such server."""


class MissingExtraError(MetsegError):
    """An optional dependency is not installed.

    Parameters
    ----------
    package : str
        Import name of the missing package.
    extra : str
        Extra of ``napari-metseg`` that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f'{package} is not installed; run: pip install "napari-metseg[{extra}]"')
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.package, self.extra)


def require_packages(packages: Iterable[str], extra: str) -> None:
    """Raise :class:`MissingExtraError` for the first of ``packages`` that is not installed; none is imported."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(package, extra)


class CaseBusyError(MetsegError):
    """Somebody else has the case open for editing.

    Parameters
    ----------
    case : str
        Name of the case.
    holder : str
        Who, as far as is known: process, computer and since when.
    """

    def __init__(self, case: str, holder: str) -> None:
        super().__init__(f"{case}: is open in {holder}; close it there first. It can be looked at, but not edited")
        self.case = case
        self.holder = holder

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.case, self.holder)
