"""What a file is, by its first bytes; its name and its declared type are not asked."""

from __future__ import annotations

from enum import StrEnum

from metseg.server.intake.limits import Refusal, Why

#: As many bytes as :func:`kind_of` looks at.
HEAD = 352

_NIFTI_MAGIC = slice(344, 348)
_NIFTI2_MAGIC = slice(4, 12)


class Kind(StrEnum):
    """Formats that are taken."""

    TIFF = "tiff"
    PNG = "png"
    JPEG = "jpeg"
    NIFTI = "nifti"
    GZIP = "nifti, gzip"
    ZIP = "zip"


def kind_of(head: bytes) -> Kind:
    """The format of a file that begins with ``head``, its first :data:`HEAD` bytes or all of a shorter one.

    Raises
    ------
    Refusal
        If it is empty or no format that is taken.
    """
    if not head:
        raise Refusal(Why.UNREADABLE, "the file is empty")
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return Kind.TIFF
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if head.startswith(b"\x1f\x8b"):
        return Kind.GZIP
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return Kind.ZIP
    if is_nifti(head):
        return Kind.NIFTI
    raise Refusal(
        Why.UNSUPPORTED, "not a TIFF, PNG, JPEG, NIfTI (.nii, .nii.gz) or zip of TIFF slices, by its first bytes"
    )


def is_nifti(head: bytes) -> bool:
    """Whether these are the first bytes of a NIfTI-1 or NIfTI-2 file in one part."""
    return head[_NIFTI_MAGIC] == b"n+1\0" or head[_NIFTI2_MAGIC] == b"n+2\0\r\n\x1a\n"
