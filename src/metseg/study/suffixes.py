"""Which endings of file names are read as images; ``.nii.gz`` is one ending."""

from __future__ import annotations

from metseg.study.formats import stem_of, suffix_of, suffixes

__all__ = ["SUFFIXES", "stem_of", "suffix_of"]

#: Endings of the files that are read, in lower case.
SUFFIXES: tuple[str, ...] = suffixes()
