"""Answers as files."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.preprocessing import Preprocessor, display_window
from metseg.reporting import write_structured_report
from metseg.server.problems import ProblemError
from metseg.server.responses.documents import as_document
from metseg.server.responses.forms import DICOM, GZIP, JSON, NIFTI, PNG, TIFF, ZIP, View
from metseg.server.responses.result import SegmentedUpload
from metseg.server.upload_decoding import Decoded
from metseg.study import MASK_ENDING, Sequence, SliceFile, Study, sidecar_of, write_tiff
from metseg.study.formats import mask_volume
from metseg.study.formats.dicom_objects import SourceSeries
from metseg.study.formats.writing import writer_named
from metseg.study.results import result_files

#: The date of files in a zip: the same masks give the same bytes.
_NO_DATE = (1980, 1, 1, 0, 0, 0)
#: Colour of outlines, red first, and how much of it is on the voxels inside.
_OUTLINE, _FILL = np.array((255, 176, 0), np.float32), 0.22
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_EXTENSIONS = {PNG: "png", TIFF: "tif", GZIP: "nii.gz", NIFTI: "nii", ZIP: "zip", DICOM: "dcm"}


@dataclass(frozen=True, slots=True)
class RenderedResponse:
    """An answer as bytes.

    Attributes
    ----------
    media_type : str
        Its type.
    headers : dict of str
        What else is said of it.
    """

    content: bytes
    media_type: str
    headers: dict[str, str] = field(default_factory=dict)


def check_form(media_type: str, view: View, decoded: Decoded, z: int | None) -> None:
    """Check, before the network runs, that an answer of this form can be made of the upload.

    404 if there is no such slice; 406 for a PNG of several slices, or DICOM of what is no DICOM series.
    """
    depth = decoded.study.shape[0]
    if z is not None and z >= depth:
        raise ProblemError(404, f"no slice {z}: there are {depth}, counted from 0")
    if media_type == PNG and z is None and depth > 1:
        raise ProblemError(406, f"a PNG holds one slice: add ?slice=0 to {depth - 1}, or accept {TIFF}")
    if media_type == DICOM or view is View.REPORT:
        with _dicom_series(decoded) as study:
            SourceSeries.of(study)


@contextmanager
def _dicom_series(decoded: Decoded) -> Iterator[Study]:
    """The study that a DICOM answer is made of.

    406 if it is no series that DICOM objects can refer to; 422 if its headers are damaged.
    """
    try:
        with decoded.series() as study:
            yield study
    except DataError as error:
        raise ProblemError(406, f"cannot be answered as DICOM: {error} (Accept: {GZIP})") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # pydicom and highdicom raise what they like on headers that other programs wrote.
        raise ProblemError(422, f"the series' headers are damaged ({type(error).__name__}); accept {GZIP}") from error


def render(result: SegmentedUpload, media_type: str, view: View, z: int | None, request_id: str) -> RenderedResponse:
    """The answer as ``media_type``.

    Parameters
    ----------
    media_type : str
        One of :func:`~metseg.server.responses.offers` for ``view``.
    z : int or None
        The slice of a PNG.

    404 if the disagreement of a single network is asked for.
    """
    made = result.segmentation
    if view is View.DISAGREEMENT and made.disagreement is None:
        raise ProblemError(404, f"{result.model} is no ensemble whose members could be apart, or cannot say how far")
    headers = {
        "X-Model-Name": result.model,
        "X-Model-SHA256": made.weights_sha256,
        "X-CLAHE": made.clahe.value,
        "X-Target": str(made.target),
        "Vary": "Accept",
    }
    spacing = result.decoded.study.geometry.spacing
    if spacing is not None:
        headers["X-Voxel-Spacing"] = " ".join(f"{step:.9g}" for step in spacing)
    if media_type == JSON:
        return RenderedResponse(as_document(result, request_id).model_dump_json().encode(), media_type, headers)
    headers["Content-Disposition"] = f'attachment; filename="{view}.{_EXTENSIONS[media_type]}"'
    return RenderedResponse(_content(result, media_type, view, z or 0), media_type, headers)


def _content(result: SegmentedUpload, media_type: str, view: View, z: int) -> bytes:
    if media_type == PNG:
        return _png(result, view, z)
    if media_type == TIFF:
        return _tiff(*_pages(result, view), result.decoded.study.geometry.spacing)
    if media_type == DICOM or view is View.REPORT:
        return _dicom(result, view)
    if media_type == ZIP:
        return _zip(result)
    volume = _volume(result, view)
    return gzip.compress(volume, 6, mtime=0) if media_type == GZIP else volume


def _png(result: SegmentedUpload, view: View, z: int) -> bytes:
    """One slice; three channels are red, green and blue."""
    if view is View.OVERLAY:
        picture = _overlay(result, z)
    else:
        pages, channels = _pages(result, view, slice(z, z + 1))
        pages = _of_a_picture(pages)
        picture = pages[0] if channels else pages[0][..., None]
    done, content = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    if not done:
        raise RuntimeError("OpenCV could not write a PNG")
    return content.tobytes()


def _overlay(result: SegmentedUpload, z: int) -> npt.NDArray[np.uint8]:
    """FLAIR, or what stands for it, with the mask's outline, uint8 (y, x, 3), red first."""
    study = result.decoded.study
    volume = study.voxels[study.channel(Sequence.FLAIR)]
    low, high = display_window(volume)
    gray = ((volume[z].astype(np.float32) - low) / (high - low)).clip(0, 1) * 255
    picture = np.repeat(gray[..., None], 3, axis=-1)
    mask = result.segmentation.mask[z]
    inside = mask.astype(bool)
    edge = inside & (cv2.erode(mask, _CROSS, borderValue=0) == 0)
    picture[inside] = (1 - _FILL) * picture[inside] + _FILL * _OUTLINE
    picture[edge] = _OUTLINE
    return np.asarray(np.rint(picture), np.uint8)


