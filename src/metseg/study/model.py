"""``Study``: what is known about one examination, as values."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import PlainSerializer

from metseg.errors import DataError
from metseg.study.geometry import Geometry, reorder


class Sequence(StrEnum):
    """MR sequence of a channel."""

    PRE = "pre-contrast"
    FLAIR = "flair"
    POST = "post-contrast"
    T2 = "t2"
    OTHER = "other"
    UNKNOWN = "unknown"


#: Channel order of three-channel TIFFs in the TCGA-LGG data set, and the networks' default input.
TRIPLET: tuple[Sequence, ...] = (Sequence.PRE, Sequence.FLAIR, Sequence.POST)


#: Whose grid a study has whose files lie on several: that of the first of these that is there.
REFERENCE_ORDER: tuple[Sequence, ...] = (Sequence.FLAIR, Sequence.POST, Sequence.PRE, Sequence.T2)


def reference_of(sequences: Seq[Sequence | None]) -> int:
    """Which of several files gives its grid, by their sequences: the first of :data:`REFERENCE_ORDER`, or the first."""
    ranks = [REFERENCE_ORDER.index(one) if one in REFERENCE_ORDER else len(REFERENCE_ORDER) for one in sequences]
    return ranks.index(min(ranks))


def assumed_sequences(channels: int) -> tuple[Sequence, ...]:
    """Which sequences the channels of a file are taken for that does not say so."""
    return TRIPLET if channels == len(TRIPLET) else (Sequence.UNKNOWN,) * channels


def parse_sequences(text: str) -> tuple[Sequence, ...]:
    """Names of the channels, from text such as ``post-contrast,flair``.

    Raises
    ------
    DataError
        If one of them is no :class:`Sequence`, or is named twice.
    """
    names = [name.strip().lower() for name in text.split(",")]
    known = [str(sequence) for sequence in Sequence]
    if wrong := [name for name in names if name not in known]:
        raise DataError(f"{wrong[0]!r} is no sequence; there are: {', '.join(known)}")
    sequences = tuple(Sequence(name) for name in names)
    nameless = (Sequence.OTHER, Sequence.UNKNOWN)
    if twice := [str(one) for one in sequences if one not in nameless and sequences.count(one) > 1]:
        raise DataError(f"two channels are called {twice[0]}; which of them is to be used?")
    return sequences


@dataclass(frozen=True, slots=True)
class StoredGrid:
    """The grid on which a volume is stored, where that may be another than its study's.

    Attributes
    ----------
    format : str
        Name of the format's reader.
    files : tuple of Path
        All files of the volume.
    shape : (z, y, x)
        Its size.
    geometry : Geometry
        Where its voxels are; ``known`` is that of the study.
    header : bytes
        The header of a NIfTI, without extensions; empty for other formats.
    """

    format: str
    files: tuple[Path, ...]
    shape: tuple[int, int, int]
    geometry: Geometry
    header: bytes = b""

    def restore(self, volume: npt.NDArray[Any], geometry: Geometry) -> npt.NDArray[Any]:
        """Voxels (z, y, x) of a study with ``geometry``, in the order of this grid."""
        return reorder(volume, geometry, self.geometry, self.shape)


@dataclass(frozen=True, slots=True)
class SliceFile:
    """Where one slice came from: page ``page`` of ``image``, with its mask file if there is one.

    Attributes
    ----------
    image : Path
        The file of all channels, or of the first.
    mask : Path or None
        Its mask.
    page : int
        Counts from 0.
    others : tuple of Path
        Files of the other channels, where each has one of its own.
    more_masks : tuple of Path
        Further masks, where each lesion has one of its own; they are united.
    """

    image: Path
    mask: Path | None = None
    page: int = 0
    others: tuple[Path, ...] = ()
    more_masks: tuple[Path, ...] = ()

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of all channels."""
        return (self.image, *self.others)

    @property
    def masks(self) -> tuple[Path, ...]:
        """All files that say where lesions are."""
        return () if self.mask is None else (self.mask, *self.more_masks)


def printable(name: str | Path) -> str:
    """``name`` with bytes that are no text replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


#: A path that can be written as JSON, whatever its bytes.
PathText = Annotated[Path, PlainSerializer(printable, return_type=str, when_used="json")]


class ProblemKind(StrEnum):
    """What sort of thing is wrong."""

    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too large"
    MASK = "mask"
    DUPLICATE = "duplicate"
    GAP = "gap"
    NO_MASK = "no mask"
    ORPHAN_MASK = "mask without image"
    FORMAT = "other size or type"
    SEQUENCE = "missing sequence"
    SPACING = "spacing"
    NOT_READ = "not read"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was found wrong, missing or odd in ``path``."""

    path: PathText
    reason: str
    #: ``True`` if the file's content could not be used; ``False`` for a remark (a gap, a missing mask).
    refused: bool = False
    kind: ProblemKind = ProblemKind.OTHER

    def __str__(self) -> str:
        return f"{printable(self.path)}: {self.reason}"


