"""A study: voxels, which sequence each channel is, mask, geometry, and where it came from."""

from metseg.study.discovery import MASK_ENDING, SUFFIXES, StudyFiles, find_studies, natural_key
from metseg.study.files import flush_folder, sweep_leftovers, write_atomically
from metseg.study.geometry import Geometry, Known, reorder
from metseg.study.inspection import Finding, Inspection, StudyInspection, inspect
from metseg.study.model import (
    TRIPLET,
    Problem,
    ProblemKind,
    Sequence,
    SliceFile,
    StoredGrid,
    Study,
    assumed_sequences,
    parse_sequences,
)
from metseg.study.numbering import listed_slices, number_slices, slice_numbers
from metseg.study.reading import Loaded, load, read_study
from metseg.study.sidecar import read_pixels_hash, read_spacing, sidecar_of, write_spacing
from metseg.study.tiff import is_as_written, read_tiff, write_tiff

__all__ = [
    "MASK_ENDING",
    "SUFFIXES",
    "TRIPLET",
    "Finding",
    "Geometry",
    "Known",
    "StoredGrid",
    "reorder",
    "Inspection",
    "Loaded",
    "Problem",
    "ProblemKind",
    "Sequence",
    "SliceFile",
    "Study",
    "StudyFiles",
    "StudyInspection",
    "assumed_sequences",
    "find_studies",
    "flush_folder",
    "inspect",
    "listed_slices",
    "is_as_written",
    "load",
    "natural_key",
    "number_slices",
    "parse_sequences",
    "read_pixels_hash",
    "read_spacing",
    "read_study",
    "read_tiff",
    "sidecar_of",
    "slice_numbers",
    "sweep_leftovers",
    "write_atomically",
    "write_spacing",
    "write_tiff",
]