def _enhanced(result: SegmentedUpload, part: slice) -> npt.NDArray[np.uint8]:
    """Slices after the model's window and CLAHE, uint8 (c, z, y, x); one channel if one was sent."""
    config = result.segmentation.preprocessing.with_clahe(True)
    study = result.decoded.study
    preprocessor = Preprocessor(config, study.select([Sequence(name) for name in config.sequences]))
    slices = [preprocessor.enhanced(z) for z in range(study.shape[0])[part]]
    shown = np.rint(np.stack(slices, axis=1) * 255).astype(np.uint8)
    return shown if len(study.sequences) == 3 == len(shown) else shown[:1]


def _of_a_picture(pages: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Numbers that a PNG can hold: other types than uint8 and uint16 are stretched over 16 bits."""
    if pages.dtype in (np.uint8, np.uint16):
        return pages
    values = pages.astype(np.float64)
    low, span = values.min(), np.ptp(values) or 1.0
    return np.asarray(np.rint((values - low) * (np.iinfo(np.uint16).max / span)), np.uint16)


def _pages(result: SegmentedUpload, view: View, part: slice = slice(None)) -> tuple[npt.NDArray[Any], bool]:
    """Slices (z, y, x), or (z, y, x, 3) and ``True``."""
    if view is View.MASK:
        return result.segmentation.mask[part] * np.uint8(255), False
    if view in (View.PROBABILITY, View.DISAGREEMENT):
        return np.rint(_numbers(result, view)[part] * 255).astype(np.uint8), False
    voxels = result.decoded.study.voxels[:, part]
    if view is View.ENHANCED:
        voxels = _enhanced(result, part)
    return (voxels.transpose(1, 2, 3, 0), True) if len(voxels) == 3 else (voxels[0], False)


def _tiff(pages: npt.NDArray[Any], channels: bool, spacing: tuple[float, float, float] | None) -> bytes:
    """What `metseg predict` would write."""
    with TemporaryDirectory(prefix="metseg-answer-") as folder:
        path = Path(folder, "answer.tif")
        write_tiff(path, pages[0] if len(pages) == 1 else pages, channels=channels, spacing=spacing)
        return path.read_bytes()


def _numbers(result: SegmentedUpload, view: View) -> npt.NDArray[Any]:
    """Voxels (z, y, x) of the mask, 0 and 1, of the probability or of the disagreement, float32."""
    made = result.segmentation
    apart = made.disagreement if view is View.DISAGREEMENT else None
    return apart if apart is not None else made.mask if view is View.MASK else made.probabilities


def _volume(result: SegmentedUpload, view: View) -> bytes:
    """A NIfTI of the numbers, on the grid of the file that was sent."""
    study = result.decoded.study
    return mask_volume(_numbers(result, view), study.geometry, study.stored)


def _dicom(result: SegmentedUpload, view: View) -> bytes:
    """What `metseg predict` would write as dicom-seg or rtstruct; for a report a zip of SEG and report."""
    made = result.segmentation
    volume = np.rint(made.probabilities * 255).astype(np.uint8) if view is View.PROBABILITY else made.mask
    writer = writer_named("rtstruct" if view is View.CONTOURS else "dicom-seg")
    with _dicom_series(result.decoded) as study, TemporaryDirectory(prefix="metseg-answer-") as folder:
        path = Path(folder, f"segmentation{writer.suffix}")
        writer.write(path, volume, study, mask=view is not View.PROBABILITY, about=made.provenance)
        if view is not View.REPORT:
            return path.read_bytes()
        report = path.with_name("report.dcm")
        write_structured_report(report, study, made.measured, path, made.provenance)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
            for file in (path, sidecar_of(path), report, sidecar_of(report)):
                _add(archive, file.name, file)
        return content.getvalue()


def _zip(result: SegmentedUpload) -> bytes:
    """One mask for each file that was sent, under its name, as `metseg predict` writes them."""
    study, mask = result.decoded.study, result.segmentation.mask
    paged = {entry.image for entry in study.slices if entry.page or study.stored is not None}
    series = study.stored is not None and len(study.stored.files) > 1
    slices = study.slices or tuple(SliceFile(Path("upload"), page=z) for z in range(study.shape[0]))
    files = result_files(study.name, slices, None, lambda _: series, lambda image: image in paged)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive, TemporaryDirectory() as folder:
        for file, indices in files.items():
            path = Path(folder, f"mask{file.writer.suffix}")
            part = mask if file.writer.whole else mask[indices]
            file.writer.write(path, part, study, mask=True, about=result.segmentation.provenance)
            name = f"{file.path.as_posix()}{MASK_ENDING}"
            _add(archive, f"{name}{file.writer.suffix}", path)
            _add(archive, f"{name}.json", sidecar_of(path))
    return content.getvalue()


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    """Move a file into the zip, if it is there."""
    if path.exists():
        archive.writestr(zipfile.ZipInfo(name, _NO_DATE), path.read_bytes())
        path.unlink()