@dataclass(frozen=True, eq=False)
class Study:
    """One examination.

    Attributes
    ----------
    name : str
        Patient or file name.
    voxels : ndarray of any real type, shape (c, z, y, x)
        Intensities as stored in the files, all finite.
    sequences : tuple of Sequence, length c
        Which sequence each channel is.
    mask : ndarray of uint8, shape (z, y, x), or None
        1 inside the lesion; 0 elsewhere and on slices without a mask file.
    geometry : Geometry
        Where the voxels are, as far as it is known.
    slices : tuple of SliceFile, length z
        Where each slice came from; empty for studies that were never a file.
    stored : StoredGrid or None
        The grid of the file that a volume came from; ``None`` for slices, and for what was never a file.
    patient : str
        Whom it is of; empty if that is its name.
    date : date or None
        When it was acquired, where its headers say so.
    """

    name: str
    voxels: npt.NDArray[Any]
    sequences: tuple[Sequence, ...]
    mask: npt.NDArray[np.uint8] | None = None
    geometry: Geometry = field(default_factory=Geometry)
    slices: tuple[SliceFile, ...] = ()
    stored: StoredGrid | None = None
    patient: str = ""
    date: datetime.date | None = None

    def __post_init__(self) -> None:
        if self.voxels.ndim != 4 or 0 in self.voxels.shape:
            raise DataError(f"{self.name}: voxels must be (c, z, y, x), not {self.voxels.shape}")
        if self.voxels.dtype.kind not in "uif":
            raise DataError(f"{self.name}: voxels must be whole or real numbers, not {self.voxels.dtype}")
        if len(self.sequences) != self.voxels.shape[0]:
            raise DataError(f"{self.name}: {len(self.sequences)} sequences for {self.voxels.shape[0]} channels")
        if self.mask is not None and self.mask.shape != self.voxels.shape[1:]:
            raise DataError(f"{self.name}: mask {self.mask.shape} does not fit voxels {self.voxels.shape}")
        if self.slices and len(self.slices) != self.voxels.shape[1]:
            raise DataError(f"{self.name}: {len(self.slices)} files for {self.voxels.shape[1]} slices")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size along (z, y, x)."""
        _, z, y, x = self.voxels.shape
        return z, y, x

    def channel(self, wanted: Sequence) -> int:
        """Index of the channel that stands for ``wanted``.

        The sequence itself if it is there; else FLAIR; else an unnamed channel; else the first.
        """
        for candidate in (wanted, Sequence.FLAIR, Sequence.UNKNOWN, Sequence.OTHER):
            if candidate in self.sequences:
                return self.sequences.index(candidate)
        return 0

    @property
    def masked_slices(self) -> list[int]:
        """Slices that have a mask of their own; all of them if the study was never a file."""
        if self.mask is None:
            return []
        return [z for z in range(self.shape[0]) if not self.slices or self.slices[z].mask is not None]

    @property
    def stand_ins(self) -> tuple[Sequence, ...]:
        """Sequences whose channel is a copy of FLAIR, the TCGA-LGG slices' stand-in for what was not acquired."""
        if Sequence.FLAIR not in self.sequences:
            return ()
        flair = self.voxels[self.sequences.index(Sequence.FLAIR)]
        return tuple(
            sequence
            for sequence, channel in zip(self.sequences, self.voxels, strict=True)
            if sequence is not Sequence.FLAIR and np.array_equal(channel, flair)
        )

    def select(self, wanted: Seq[Sequence] = TRIPLET) -> npt.NDArray[Any]:
        """Voxels of the wanted sequences, shape (len(wanted), z, y, x); missing ones replaced as in :meth:`channel`."""
        return self.voxels[[self.channel(sequence) for sequence in wanted]]

    def missing(self, wanted: Seq[Sequence] = TRIPLET) -> tuple[Sequence, ...]:
        """Those of ``wanted`` that no channel is named after."""
        return tuple(sequence for sequence in wanted if sequence not in self.sequences)

    def with_sequences(self, sequences: Seq[Sequence]) -> Study:
        """This study with other names of its channels.

        Raises
        ------
        DataError
            If there are more or fewer names than channels.
        """
        return replace(self, sequences=tuple(sequences))

    def with_geometry(self, geometry: Geometry) -> Study:
        """This study with another geometry."""
        return replace(self, geometry=geometry)

    def named_for(self, wanted: Seq[Sequence]) -> Study:
        """This study with its only channel, if of unknown sequence, named as the only sequence that is wanted."""
        lone = len(wanted) == 1 and self.sequences == (Sequence.UNKNOWN,)
        return self.with_sequences(wanted) if lone else self

    def slice(self, z: int) -> Study:
        """Slice ``z`` as a study of its own."""
        part = slice(z, z + 1)
        mask = None if self.mask is None else self.mask[part]
        geometry = self.geometry.moved(z=z)
        voxels = self.voxels[:, part]
        return replace(self, voxels=voxels, mask=mask, geometry=geometry, slices=self.slices[part], stored=None)

    def only(self, *wanted: Sequence) -> Study:
        """This study with just the named channels, for instance FLAIR alone."""
        keep = [self.channel(sequence) for sequence in wanted]
        return replace(self, voxels=self.voxels[keep], sequences=tuple(self.sequences[i] for i in keep))
