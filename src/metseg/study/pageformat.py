"""What kind of pixels a page of a TIFF holds, and which kinds are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from metseg.study.ifd import Directory

#: Photometric interpretations.
WHITE_IS_ZERO: Final = 0
RGB: Final = 2
PALETTE: Final = 3
YCBCR: Final = 6

#: numpy's letter for a sample format; what is "untyped" is unsigned, as libtiff has it.
_KINDS: Final[dict[int, Literal["u", "i", "f"]]] = {1: "u", 2: "i", 3: "f", 4: "u"}
_FORMATS = {"u": "", "i": "signed ", "f": "floating point "}
_BITS = {"u": (1, 2, 4, 8, 10, 12, 14, 16, 32, 64), "i": (8, 16, 32, 64), "f": (16, 32, 64)}
_PHOTOMETRICS = {4: "a transparency mask", 5: "CMYK colours", 8: "CIELab colours"}


@dataclass(frozen=True)
class PageFormat:
    """What all pages of a file must have in common.

    ``kind`` is numpy's letter of the pixels' type; ``alpha`` says that the last of ``samples`` is transparency.
    """

    height: int
    width: int
    samples: int
    bits: int
    kind: Literal["u", "i", "f"] = "u"
    photometric: int = 1
    alpha: bool = False

    @property
    def channels(self) -> int:
        """Samples that are no transparency."""
        return self.samples - self.alpha

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of the decoded pixels: unsigned integers of fewer bits are unpacked."""
        size = max(1, 1 << (self.bits - 1).bit_length() >> 3)
        return np.dtype(f"{self.kind}{size}")

    @cached_property
    def packed(self) -> bool:
        """Whether pixels do not begin on a byte of their own."""
        return self.bits < 8 * self.dtype.itemsize

    def __str__(self) -> str:
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.height} x {self.width}, {channels}, {sort_of_numbers(self.kind, self.bits)}"


def sort_of_numbers(kind: str, bits: int) -> str:
    """Bits and type of stored numbers, in words."""
    return f"{bits} bit {_FORMATS[kind]}".rstrip()


def page_format(directory: Directory, named: int | None) -> PageFormat:
    """What one page holds.

    Parameters
    ----------
    named : int or None
        Number of channels that is read beside 1 and 3; one of them is then no transparency.

    Raises
    ------
    UnreadableFileError
        If it is of a kind that is not read.
    """
    width = directory.number(256, "the width")
    height = directory.number(257, "the height")
    samples = directory.number(277, "the number of channels", 1)
    photometric = directory.number(262, "the photometric interpretation")
    if not width or not height:
        raise directory.error(f"the image is empty ({height} x {width})")
    bits = _same(directory, 258, "the bits of a pixel", samples, 1)
    sample_format = _same(directory, 339, "the sample format", samples, 1)
    kind = _KINDS.get(sample_format)
    if kind is None:
        raise directory.error("complex pixels" if sample_format in (5, 6) else "pixels of an unknown type")
    if bits not in _BITS[kind]:
        raise directory.error(f"{bits}-bit {_FORMATS[kind] or 'unsigned '}pixels are not read")
    if photometric not in (0, 1, 2, 3) and not (photometric == YCBCR and directory.number(259, "", 1) == 7):
        stored = "YCbCr colours without JPEG" if photometric == YCBCR else _PHOTOMETRICS.get(photometric)
        raise directory.error(f"{stored or 'an unknown colour space'}; only grey, palettes and RGB are read")
    if photometric == WHITE_IS_ZERO and kind == "f":
        raise directory.error("floating point pixels whose white is zero; invert its lookup table and save it again")
    colours = 3 if photometric in (RGB, YCBCR) else 1
    if samples < colours:
        raise directory.error(f"{samples} channel{'s' * (samples != 1)} for colours of 3")
    alpha = _has_alpha(directory, samples - colours, photometric) and named != samples
    channels = samples - alpha
    if channels not in (1, 3, named) or (photometric in (PALETTE, YCBCR) and samples != colours):
        raise directory.error(f"{channels} channels; only 1 or 3 are read unless their sequences are named")
    _check_supported(directory)
    return PageFormat(height, width, samples, bits, kind, photometric, alpha)


def _same(directory: Directory, tag: int, name: str, samples: int, default: int) -> int:
    if tag not in directory:
        return default
    values = directory.array(tag, name)
    if len(values) not in (1, samples):
        raise directory.error(f"damaged: {name} has {len(values)} values for {samples} channels")
    if len(set(values.tolist())) != 1:
        raise directory.error(f"{name} differs between channels")
    return int(values[0])


def _has_alpha(directory: Directory, extra: int, photometric: int) -> bool:
    """Whether the last channel is transparency; a fourth one beside RGB is, if nothing is said of it."""
    if not extra:
        return False
    kinds = directory.array(338, "the kind of extra channels").tolist() if 338 in directory else []
    if len(kinds) not in (0, extra):
        raise directory.error(f"damaged: {len(kinds)} extra channels declared where there are {extra}")
    if any(kinds[:-1]):
        raise directory.error("a channel is transparency; save it without")
    return bool(kinds[-1]) if kinds else photometric == RGB and extra == 1


def _check_supported(directory: Directory) -> None:
    unsupported = {
        32997: "a page has depth (a volume inside one page)",
        274: "the image is marked as rotated or mirrored; save it upright",
    }
    for tag, reason in unsupported.items():
        if directory.number(tag, reason, 1) != 1:
            raise directory.error(reason)
    if directory.number(266, "the order of bits", 1) not in (1, 2):
        raise directory.error("damaged: the order of bits in a byte does not exist")


def page_palette(directory: Directory) -> npt.NDArray[np.uint16] | None:
    """Red, green and blue of each stored number, shape (n, 3); ``None`` for a page without palette."""
    if directory.number(262, "the photometric interpretation") != PALETTE:
        return None
    bits = directory.number(258, "the bits of a pixel", 1)
    if bits > 16 or directory.number(339, "the sample format", 1) not in (1, 4):
        raise directory.error(f"a palette for {bits}-bit pixels cannot be")
    colours = directory.array(320, "the palette", 3 << bits)
    return np.asarray(colours.reshape(3, -1).T, np.uint16)
