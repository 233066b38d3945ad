"""DICOM: series of one slice a file, and enhanced multi-frame MR; headers by pydicom, pixels by pydicom or imagecodecs.

Slices are put in order by where they are (Image Position projected on the normal of Image Orientation), never by their
names or numbers. See DICOM PS3.3, sections C.7.6.2 (Image Plane) and C.7.6.16 (Multi-frame Functional Groups).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence as Seq
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import TooLargeError, UnreadableFileError, UnsupportedFileError
from metseg.study.formats.dicom_frames import DicomFrame, frames_of, sequence_of
from metseg.study.formats.reader import MAX_IMAGE, Found, Header, named, refused
from metseg.study.geometry import Geometry
from metseg.study.model import Problem, ProblemKind

#: A step between slices this much longer than usual means that slices are missing.
_GAP = 1.5
#: Slices that are farther from where they should be than this part of their distance are not evenly spaced.
_UNEVEN = 0.1
#: Transfer syntaxes (DICOM PS3.6, table A-1) that imagecodecs decodes, and its function for each.
_CODECS = {
    "1.2.840.10008.1.2.4.57": "ljpeg_decode",
    "1.2.840.10008.1.2.4.70": "ljpeg_decode",
    "1.2.840.10008.1.2.4.80": "jpegls_decode",
    "1.2.840.10008.1.2.4.81": "jpegls_decode",
    "1.2.840.10008.1.2.4.90": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.91": "jpeg2k_decode",
    "1.2.840.10008.1.2.4.201": "htj2k_decode",
    "1.2.840.10008.1.2.4.202": "htj2k_decode",
    "1.2.840.10008.1.2.4.203": "htj2k_decode",
}


class DicomReader:
    """Reads DICOM."""

    name = "DICOM"
    suffixes = (".dcm", ".dicom", ".ima")
    about = "MR series, one slice a file under any name, and enhanced multi-frame; all usual compressions"

    def recognises(self, head: bytes) -> bool:
        """Whether it has DICOM's preamble."""
        return head[128:132] == b"DICM"

    def find(self, files: Seq[Path], channels: int | None = None) -> Found:
        """Sort files, in any order and of any number of series, into volumes."""
        problems: list[Problem] = []
        series: dict[tuple[Any, ...], list[DicomFrame]] = defaultdict(list)
        for path in files:
            try:
                frames = frames_of(path)
            except UnreadableFileError as error:
                problem = refused(error)
                other = isinstance(error, UnsupportedFileError)  # reports and screenshots lie beside images
                problems.append(replace(problem, refused=False, kind=ProblemKind.NOT_READ) if other else problem)
                continue
            for frame in frames:
                series[frame.key].append(frame)
        images: list[Header] = []
        for group in _separate_volumes(list(series.values()), problems):
            try:
                images.append(_volume(group))
            except UnreadableFileError as error:
                problems.append(refused(error))
        order = {path: place for place, path in enumerate(files)}
        images.sort(key=lambda image: min(order[path] for path in image.files))
        return Found(tuple(images), tuple(problems))

    def read(self, header: Header) -> npt.NDArray[Any]:
        """Voxels (c, z, y, x)."""
        frames: tuple[DicomFrame, ...] = header.details
        try:
            voxels = np.empty((len(frames), *frames[0].size), header.dtype)
        except MemoryError as error:
            raise TooLargeError(header.path, "not enough memory") from error
        wanted: dict[Path, list[int]] = defaultdict(list)
        for place, frame in enumerate(frames):
            wanted[frame.path].append(place)
        for path, places in wanted.items():
            with named(path, "the pixels cannot be decoded"):
                pixels = _decoded(path, [frames[place].index for place in places])
            for place, plane in zip(places, pixels, strict=True):
                if plane.shape != voxels.shape[1:]:
                    raise UnreadableFileError(path, "a frame has another size than the header declares")
                voxels[place] = frames[place].scaled(plane, header.dtype)
        return header.in_order(voxels[None])


