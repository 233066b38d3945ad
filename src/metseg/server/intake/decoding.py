"""An upload becomes a study. Runs in a process of its own, see :mod:`metseg.server.intake.decoder`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from metseg.errors import DataError, TooLargeError, UnreadableFileError
from metseg.server.intake.archives import unpack
from metseg.server.intake.kinds import HEAD, Kind, kind_of
from metseg.server.intake.limits import Limits, Refusal, Why
from metseg.server.intake.pictures import read_picture
from metseg.server.intake.volumes import Frame, read_volume
from metseg.study import ProblemKind, Sequence, Study, StudyFiles, find_studies, load
from metseg.study.preflight import preflight

#: Bytes of a zip's slices for each byte of voxels; damaged or padded files may have more than their voxels need.
_ROOM = 4
_WHY = {ProblemKind.TOO_LARGE: Why.TOO_LARGE, ProblemKind.SEQUENCE: Why.MISNAMED}
_ABOUT_MASKS = {ProblemKind.NO_MASK, ProblemKind.ORPHAN_MASK, ProblemKind.MASK}


@dataclass(frozen=True, eq=False)
class Decoded:
    """What an upload holds.

    Attributes
    ----------
    kind : Kind
        What it was sent as.
    study : Study
        Its voxels; ``slices`` names the files of a zip relative to its top.
    notices : tuple of str
        What must be said of it.
    frame : Frame or None
        Where a NIfTI's voxels are.
    """

    kind: Kind
    study: Study
    notices: tuple[str, ...] = ()
    frame: Frame | None = None


def decode(path: Path, folder: Path, limits: Limits, sequences: tuple[Sequence, ...] | None = None) -> Decoded:
    """Read the upload at ``path``, complete or not at all.

    Parameters
    ----------
    path : Path
        The upload, under any name.
    folder : Path
        Empty; a zip is unpacked there.
    limits : Limits
        What it may declare.
    sequences : tuple of Sequence, optional
        Which sequence each channel is.

    Raises
    ------
    Refusal
        If it is not taken; the reason names no file of this computer.
    MetsegError
        If something that is needed is not installed.
    """
    with path.open("rb") as file:
        kind = kind_of(file.read(HEAD))
    try:
        if kind is Kind.TIFF:
            return _tiffs(path, path.parent, kind, limits, sequences)
        if kind is Kind.ZIP:
            unpack(path, folder, _ROOM * limits.samples)
            return _tiffs(folder, folder, kind, limits, sequences)
        if kind in (Kind.PNG, Kind.JPEG):
            return Decoded(kind, _named(read_picture(path, kind, limits), sequences))
        study, frame, notices = read_volume(path, kind, limits)
        return Decoded(kind, _named(study, sequences), notices, frame)
    except MemoryError:
        raise Refusal(Why.TOO_LARGE, "decoding it takes more memory than there is for one upload") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # Readers of other people's formats raise what they like; whatever it is, the file is not readable.
        raise Refusal(Why.UNREADABLE, f"the file is damaged ({type(error).__name__})") from None


def _named(study: Study, sequences: tuple[Sequence, ...] | None) -> Study:
    try:
        return study if sequences is None else study.with_sequences(sequences)
    except DataError as error:
        raise Refusal(Why.MISNAMED, str(error).removeprefix(f"{study.name}: ")) from None


def _tiffs(source: Path, root: Path, kind: Kind, limits: Limits, sequences: tuple[Sequence, ...] | None) -> Decoded:
    """The one study at ``source``; paths in it and in messages are relative to ``root``."""
    try:
        found = find_studies(source, sequences)
        if len(found) > 1:
            raise Refusal(Why.UNREADABLE, f"the zip holds {len(found)} studies; send one at a time")
        _check(found[0], limits)
        loaded = load(found[0])
    except UnreadableFileError as error:
        why = Why.TOO_LARGE if isinstance(error, TooLargeError) else Why.UNREADABLE
        raise Refusal(why, _located(error.path, error.reason, root, kind)) from None
    except DataError as error:
        raise Refusal(Why.UNREADABLE, str(error).replace(f"{root}/", "").replace(str(root), "the zip")) from None
    problems = [problem for problem in loaded.problems if problem.kind not in _ABOUT_MASKS]
    for problem in problems:
        if problem.refused:
            why = _WHY.get(problem.kind, Why.UNREADABLE)
            raise Refusal(why, _located(problem.path, problem.reason, root, kind))
    if len(loaded.studies) != 1:
        raise Refusal(Why.UNREADABLE, "the slices differ in size, depth or channels")
    notices = tuple(_located(problem.path, problem.reason, root, kind) for problem in problems)
    return Decoded(kind, _relative(loaded.studies[0], root), notices)


def _check(files: StudyFiles, limits: Limits) -> None:
    slices, samples = 0, 0
    for entry in files.slices:
        header = preflight(entry.image, files.channels)
        pages, channels, rows, columns = header.shape
        slices += pages
        samples += pages * channels * rows * columns
        limits.check(slices, rows, columns, channels)
        if samples > limits.samples:
            raise Refusal(Why.TOO_LARGE, f"all slices together have more than {limits.samples} values")


def _located(path: Path, reason: str, root: Path, kind: Kind) -> str:
    """The reason, with the file's place in the zip."""
    if kind is not Kind.ZIP or not path.is_relative_to(root):
        return reason
    place = path.relative_to(root).as_posix()
    return reason if place == "." else f"{place}: {reason}"


def _relative(study: Study, root: Path) -> Study:
    slices = tuple(replace(entry, image=entry.image.relative_to(root), mask=None) for entry in study.slices)
    return replace(study, slices=slices, mask=None)
