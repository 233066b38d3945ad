"""What a TIFF's description says about the order of its pages: slices, channels, time points.

Three programs write such descriptions: ImageJ (``images=``, ``channels=``, ``slices=``, ``frames=``; channels
run fastest), tifffile (``{"shape": [...], "axes": ...}``) and OME-TIFF (``SizeC``, ``SizeZ``, ``SizeT``,
``DimensionOrder``). A description that contradicts the pages is a reason to refuse: the rest of the image is
somewhere else, or gone.
"""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import dataclass, replace

_SLICE_AXES = "ZIQTR?"
_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b([^<>]{0,4096})>")
_ATTRIBUTE = re.compile(
    r'\b(SizeC|SizeZ|SizeT|DimensionOrder|PhysicalSize[XYZ](?:Unit)?)\s*=\s*["\']([^"\']{1,32})["\']'
)
#: No head has as many sequences: what is declared as more channels of one time point are slices.
_MOST_CHANNELS = 4
#: Length in mm of the units that ImageJ and OME write.
_MILLIMETRES = {
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-6),
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre", "millimeters", "millimetres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 10.0),
    **dict.fromkeys(("dm", "decimeter", "decimetre"), 100.0),
    **dict.fromkeys(("m", "meter", "metre"), 1000.0),
    **dict.fromkeys(("in", "inch", "inches", '"'), 25.4),
}


class ArrangementError(ValueError):
    """The pages cannot be put in order; the message says why."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How pages follow each other.

    Attributes
    ----------
    slices : int
        Slices in the file.
    channels : int
        Pages per slice: 1, or 3 where every channel has a page of its own.
    channels_fastest : bool
        Whether the channels of one slice follow each other.
    slice_distance : float or None
        In the unit of ``unit``, where ImageJ states it.
    unit : float or None
        ImageJ's unit of length in mm, in which the resolution of the pages is given, too.
    spacing : tuple of float or None
        (z, y, x) in mm, where OME states all three.
    remarks : tuple of str
        What was declared and is taken for something else.
    """

    slices: int
    channels: int = 1
    channels_fastest: bool = True
    slice_distance: float | None = None
    unit: float | None = None
    spacing: tuple[float, float, float] | None = None
    remarks: tuple[str, ...] = ()

    def place(self, page: int) -> tuple[int, int]:
        """Slice and channel of ``page``, counted from 0."""
        if self.channels_fastest:
            return page // self.channels, page % self.channels
        return page % self.slices, page // self.slices


def arrange(
    description: str, pages: int, samples: int, shape: tuple[int, int], named: int | None = None
) -> Arrangement:
    """Order the pages as ``description`` says; one after the other if it says nothing.

    Parameters
    ----------
    description : str
        ImageDescription of the first page.
    pages, samples : int
        Pages in the file, channels within each.
    shape : (int, int)
        Size of a page along (y, x).
    named : int, optional
        Number of channels that is read beside 1 and 3.

    Raises
    ------
    ArrangementError
        If the description contradicts the pages, or they are more than slices of so many channels.
    """
    text = description.lstrip("\ufeff \t\r\n")
    if text.startswith("ImageJ="):
        return _imagej(text, pages, samples, named)
    if text.startswith("{"):
        return _tifffile(text, pages, samples, shape, named)
    if text.startswith("<") and "<OME" in text:
        return _ome(text, pages, samples, named)
    return Arrangement(pages)


