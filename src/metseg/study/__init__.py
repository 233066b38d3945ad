"""A study: voxels, which sequence each channel is, mask, geometry, and where it came from."""

from metseg.study.discovery import MASK_ENDING, find_studies
from metseg.study.files import (
    file_sha256,
    flush_folder,
    read_errors,
    sweep_leftovers,
    write_atomically,
    write_errors,
    write_text,
)
from metseg.study.formats import stem_of, suffix_of, suffixes
from metseg.study.formats.writing import is_as_written, write_volume, writer_of
from metseg.study.geometry import Geometry, Known, reorder
from metseg.study.inspection import FileFinding, Inspection, StudyInspection, inspect
from metseg.study.listing import natural_key
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
from metseg.study.name_rules import is_mask_name
from metseg.study.naming import Role, StudyFiles
from metseg.study.numbering import number_slices, slice_numbers
from metseg.study.reading import LoadedStudies, load, read_study
from metseg.study.rules_file import DataFolder, NameRules, parse_labels, read_rules
from metseg.study.same_images import is_blank, joined
from metseg.study.sidecar import read_pixels_hash, read_spacing, sidecar_of
from metseg.study.tiff import read_tiff, write_tiff

__all__ = [
    "MASK_ENDING",
    "TRIPLET",
    "DataFolder",
    "FileFinding",
    "Geometry",
    "Known",
    "StoredGrid",
    "reorder",
    "Inspection",
    "LoadedStudies",
    "NameRules",
    "Problem",
    "ProblemKind",
    "Role",
    "Sequence",
    "SliceFile",
    "Study",
    "StudyFiles",
    "StudyInspection",
    "assumed_sequences",
    "file_sha256",
    "find_studies",
    "flush_folder",
    "inspect",
    "is_blank",
    "is_mask_name",
    "is_as_written",
    "joined",
    "load",
    "natural_key",
    "number_slices",
    "parse_labels",
    "parse_sequences",
    "read_pixels_hash",
    "read_rules",
    "read_spacing",
    "read_study",
    "read_tiff",
    "read_errors",
    "sidecar_of",
    "slice_numbers",
    "stem_of",
    "suffix_of",
    "suffixes",
    "sweep_leftovers",
    "write_atomically",
    "write_text",
    "write_tiff",
    "write_volume",
    "writer_of",
    "write_errors",
]
