"""Look at a TIFF's headers before any pixel is decoded, and refuse what is not a plain MRI slice or stack.

What passes here declares a bounded size, one shape for all its pages, a known coding, and strips or tiles that
lie inside the file, do not overlap, and are exactly as many as the declared size needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from metseg.errors import UnreadableFileError
from metseg.study.arrangement import Arrangement, ArrangementError, arrange
from metseg.study.codecs import COMPRESSIONS, PICTURES, PREDICTED
from metseg.study.files import read_errors
from metseg.study.ifd import ByteOrder, Directory, TiffFileHandle, open_regular
from metseg.study.pageformat import PALETTE, RGB, WHITE_IS_ZERO, PageFormat, page_format, page_palette

#: Largest decoded size of one file, in bytes.
MAX_DECODED: Final = 256 << 20
#: Largest decoded size of one strip or tile, in bytes.
MAX_SEGMENT: Final = 32 << 20
#: Most strips or tiles in one file.
MAX_SEGMENTS: Final = 1 << 17

_PREVIEW, _TRANSPARENCY = 1, 4
#: Voxels smaller than this (mm) are the default of a program for microscopes.
_SMALLEST = 0.01


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
    compression: str
    predictor: int
    reversed_bits: bool = False
    jpeg_tables: bytes = b""


@dataclass(frozen=True, eq=False, slots=True)
class TiffHeader:
    """What a TIFF declares.

    Attributes
    ----------
    byteorder : str
        ``"<"`` or ``">"``.
    format : PageFormat
        Size, channels and depth of every page.
    arrangement : Arrangement
        Order of the pages.
    pages : tuple of Page
        Where the pixels are.
    spacing : tuple of float or None
        (z, y, x) in mm, if ImageJ or OME states all three; TIFF's own resolution is made for paper and not used.
    palette : ndarray of uint16, shape (n, 3), or None
        Red, green and blue of each stored number.
    planes : {"channels", "slices"} or None
        What the colour planes of a page were taken for that tifffile wrote, where they may be either.
    remarks : tuple of str
        What must be said of how the file is read.
    """

    path: Path
    byteorder: ByteOrder
    format: PageFormat
    arrangement: Arrangement
    pages: tuple[Page, ...]
    spacing: tuple[float, float, float] | None = None
    palette: npt.NDArray[np.uint16] | None = None
    planes: Literal["channels", "slices"] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Size of the decoded array along (page, c, y, x)."""
        form = self.format
        if self.planes == "slices":
            return form.samples, 1, form.height, form.width
        return self.arrangement.slices, form.channels * self.arrangement.channels, form.height, form.width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the decoded array."""
        return self.format.dtype


def preflight(path: str | Path, channels: int | None = None) -> TiffHeader:
    """Read and check the headers of the TIFF at ``path``; no pixel is decoded.

    Parameters
    ----------
    channels : int, optional
        How many there are, where it is known which sequences they are; taken beside 1 and 3.

    Raises
    ------
    UnreadableFileError
        If it is not a TIFF, is cut short or damaged, or is of a kind that is not read.
    TooLargeError
        If it declares more than is unpacked.
    """
    path = Path(path)
    with read_errors(path), open_regular(path) as file:
        return _header(TiffFileHandle(path, file), channels)


def has_pages(path: Path) -> bool:
    """Whether the TIFF at ``path`` has more than one page; ``False`` if that cannot be told."""
    try:
        with open_regular(path) as file:
            return len(list(islice(TiffFileHandle(path, file).directories(), 2))) > 1
    except (UnreadableFileError, OSError):
        return False


def _header(file: TiffFileHandle, named: int | None) -> TiffHeader:
    remarks: list[str] = []
    directories = _slices(file, remarks)
    first = next(directories)
    form = page_format(first, named)
    palette = page_palette(first)
    _check_size(first, form, 1)
    pages = [_page(first, form)]
    segments = len(pages[0].offsets)
    for directory in directories:
        here = page_format(directory, named)
        if here != form:
            raise file.error(f"page {directory.page} is {here}, but page 1 is {form}: the pages do not fit together")
        other = page_palette(directory)
        if palette is not None and other is not None and not np.array_equal(palette, other):
            raise directory.error("its colours come from another palette than those of page 1")
        _check_size(directory, here, len(pages) + 1)
        page = _page(directory, here)
        segments += len(page.offsets)
        if segments > MAX_SEGMENTS:
            raise file.too_large(f"more than {MAX_SEGMENTS} strips or tiles")
        pages.append(page)
    _check_overlap(file, pages)
    text = first.text(270)
    try:
        arrangement = arrange(text, len(pages), form.samples, (form.height, form.width), named)
    except ArrangementError as error:
        raise file.error(str(error)) from error
    spacing = _spacing(first, arrangement)
    if spacing is not None and min(spacing) < _SMALLEST:
        voxel = " x ".join(f"{length:g}" for length in spacing)
        remarks.append(f"states voxels of {voxel} mm, which no MRI has; the spacing is not known")
        spacing = None
    planes = _ambiguous_planes(form, pages, text, named)
    if planes == "slices":
        form = replace(form, alpha=False, photometric=1)
    remarks += [*arrangement.remarks, *_remarks(form, planes)]
    return TiffHeader(
        file.path, file.byteorder, form, arrangement, tuple(pages), spacing, palette, planes, tuple(remarks)
    )


def _slices(file: TiffFileHandle, remarks: list[str]) -> Iterator[Directory]:
    """Directories of slices; small copies and transparency masks after the first are left out with a remark."""
    left_out = 0
    for directory in file.directories():
        if not directory.number(254, "the kind of page", 0) & (_PREVIEW | _TRANSPARENCY):
            yield directory
        elif directory.page == 1:
            raise directory.error("is a preview or a transparency mask, not a slice")
        else:
            left_out += 1
    if left_out:
        what = "1 page that is a preview" if left_out == 1 else f"{left_out} pages that are previews"
        remarks.append(f"{what} or a transparency mask: left out")


def _check_size(directory: Directory, form: PageFormat, pages: int) -> None:
    if form.height * form.width * form.samples * form.dtype.itemsize * pages > MAX_DECODED:
        what = f"{form}, {pages} page{'s or more' if pages > 1 else ''}"
        raise directory.file.too_large(f"would take more than {MAX_DECODED >> 20} MiB when decoded ({what})")


def _ambiguous_planes(
    form: PageFormat, pages: list[Page], text: str, named: int | None
) -> Literal["channels", "slices"] | None:
    """What three or four colour planes are: tifffile writes a stack of so many slices in the same way."""
    if len(pages) > 1 or not pages[0].planar or form.photometric != RGB or not text.startswith('{"shape": ['):
        return None
    return "slices" if named == 1 or (form.samples == 4 and named is None) else "channels"


def _remarks(form: PageFormat, planes: str | None) -> list[str]:
    remarks: list[str] = []
    if planes is not None:
        what = "slices" if planes == "slices" else "channels of one slice"
        remarks.append(
            f"{form.samples} colour planes, as tifffile writes a stack of {form.samples} slices: taken for "
            f"{what}; photometric='minisblack' says slices, planarconfig='contig' channels"
        )
    if form.alpha:
        remarks.append("its transparency channel says nothing and was left out")
    if form.photometric == PALETTE:
        remarks.append("colours come from a palette: taken for a scale of grey")
    if form.photometric == WHITE_IS_ZERO:
        remarks.append("white is stored as zero: its grey values were turned round, as the TIFF standard says")
    return remarks


def _page(directory: Directory, form: PageFormat) -> Page:
    number = directory.number(259, "the compression", 1)
    predictor = directory.number(317, "the predictor", 1)
    planar = directory.number(284, "the planar configuration", 1)
    if number not in COMPRESSIONS:
        readable = ", ".join(dict.fromkeys(COMPRESSIONS.values()))
        raise directory.error(f"compression {number} is not read; save it with one of: {readable}")
    compression = COMPRESSIONS[number]
    foreseen = compression in PREDICTED and not form.packed and predictor in ((2, 3) if form.kind == "f" else (2,))
    if predictor != 1 and not foreseen:
        raise directory.error(f"predictor {predictor} with compression {compression} is not read")
    if compression in PICTURES and form.bits < 8:
        raise directory.error(f"damaged: {form.bits}-bit pixels cannot be compressed as {compression}")
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
    pixel = form.dtype.itemsize * (1 if separate else form.samples)
    if high * wide * pixel > MAX_SEGMENT or number * high * wide * pixel > 2 * MAX_DECODED:
        raise directory.too_large(f"a strip or tile takes more than {MAX_SEGMENT >> 20} MiB when decoded")
    if number > MAX_SEGMENTS:
        raise directory.too_large(f"more than {MAX_SEGMENTS} strips or tiles")
    offsets = directory.array(324 if tiled else 273, "the list of strips or tiles", number)
    counts = directory.array(325 if tiled else 279, "the list of strip or tile sizes", number)
    _check_segments(directory, offsets, counts, 2 * high * wide * pixel + 1024)
    reversed_bits = directory.number(266, "the order of bits", 1) == 2
    tables = directory.blob(347) if compression == "JPEG" else b""
    return Page(offsets, counts, (high, wide), tiled, separate, compression, predictor, reversed_bits, tables)


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


def _spacing(first: Directory, arrangement: Arrangement) -> tuple[float, float, float] | None:
    if arrangement.spacing is not None:
        return arrangement.spacing
    unit, per_x, per_y = arrangement.unit, first.ratio(282), first.ratio(283)
    if arrangement.slice_distance is None or unit is None or per_x is None or per_y is None:
        return None
    return arrangement.slice_distance * unit, unit / per_y, unit / per_x