def _resolve(axes: list[tuple[str, int]], pages: int, samples: int, named: int | None, program: str) -> Arrangement:
    """Arrangement of page axes given slowest first, as (letter, length)."""
    declared = math.prod(length for _, length in axes)
    if declared != pages:
        raise ArrangementError(f"{program} declares {declared} images in it, but it holds {pages} pages")
    axes = [(letter, length) for letter, length in axes if length != 1]
    names = "".join("C" if letter == "C" else "Z" if letter in _SLICE_AXES else "X" for letter, _ in axes)
    channels = math.prod(length for letter, length in axes if letter == "C")
    if names == "C" and channels != named and (channels > _MOST_CHANNELS or samples != 1 or named == 1):
        return Arrangement(pages, remarks=(f"{program} declares {pages} channels of one slice: taken for slices",))
    if names not in ("", "Z", "C", "ZC", "CZ") or (channels not in (1, 3, named) or (channels != 1 != samples)):
        what = " x ".join(f"{length} {letter if letter != '?' else '(unnamed)'}" for letter, length in axes)
        raise ArrangementError(
            f"{program} declares pages of {what}: only slices of 1 or 3 channels are read unless their sequences are "
            "named; save slices with the axes ZYX"
        )
    return Arrangement(pages // channels, channels, channels_fastest=names != "CZ")


def _imagej(text: str, pages: int, samples: int, named: int | None) -> Arrangement:
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def number(name: str) -> int:
        value = fields.get(name, "1").strip()
        if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) == 0:
            raise ArrangementError(f"damaged: ImageJ declares {name}={value[:20]}")
        return int(value)

    if number("images") != pages:
        raise ArrangementError(f"ImageJ declares {number('images')} images in it, but it holds {pages} pages")
    slices = number("slices")
    channels = number("channels")
    frames = number("frames")
    if slices * channels * frames == 1:
        slices = pages
    if samples == channels and slices * frames == pages:
        channels = 1
    found = _resolve([("T", frames), ("Z", slices), ("C", channels)], pages, samples, named, "ImageJ")
    return replace(
        found,
        slice_distance=_positive(fields.get("spacing", "")),
        unit=_MILLIMETRES.get(fields.get("unit", "").strip().casefold()),
    )


def _tifffile(text: str, pages: int, samples: int, shape: tuple[int, int], named: int | None) -> Arrangement:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return Arrangement(pages)
    sizes = fields.get("shape") if isinstance(fields, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size > 0 for size in sizes):
        return Arrangement(pages)
    letters = fields.get("axes")
    if not isinstance(letters, str) or len(letters) != len(sizes):
        letters = "?" * len(sizes)
    leading = _leading(sizes, samples, shape)
    if leading is None:
        shown = " x ".join(map(str, sizes[:8]))
        raise ArrangementError(f"tifffile declares the shape {shown}, which its pages do not have")
    if math.prod(leading) == 1:
        return Arrangement(pages)
    return _resolve(list(zip(letters.upper(), leading, strict=False)), pages, samples, named, "tifffile")


def _leading(sizes: list[int], samples: int, shape: tuple[int, int]) -> list[int] | None:
    """The lengths in front of a page's own axes; ``None`` if ``sizes`` do not end in a page."""
    y, x = shape
    tails = [[y, x]] if samples == 1 else [[y, x, samples], [samples, y, x]]
    if samples == 1:
        tails.append([y, x, 1])
    for tail in tails:
        if sizes[-len(tail) :] == tail:
            return sizes[: -len(tail)]
    return None


def _ome(text: str, pages: int, samples: int, named: int | None) -> Arrangement:
    images = _PIXELS.findall(text)
    if len(images) != 1:
        raise ArrangementError(f"OME-TIFF with {len(images)} images: only one image a file is read")
    fields = {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(images[0])}
    order = fields.get("DimensionOrder", "XYZCT")
    sizes = {letter: fields.get(f"Size{letter}", "1") for letter in "CZT"}
    if sorted(order) != sorted("XYCZT") or not all(re.fullmatch(r"[1-9][0-9]{0,8}", size) for size in sizes.values()):
        raise ArrangementError("damaged: the OME description is not valid")
    lengths = {letter: int(size) for letter, size in sizes.items()}
    if lengths["C"] == samples:
        lengths["C"] = 1
    found = _resolve([(letter, lengths[letter]) for letter in reversed(order[2:])], pages, samples, named, "OME")
    return replace(found, spacing=_physical_size(fields))


def _physical_size(fields: dict[str, str]) -> tuple[float, float, float] | None:
    lengths: list[float] = []
    for axis in "ZYX":
        size = _positive(fields.get(f"PhysicalSize{axis}", ""))
        unit = _MILLIMETRES.get(fields.get(f"PhysicalSize{axis}Unit", "um").casefold())
        if size is None or unit is None:
            return None
        lengths.append(size * unit)
    return lengths[0], lengths[1], lengths[2]


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