def _separate_volumes(series: list[list[DicomFrame]], problems: list[Problem]) -> list[list[DicomFrame]]:
    """Frames of one volume each: several at one place are told apart by echo, time and the like; duplicates go."""
    apart: list[list[DicomFrame]] = []
    many: dict[str, int] = defaultdict(int)
    for group in series:
        unique: dict[str, DicomFrame] = {}
        for frame in group:
            same = unique.setdefault(frame.instance, frame)
            if same is not frame:
                reason = f"is the same image as {same.path.name} and was left out"
                problems.append(Problem(frame.path, reason, refused=True, kind=ProblemKind.DUPLICATE))
        volumes: dict[tuple[Any, ...], list[DicomFrame]] = defaultdict(list)
        placed = [frame.position for frame in unique.values() if frame.position is not None]
        several = len(set(placed)) < len(placed)
        for frame in unique.values():
            volumes[frame.moment if several else ()].append(frame)
        apart += volumes.values()
        many[group[0].acquisition.series] += len(volumes)
    for series_, count in many.items():
        if count > 1:
            group = next(group for group in apart if group[0].acquisition.series == series_)
            reason = f"its series holds {count} volumes (of other size, direction, echo, time); each is read by itself"
            problems.append(Problem(group[0].path, reason, kind=ProblemKind.FORMAT))
    return apart


def _volume(frames: list[DicomFrame]) -> Header:
    """The volume that ``frames`` are the slices of."""
    first = frames[0]
    rows, columns = first.size
    nbytes = len(frames) * rows * columns * 4
    if nbytes > 2 * MAX_IMAGE:
        raise TooLargeError(first.path, f"would take {nbytes >> 20} MiB when decoded")
    ordered, geometry, remarks = _in_order(frames)
    files = tuple(dict.fromkeys(frame.path for frame in ordered))
    header = Header.of_volume(
        DicomReader.name,
        files,
        1,
        (len(ordered), rows, columns),
        _dtype(ordered),
        geometry,
        sequences=(sequence_of(first),),
        acquisition=first.acquisition,
        problems=tuple(Problem(first.path, text, kind=kind) for kind, text in remarks),
        details=tuple(ordered),
    )
    return replace(header, pages=_pages(ordered, files, geometry, header))


def _in_order(frames: list[DicomFrame]) -> tuple[list[DicomFrame], Geometry, list[tuple[ProblemKind, str]]]:
    """Frames in the order of their positions, where they are, and what is wrong with that."""
    first = frames[0]
    if any(frame.position is None or frame.directions is None for frame in frames):
        ordered = sorted(frames, key=lambda frame: (frame.number, frame.index))
        reason = "the header does not say where its slices are; they are in the order of their numbers"
        return ordered, Geometry.spaced(first.spacing), [(ProblemKind.SPACING, reason)]
    directions = np.array(first.directions)
    normal = np.cross(directions[0], directions[1])
    ordered = sorted(frames, key=lambda frame: float(np.dot(normal, frame.position or (0, 0, 0))))
    positions = np.array([frame.position for frame in ordered])
    heights = positions @ normal
    steps = np.diff(heights)
    if len(steps) and steps.min() < 1e-3:
        twice = ordered[int(np.argmin(steps)) + 1]
        raise UnsupportedFileError(
            twice.path, f"{len(frames)} slices of one series, of which several are at one place (a series in time?)"
        )
    if first.pixel is None:
        reason = "the header does not say how large a pixel is; the spacing is not known"
        return ordered, Geometry(), [(ProblemKind.SPACING, reason)]
    usual = float(np.median(steps)) if len(steps) else first.thickness
    if usual is None:
        reason = "one slice, whose thickness is not stated; the spacing is not known"
        return ordered, Geometry(), [(ProblemKind.SPACING, reason)]
    remarks = _irregular(heights, usual)
    down, across = first.pixel
    if remarks:
        return ordered, Geometry.spaced((usual, down, across)), remarks
    step = (positions[-1] - positions[0]) / (len(ordered) - 1) if len(steps) else normal * usual
    matrix = np.eye(4)
    matrix[:3, 0] = directions[0] * across
    matrix[:3, 1] = directions[1] * down
    matrix[:3, 2] = step
    matrix[:3, 3] = positions[0]
    return ordered, Geometry.placed(np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix), []


