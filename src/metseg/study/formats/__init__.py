"""Formats of images: a reader each, behind one protocol and in one registry."""

from metseg.study.formats.finding import error_of, refused
from metseg.study.formats.nifti import is_whole, mask_volume, without_made_up_place
from metseg.study.formats.reader import HEAD, Acquisition, Found, Header, Reader
from metseg.study.formats.registry import (
    GROUP,
    find_images,
    formats,
    formats_table,
    header_of,
    is_dicom,
    is_picture,
    is_stack,
    is_tiff,
    is_tiff_name,
    read_voxels,
    reader_by_content,
    reader_by_name,
    reader_of,
    readers,
    stem_of,
    suffix_of,
    suffixes,
)
from metseg.study.formats.tiff_reader import tiff_image

__all__ = [
    "GROUP",
    "HEAD",
    "Acquisition",
    "Found",
    "Header",
    "Reader",
    "error_of",
    "find_images",
    "formats",
    "formats_table",
    "header_of",
    "is_dicom",
    "is_picture",
    "is_stack",
    "is_tiff",
    "is_tiff_name",
    "mask_volume",
    "reader_by_content",
    "reader_by_name",
    "read_voxels",
    "reader_of",
    "readers",
    "refused",
    "is_whole",
    "stem_of",
    "suffix_of",
    "suffixes",
    "tiff_image",
    "without_made_up_place",
]
