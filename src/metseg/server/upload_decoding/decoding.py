"""An upload becomes a study. Runs in a process of its own, see :mod:`metseg.server.upload_decoding.decoder`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import dcmread

from metseg.errors import DataError, TooLargeError, UnreadableFileError, UnsupportedFileError
from metseg.server.upload_decoding.archives import unpack
from metseg.server.upload_decoding.limits import Limits, Reason, UploadRejected
from metseg.study import ProblemKind, Sequence, SliceFile, Study, StudyFiles, find_studies, load
from metseg.study.formats import HEAD, find_images, formats, reader_by_content
from metseg.study.formats.dicom import DicomReader

#: What a zip of files is called, beside the names of formats.
ZIP = "zip"

#: Bytes of a zip's slices for each byte of voxels; damaged or padded files may have more than their voxels need.
_ROOM = 4
#: Bytes of the headers of a series that are kept.
_MOST_HEADERS = 1 << 26
_WHY = {
    ProblemKind.TOO_LARGE: Reason.TOO_LARGE,
    ProblemKind.UNSUPPORTED: Reason.UNSUPPORTED,
    ProblemKind.SEQUENCE: Reason.MISNAMED,
}
_ABOUT_MASKS = {ProblemKind.NO_MASK, ProblemKind.ORPHAN_MASK, ProblemKind.MASK}


@dataclass(frozen=True, eq=False)
class Decoded:
    """What an upload holds.

    Attributes
    ----------
    format : str
        What it was sent as: the name of a format in lower case, or ``zip``.
    study : Study
        Its voxels; ``slices`` names the files of a zip relative to its top.
    notices : tuple of str
        What must be said of it.
    headers : tuple of bytes
        Of a DICOM series: each of ``study.stored.files`` up to its pixels. Empty if they are too large to be kept.
    """

    format: str
    study: Study
    notices: tuple[str, ...] = ()
    headers: tuple[bytes, ...] = ()

    @contextmanager
    def series(self) -> Iterator[Study]:
        """The study with its DICOM series' headers as files, which are there only within the context.

        DataError if the headers were too large to be kept.
        """
        with TemporaryDirectory(prefix="metseg-series-") as folder:
            study, files = replace(self.study, name="the upload"), []
            for number, header in enumerate(self.headers):
                files.append(Path(folder, f"{number}.dcm"))
                files[-1].write_bytes(header)
            if study.stored is not None and study.stored.format == DicomReader.name:
                if not files:
                    raise DataError(f"{study.name}: its headers take more than {_MOST_HEADERS >> 20} MiB")
                study = replace(study, stored=replace(study.stored, files=tuple(files)))
            yield study


def decode(path: Path, folder: Path, limits: Limits, sequences: tuple[Sequence, ...] | None = None) -> Decoded:
    """Read the upload at ``path``, complete or not at all; what it is, its first bytes say.

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
    UploadRejected
        If it is not taken; the reason names no file of this computer.
    MetsegError
        If something that is needed is not installed.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    try:
        if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            unpack(path, folder, _ROOM * limits.samples)
            return _zipped(folder, limits, sequences)
        if not head:
            raise UploadRejected(Reason.UNREADABLE, "the file is empty")
        reader = reader_by_content(head)
        if reader is None:
            raise UploadRejected(Reason.UNSUPPORTED, f"by its first bytes none of {formats()}, or a zip of such files")
        upload = path.rename(path.with_name(f"upload{reader.suffixes[0]}"))
        files = StudyFiles("upload", upload.parent, (SliceFile(upload),), sequences=sequences)
        return _study(files, upload.parent, reader.name.lower(), limits)
    except MemoryError:
        raise UploadRejected(Reason.TOO_LARGE, "decoding it takes more memory than there is for one upload") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # Readers of other people's formats raise what they like; whatever it is, the file is not readable.
        raise UploadRejected(Reason.UNREADABLE, f"the file is damaged ({type(error).__name__})") from None


def _zipped(folder: Path, limits: Limits, sequences: tuple[Sequence, ...] | None) -> Decoded:
    """The one study in a folder; paths in it and in messages are relative to it."""
    try:
        found = find_studies(folder, sequences)
    except UnreadableFileError as error:
        raise _refusal(error, folder, ZIP) from None
    except DataError as error:
        reason = str(error).replace(f"{folder}/", "").replace(str(folder), "the zip")
        raise UploadRejected(Reason.UNREADABLE, reason) from None
    if len(found) > 1:
        raise UploadRejected(Reason.UNREADABLE, f"the zip holds {len(found)} studies; send one at a time")
    return _study(found[0], folder, ZIP, limits)


def _study(files: StudyFiles, root: Path, kind: str, limits: Limits) -> Decoded:
    try:
        _check(files, limits)
        loaded = load(files)
    except UnreadableFileError as error:
        raise _refusal(error, root, kind) from None
    problems = [problem for problem in loaded.problems if problem.kind not in _ABOUT_MASKS]
    for problem in problems:
        if problem.refused:
            why = _WHY.get(problem.kind, Reason.UNREADABLE)
            raise UploadRejected(why, _located(problem.path, problem.reason, root, kind))
    if len(loaded.studies) != 1:
        raise UploadRejected(Reason.UNREADABLE, "the slices differ in size, depth or channels")
    notices = tuple(_located(problem.path, problem.reason, root, kind) for problem in problems)
    study = loaded.studies[0]
    return Decoded(kind, _relative(study, root), notices, _headers(study))


def _headers(study: Study) -> tuple[bytes, ...]:
    """Of a DICOM series each file up to its pixels."""
    if study.stored is None or study.stored.format != DicomReader.name:
        return ()
    headers = []
    for path in study.stored.files:
        with path.open("rb") as file:
            dcmread(file, stop_before_pixels=True, specific_tags=["SOPClassUID"])  # of which none is kept
            size = file.tell()
            file.seek(0)
            headers.append(file.read(size))
    return tuple(headers) if sum(map(len, headers)) <= _MOST_HEADERS else ()


def _check(files: StudyFiles, limits: Limits) -> None:
    slices, samples = 0, 0
    for header in find_images([entry.image for entry in files.slices], files.channels).images:
        channels, depth, rows, columns = header.shape
        slices += depth
        samples += channels * depth * rows * columns
        limits.check(slices, rows, columns, channels)
        if samples > limits.samples:
            raise UploadRejected(Reason.TOO_LARGE, f"all slices together have more than {limits.samples} values")


def _refusal(error: UnreadableFileError, root: Path, kind: str) -> UploadRejected:
    why = Reason.UNREADABLE
    if isinstance(error, TooLargeError):
        why = Reason.TOO_LARGE
    elif isinstance(error, UnsupportedFileError):
        why = Reason.UNSUPPORTED
    return UploadRejected(why, _located(error.path, error.reason, root, kind))


def _located(path: Path, reason: str, root: Path, kind: str) -> str:
    """The reason, with the file's place in the zip."""
    if kind != ZIP or not path.is_relative_to(root):
        return reason
    place = path.relative_to(root).as_posix()
    return reason if place == "." else f"{place}: {reason}"


def _relative(study: Study, root: Path) -> Study:
    slices = tuple(
        SliceFile(
            entry.image.relative_to(root), None, entry.page, tuple(path.relative_to(root) for path in entry.others)
        )
        for entry in study.slices
    )
    return replace(study, slices=slices, mask=None)