def _irregular(heights: npt.NDArray[np.float64], usual: float) -> list[tuple[ProblemKind, str]]:
    """Why slices at ``heights`` (mm) are no regular grid."""
    steps = np.diff(heights)
    gaps = [(place, round(step / usual) - 1) for place, step in enumerate(steps) if step > _GAP * usual]
    lost = "; where they are in the patient is not kept"
    if gaps:
        listed = ", ".join(f"{count} after slice {place + 1}" for place, count in gaps[:5])
        more = f" and {len(gaps) - 5} more gaps" if len(gaps) > 5 else ""
        return [(ProblemKind.GAP, f"missing slices: {listed}{more} (of {len(heights)}){lost}")]
    if len(steps) and np.abs(heights - np.linspace(heights[0], heights[-1], len(heights))).max() > _UNEVEN * usual:
        reason = f"slices are {steps.min():.3g} to {steps.max():.3g} mm apart{lost}"
        return [(ProblemKind.SPACING, reason)]
    return []


def _dtype(frames: list[DicomFrame]) -> np.dtype[Any]:
    if all(frame.slope == 1 and frame.intercept == 0 for frame in frames):
        return np.result_type(*{frame.dtype for frame in frames})
    return np.dtype(np.float32)


def _pages(
    ordered: list[DicomFrame], files: tuple[Path, ...], stored: Geometry, header: Header
) -> tuple[tuple[int, int], ...]:
    """Which file, and which frame of it, each slice is; counted on where slices run across the files."""
    along = header.geometry.step_to(stored)[:3, 2]
    if int(np.argmax(np.abs(along))) != 2 or header.shape[1] != len(ordered):
        return header.pages
    frames = ordered if along[2] > 0 else ordered[::-1]
    where = {path: place for place, path in enumerate(files)}
    return tuple((where[frame.path], frame.index) for frame in frames)


def _decoded(path: Path, frames: Seq[int]) -> list[npt.NDArray[Any]]:
    """Stored values (y, x) of some frames of a file.

    Raises
    ------
    UnreadableFileError
        If there are fewer frames, or one has another size than the header says.
    UnsupportedFileError
        If it is compressed in a way that is not read.
    """
    import pydicom
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    data = pydicom.dcmread(path)
    syntax = data.file_meta.TransferSyntaxUID
    if str(syntax) in _CODECS:
        return _by_imagecodecs(path, data, str(syntax), frames)
    try:
        available = not syntax.is_encapsulated or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):
        available = False
    if not available:
        raise UnsupportedFileError(path, f"is compressed as {syntax.name}, which is not read; save it uncompressed")
    pixels = np.asarray(pixel_array(data, raw=True))
    if pixels.ndim == 2:
        pixels = pixels[None]
    if max(frames) >= len(pixels):
        raise UnreadableFileError(path, f"holds {len(pixels)} frames, fewer than it declares")
    return [pixels[index] for index in frames]


def _by_imagecodecs(path: Path, data: Any, syntax: str, frames: Seq[int]) -> list[npt.NDArray[Any]]:
    import imagecodecs
    from pydicom.encaps import generate_frames

    count = int(data.get("NumberOfFrames", 1) or 1)
    encoded = list(generate_frames(data.PixelData, number_of_frames=count))
    decode = getattr(imagecodecs, _CODECS[syntax])
    bits, signed = int(data.BitsStored), bool(data.PixelRepresentation)
    planes = []
    for index in frames:
        plane = np.asarray(decode(encoded[index]))
        if plane.shape != (data.Rows, data.Columns):
            raise UnreadableFileError(path, f"frame {index + 1} is {plane.shape}, not as its header says")
        planes.append(_as_signed(plane, bits) if signed and plane.dtype.kind == "u" else plane)
    return planes


def _as_signed(plane: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Two's complement of ``bits`` bits, which the codec took for unsigned."""
    unused = 8 * plane.dtype.itemsize - bits
    signed: npt.NDArray[Any] = (plane << unused).view(plane.dtype.str.replace("u", "i")) >> unused
    return signed
