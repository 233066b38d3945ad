"""A zip of a patient's slices, unpacked without trusting it."""

from __future__ import annotations

import errno
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from metseg.server.upload_decoding.limits import Reason, UploadRejected
from metseg.study import is_mask_name
from metseg.study.formats import suffix_of

_MAX_MEMBERS = 8192
_MAX_NAME = 255
_SIDECAR = ".json"
_MAX_SIDECAR = 1 << 16
_CHUNK = 1 << 20
_ENCRYPTED = 0x1


def unpack(path: Path, folder: Path, most: int) -> None:
    """Unpack slices and the spacing beside them; masks and other files stay in the zip.

    Parameters
    ----------
    folder : Path
        Where its slices go, in its own folders.
    most : int
        Bytes that all of them may have together.

    Raises
    ------
    UploadRejected
        If it is damaged or encrypted, unpacks to more than ``most`` bytes, holds no slice, or names a file outside
        the folder.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in _members(archive) if _is_wanted(member)]
            if not members:
                raise UploadRejected(Reason.UNREADABLE, "no image in the zip")
            left = most
            for member in members:
                left = _extract(archive, member, folder / member.filename, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError) as error:
        raise UploadRejected(Reason.UNREADABLE, f"the zip is damaged: {error}") from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise UploadRejected(Reason.UNREADABLE, "the zip is damaged: it points outside of itself") from None


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Every file in the zip, if all can be taken without harm."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > _MAX_MEMBERS:
        raise UploadRejected(Reason.TOO_LARGE, f"{len(members)} files in the zip; at most {_MAX_MEMBERS} are taken")
    for member in members:
        _check_name(member.orig_filename)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UploadRejected(Reason.UNREADABLE, "the zip holds a link; send the files themselves")
        if member.flag_bits & _ENCRYPTED:
            raise UploadRejected(Reason.UNREADABLE, "the zip is encrypted")
    return members


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    outside = name.startswith("/") or "\\" in name or ":" in name or "\0" in name or ".." in parts
    if outside or not parts or any(len(part.encode()) > _MAX_NAME for part in parts):
        raise UploadRejected(Reason.UNREADABLE, "the zip names a file outside of it, or in a way that cannot be kept")


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    if any(part.startswith((".", "__MACOSX")) for part in path.parts):
        return False
    if path.suffix.lower() == _SIDECAR:
        return member.file_size <= _MAX_SIDECAR
    known = bool(suffix_of(path)) or not path.suffix[1:].isalpha()  # DICOM files have any name
    return known and not is_mask_name(path)


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Unpack one file of at most ``left`` bytes; returns how many bytes are left."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UploadRejected(Reason.UNSUPPORTED, "the zip is compressed in another way than deflate")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as file:
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise UploadRejected(Reason.TOO_LARGE, "the zip unpacks to more than is taken")
                file.write(chunk)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise UploadRejected(Reason.UNREADABLE, "the zip holds two files of one name") from None
    return left
