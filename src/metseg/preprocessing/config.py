"""The frozen configuration that travels in every checkpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

_Side = Annotated[int, Field(ge=8, le=1024)]
_Rim = Annotated[int, Field(ge=0, le=256)]


class Clahe(StrEnum):
    """Which slices a network is shown.

    ``ON``: equalised ones. ``OFF``: unenhanced ones. ``AVERAGE``: both, one after the other, and the mean of its two
    answers is taken.
    """

    ON = "on"
    OFF = "off"
    AVERAGE = "average"

    @classmethod
    def of(cls, config: PreprocessingConfig, *, averaged: bool) -> Clahe:
        """What ``config`` shows the network; ``averaged`` if its answers for unenhanced and equalised slices are."""
        if averaged:
            return cls.AVERAGE
        return cls.OFF if config.clahe is None else cls.ON


class ClaheConfig(BaseModel, frozen=True, extra="forbid"):
    """Contrast limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994).

    Attributes
    ----------
    clip_limit : float
        Highest bin of a tile's histogram, in multiples of the mean bin (256 bins).
    tiles : tuple of int
        Number of tiles along (y, x).
    mode : {"channel", "luminance"}
        Equalise every channel by itself, or (three channels only) the luminance Y' of Y'CrCb.
    """

    clip_limit: Annotated[float, Field(gt=0, le=40)] = 2.0
    tiles: tuple[Annotated[int, Field(ge=1, le=64)], Annotated[int, Field(ge=1, le=64)]] = (8, 8)
    mode: Literal["channel", "luminance"] = "channel"


class BrainConfig(BaseModel, frozen=True, extra="forbid"):
    """Brings a whole head to the brain's own box, stretched to one size: the form of skull-stripped training scans.

    The voxels outside the brain become 0, the brightness is corrected, the brain's bounding box is resampled to
    ``grid`` less ``rim`` on every side, and the 99.95th percentile of the brain becomes 255 (uint8). A scan that
    is skull-stripped already is neither extracted nor corrected again.

    Attributes
    ----------
    extraction : {"deepbet", "none"}
        What finds the brain in a head; ``none`` takes the whole head for it.
    extraction_version : str
        Version of the package that does so: another one may find another brain.
    bias_correction : {"n4", "none"}
        N4 (Tustison et al., IEEE TMI 2010) inside the brain, on the resampled volume.
    grid : tuple of int
        Size along (z, y, x), feet first and y from back to front.
    rim : tuple of int
        Zeros on either side of the brain along (z, y, x).
    """

    extraction: Literal["deepbet", "none"] = "deepbet"
    extraction_version: str = "1.0.2"
    bias_correction: Literal["n4", "none"] = "n4"
    grid: tuple[_Side, _Side, _Side] = (64, 128, 128)
    rim: tuple[_Rim, _Rim, _Rim] = (5, 10, 10)

    @property
    def inner(self) -> tuple[int, int, int]:
        """Size of the brain's box on the grid along (z, y, x)."""
        z, y, x = (side - 2 * rim for side, rim in zip(self.grid, self.rim, strict=True))
        return z, y, x

    @model_validator(mode="after")
    def _brain_has_room(self) -> BrainConfig:
        if min(self.inner) < 1:
            raise ValueError(f"a rim of {self.rim} leaves no room on a grid of {self.grid}")
        return self


class PreprocessingConfig(BaseModel, frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True):
    """Everything that happens to intensities before the network sees them.

    Attributes
    ----------
    brain : BrainConfig or None
        Before all else, bring the volume to the brain's grid; ``None`` leaves the head as it is.
    sequences : tuple of str
        The sequences the network looks at, as :class:`metseg.study.Sequence` values.
    normalisation : {"median", "percentile", "unit", "zscore"}
        ``median`` maps the background to 0 and the median of the head in each channel's whole volume to
        ``median_level``, and clips at 1: brain looks alike in every head, however bright its fat is; ``percentile``
        maps the two percentiles of each channel's whole volume to 0 and 1 and clips; ``unit`` does so with its minimum
        and maximum; ``zscore`` is ``percentile`` followed, after CLAHE, by zero mean and unit variance over the voxels
        of the head.
    median_level : float
        Where ``median`` puts the median of the head: its inverse is how many times that bright a voxel may be.
    percentiles : tuple of float
        Lower and upper percentile, in percent.
    clahe : ClaheConfig or None
        Applied slice by slice after the window; ``None`` leaves the contrast as it is.
    append_unenhanced : bool, stored as ``keep_plain``
        The network sees the equalised slice beside the unenhanced one instead of in its place (without ``clahe``,
        the unenhanced one twice).
    neighbours : int
        Slices on either side that the network sees with the one it outlines; the last one is repeated at the ends.
    size : int or None
        Longest side, in pixels, to which slices are scaled; ``None`` keeps the file's grid.
    multiple : int
        Slices are padded (centred, zeros) to a multiple of this many pixels.
    """

    brain: BrainConfig | None = None
    sequences: Annotated[tuple[str, ...], Field(min_length=1)] = ("pre-contrast", "flair", "post-contrast")
    normalisation: Literal["median", "percentile", "unit", "zscore"] = "percentile"
    median_level: Annotated[float, Field(gt=0, lt=1)] = 0.4
    percentiles: tuple[Annotated[float, Field(ge=0, le=100)], Annotated[float, Field(ge=0, le=100)]] = (1.0, 99.5)
    clahe: ClaheConfig | None = ClaheConfig()
    append_unenhanced: Annotated[bool, Field(alias="keep_plain")] = False
    neighbours: Annotated[int, Field(ge=0, le=8)] = 0
    size: Annotated[int, Field(ge=32, le=4096)] | None = 256
    multiple: Annotated[int, Field(ge=1, le=256)] = 32

    @property
    def planes(self) -> int:
        """How often each sequence occurs in the input: neighbours and slice, then the equalised slice if kept apart."""
        return 2 * self.neighbours + 1 + int(self.append_unenhanced)

    @property
    def channels(self) -> int:
        """Input channels of the network, plane by plane, sequence by sequence."""
        return self.planes * len(self.sequences)

    def with_clahe(self, on: bool) -> PreprocessingConfig:
        """This configuration with equalised slices, or with unenhanced ones.

        Where the unenhanced slice is kept beside the equalised one, ``on`` is the input as trained, and off the
        unenhanced slice twice: the network needs as many channels as before.

        Parameters
        ----------
        on : bool
            Equalise as this configuration says, or with the usual :class:`ClaheConfig` if it says nothing.
        """
        return self.model_copy(update={"clahe": (self.clahe or ClaheConfig()) if on else None})

    @model_validator(mode="after")
    def _percentiles_ascend(self) -> PreprocessingConfig:
        if self.percentiles[0] >= self.percentiles[1]:
            raise ValueError("the lower percentile must be below the upper one")
        return self
