"""Look at a TIFF's headers before any pixel is decoded, and refuse what is not a plain MRI slice or stack.

What passes here declares a bounded size, one shape for all its pages, a known coding, and strips or tiles that
lie inside the file, do not overlap, and are exactly as many as the declared size needs.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError
from metseg.study.arrangement import Arrangement, ArrangementError, arrange
from metseg.study.ifd import ByteOrder, Directory, TiffFileHandle, open_regular

#: Largest decoded size of one file, in bytes.
MAX_DECODED: Final = 256 << 20
#: Largest decoded size of one strip or tile, in bytes.
MAX_SEGMENT: Final = 32 << 20
#: Most strips or tiles in one file.
MAX_SEGMENTS: Final = 1 << 17
#: Compressions that are decoded, by TIFF number.
COMPRESSIONS: Final = {
    1: "none",
    5: "LZW",
    8: "deflate",
    32946: "deflate",
    32773: "PackBits",
    50002: "JPEG XL",
    52546: "JPEG XL",
}

_FORMATS = {1: "unsigned integer", 2: "signed integer", 3: "floating point", 4: "untyped", 5: "complex", 6: "complex"}
_PHOTOMETRICS = {
    0: "white is stored as zero (an inverted grey scale)",
    3: "colours come from a palette",
    4: "a transparency mask",
    5: "CMYK colours",
    6: "YCbCr colours",
    8: "CIELab colours",
}
_SUPPORTED = "only 8- and 16-bit unsigned integers are read"


@dataclass(frozen=True, slots=True)
class PageFormat:
    """What all pages of a file must have in common."""

    height: int
    width: int
    samples: int
    bits: int

    def __str__(self) -> str:
        channels = "1 channel" if self.samples == 1 else f"{self.samples} channels"
        return f"{self.height} x {self.width}, {channels}, {self.bits} bit"


@dataclass(frozen=True, slots=True)
class Page:
    """Where one page's pixels are, and how they are coded.

    ``offsets`` and ``counts`` (uint64) give the encoded bytes of the strips or tiles, row by row, channel by
    channel where ``planar``; ``segment`` is a full strip's or tile's size along (y, x).
    """

    offsets: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.uint64]
    segment: tuple[int, int]
    tiled: bool
    planar: bool
    compression: int
    predictor: int


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """What a TIFF declares.

    Attributes
    ----------
    path : Path
        The file.
    byteorder : str
        ``"<"`` or ``">"``.
    format : PageFormat
        Size, channels and depth of every page.
    arrangement : Arrangement
        Order of the pages.
    pages : tuple of Page
        Where the pixels are.
    spacing : tuple of float or None
        (z, y, x) in mm, if ImageJ states all three; TIFF's own resolution is made for paper and not used.
    """

    path: Path
    byteorder: ByteOrder
    format: PageFormat
    arrangement: Arrangement
    pages: tuple[Page, ...]
    spacing: tuple[float, float, float] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Size of the decoded array along (page, c, y, x)."""
        channels = self.format.samples * self.arrangement.channels
        return self.arrangement.slices, channels, self.format.height, self.format.width

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """Type of the decoded array."""
        return np.dtype(np.uint8) if self.format.bits == 8 else np.dtype(np.uint16)

    @property
    def nbytes(self) -> int:
        """Size of the decoded array in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def preflight(path: str | Path, channels: int | None = None) -> TiffHeader:
    """Read and check the headers of the TIFF at ``path``; no pixel is decoded.

    Parameters
    ----------
    path : str or Path
        The file.
    channels : int, optional
        A number of channels that is taken beside 1 and 3, where it is known which sequences they are.

    Raises
    ------
    UnreadableFileError
        If it is not a TIFF, is cut short or damaged, or is of a kind that is not read.
    TooLargeError
        If it declares more than is unpacked.
    """
    path = Path(path)
    with open_regular(path) as file:
        try:
            return _header(TiffFileHandle(path, file), {1, 3} if channels is None else {1, 3, channels})
        except OSError as error:
            raise UnreadableFileError(path, f"cannot be read: {error.strerror or error}") from error


def page_count(path: Path, most: int = 2) -> int:
    """Pages of the TIFF at ``path``, counted up to ``most``; 1 if that cannot be told."""
    try:
        with open_regular(path) as file:
            return sum(1 for _, _ in zip(range(most), TiffFileHandle(path, file).directories(), strict=False))
    except (UnreadableFileError, OSError):
        return 1


def _header(file: TiffFileHandle, taken: set[int]) -> TiffHeader:
    directories = file.directories()
    first = next(directories)
    form = _format(first, taken)
    pages: list[Page] = []
    segments = 0
    for directory in itertools.chain([first], directories):
        here = _format(directory, taken)
        if here != form:
            raise file.error(f"page {directory.page} is {here}, but page 1 is {form}: the pages do not fit together")
        decoded = here.height * here.width * here.samples * here.bits // 8 * directory.page
        if decoded > MAX_DECODED:
            what = f"{here}, {directory.page} page{'s or more' if directory.page > 1 else ''}"
            raise file.too_large(f"would take more than {MAX_DECODED >> 20} MiB when decoded ({what})")
        page = _page(directory, here)
        segments += len(page.offsets)
        if segments > MAX_SEGMENTS:
            raise file.too_large(f"more than {MAX_SEGMENTS} strips or tiles")
        pages.append(page)
    _check_overlap(file, pages)
    try:
        arrangement = arrange(first.text(270), len(pages), form.samples, (form.height, form.width), taken)
    except ArrangementError as error:
        raise file.error(str(error)) from error
    return TiffHeader(file.path, file.byteorder, form, arrangement, tuple(pages), _imagej_spacing(first, arrangement))


def _format(directory: Directory, taken: set[int]) -> PageFormat:
    width = directory.number(256, "the width")
    height = directory.number(257, "the height")
    samples = directory.number(277, "the number of channels", 1)
    photometric = directory.number(262, "the photometric interpretation")
    if not width or not height:
        raise directory.error(f"the image is empty ({height} x {width})")
    bits = _same(directory, 258, "the bits of a pixel", samples, 1)
    kind = _same(directory, 339, "the sample format", samples, 1)
    if kind != 1 or bits not in (8, 16):
        raise directory.error(f"{bits}-bit {_FORMATS.get(kind, 'unknown')} pixels; {_SUPPORTED}")
    if photometric not in (1, 2):
        colours = _PHOTOMETRICS.get(photometric, "an unknown colour space")
        raise directory.error(f"{colours}; only grey and RGB are read")
    if samples == 4 and photometric == 2:
        raise directory.error("4 channels (RGB with transparency); save it without the transparency channel")
    if samples not in taken or (photometric == 2 and samples != 3):
        raise directory.error(f"{samples} channels; only 1 or 3 are read unless their sequences are named")
    _check_extras(directory, samples - (3 if photometric == 2 else 1))
    return PageFormat(height, width, samples, bits)


def _same(directory: Directory, tag: int, name: str, samples: int, default: int) -> int:
    if tag not in directory:
        return default
    values = directory.array(tag, name)
    if len(values) not in (1, samples):
        raise directory.error(f"damaged: {name} has {len(values)} values for {samples} channels")
    if len(set(values.tolist())) != 1:
        raise directory.error(f"{name} differs between channels")
    return int(values[0])


def _check_extras(directory: Directory, extra: int) -> None:
    kinds = directory.array(338, "the kind of extra channels").tolist() if 338 in directory else []
    if len(kinds) not in (0, extra):
        raise directory.error(f"damaged: {len(kinds)} extra channels declared where there are {extra}")
    if any(kinds):
        raise directory.error("a channel is transparency; save it without")
    plain = {
        266: ("the bits of a byte are reversed (fill order 2)", 1),
        32997: ("a page has depth (a volume inside one page)", 1),
        274: ("the image is marked as rotated or mirrored; save it upright", 1),
    }
    for tag, (reason, value) in plain.items():
        if directory.number(tag, reason, value) != value:
            raise directory.error(reason)
    if directory.number(254, "the kind of page", 0) & ~2:
        raise directory.error("is a preview or a transparency mask, not a slice")


def _page(directory: Directory, form: PageFormat) -> Page:
    compression = directory.number(259, "the compression", 1)
    predictor = directory.number(317, "the predictor", 1)
    planar = directory.number(284, "the planar configuration", 1)
    if compression not in COMPRESSIONS:
        readable = ", ".join(dict.fromkeys(COMPRESSIONS.values()))
        raise directory.error(f"compression {compression} is not read; save it with one of: {readable}")
    if predictor not in (1, 2) or (predictor == 2 and COMPRESSIONS[compression] not in ("LZW", "deflate")):
        raise directory.error(f"predictor {predictor} with compression {COMPRESSIONS[compression]} is not read")
    if planar not in (1, 2):
        raise directory.error(f"damaged: planar configuration {planar} does not exist")
    tiled = 322 in directory or 324 in directory
    if tiled and (273 in directory or 279 in directory):
        raise directory.error("damaged: both strips and tiles are declared")
    if tiled:
        high, wide = directory.number(323, "the tile height"), directory.number(322, "the tile width")
        if not high or not wide or high % 16 or wide % 16:
            raise directory.error(f"damaged: tiles of {high} x {wide} cannot be")
    else:
        high, wide = min(directory.number(278, "the rows of a strip", form.height), form.height), form.width
        if not high:
            raise directory.error("damaged: strips of 0 rows cannot be")
    separate = planar == 2 and form.samples > 1
    number = math.ceil(form.height / high) * math.ceil(form.width / wide) * (form.samples if separate else 1)
    pixel = form.bits // 8 * (1 if separate else form.samples)
    if high * wide * pixel > MAX_SEGMENT or number * high * wide * pixel > 2 * MAX_DECODED:
        raise directory.too_large(f"a strip or tile takes more than {MAX_SEGMENT >> 20} MiB when decoded")
    if number > MAX_SEGMENTS:
        raise directory.too_large(f"more than {MAX_SEGMENTS} strips or tiles")
    offsets = directory.array(324 if tiled else 273, "the list of strips or tiles", number)
    counts = directory.array(325 if tiled else 279, "the list of strip or tile sizes", number)
    _check_segments(directory, offsets, counts, 2 * high * wide * pixel + 1024)
    return Page(offsets, counts, (high, wide), tiled, separate, compression, predictor)


def _check_segments(
    directory: Directory, offsets: npt.NDArray[np.uint64], counts: npt.NDArray[np.uint64], most: int
) -> None:
    size = np.uint64(directory.file.size)
    if np.any(counts == 0):
        raise directory.error("pixels are missing: a strip or tile has no bytes")
    if np.any(offsets < 8) or np.any(counts > size) or np.any(offsets > size - np.minimum(counts, size)):
        raise directory.error(f"cut short or damaged: pixels lie outside the file ({size} bytes)")
    if np.any(counts > most):
        raise directory.error("damaged: a strip or tile has more bytes than its pixels can need")


def _check_overlap(file: TiffFileHandle, pages: list[Page]) -> None:
    offsets = np.concatenate([page.offsets for page in pages])
    if len(offsets) == 1:
        return
    order = np.argsort(offsets, kind="stable")
    ends = offsets + np.concatenate([page.counts for page in pages])
    if np.any(ends[order][:-1] > offsets[order][1:]):
        raise file.error("damaged: two strips or tiles share the same bytes")


def _imagej_spacing(first: Directory, arrangement: Arrangement) -> tuple[float, float, float] | None:
    if arrangement.unit.lower() not in ("mm", "millimeter", "millimetre"):
        return None
    per_x, per_y = first.ratio(282), first.ratio(283)
    if arrangement.slice_distance is None or per_x is None or per_y is None:
        return None
    return arrangement.slice_distance, 1 / per_y, 1 / per_x
