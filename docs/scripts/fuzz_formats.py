"""Damaged files of every format by the thousand: each is read as it declares or refused by name, in 2 s and 512 MiB.

    python docs/scripts/fuzz_formats.py [--number 30000] [--seed 0] [--only NIfTI]

Bytes of small files are changed, moved and removed, in headers more often than elsewhere. Each is read in a process
that may take 512 MiB more than it has; a process that dies is replaced, and what it died of is a fault, as are errors
without a name, arrays of another size or type than declared, more voxels than the file has room for, and reading that
takes more than 2 s of CPU time. Exits with 1 if there are faults.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import mmap
import os
import resource
import signal
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
import tifffile
from PIL import Image
from pydicom.encaps import encapsulate

from metseg.errors import MetsegError
from metseg.study import find_studies, load, read_study
from metseg.study.formats import find_images, read_voxels
from metseg.study.formats.writing import writer_named

SECONDS, MIB = 2.0, 512
SHAPE = (5, 24, 20)


@dataclass(frozen=True)
class Kind:
    """One sort of file: its bytes by name, of which the last are damaged; packed after that, if told.

    ``room`` is how many bytes of pixels the file has room for; ``whole`` whether they are outlines,
    for which the study is read each time.
    """

    files: dict[str, bytes]
    room: int
    pack: Callable[[bytes], bytes] = bytes
    whole: bool = False


def kinds(folder: Path) -> dict[str, Kind]:
    """Small files of every format and of its usual variants."""
    voxels = np.random.default_rng(1).integers(0, 900, SHAPE).astype(np.uint16)
    small = (voxels[0] // 4).astype(np.uint8)
    made: dict[str, Kind] = {}

    def put(name: str, path: str, write: Callable[[Path], object], room: int = voxels.nbytes, **more: Any) -> None:
        write(folder / path)
        made[name] = Kind({path: (folder / path).read_bytes()}, room, **more)

    for codec in (None, "zlib", "lzw", "packbits", "zstd", "lzma", "jpeg2000", "jpegxl"):
        put(f"TIFF {codec}", "a.tif", lambda path, c=codec: tifffile.imwrite(path, voxels, compression=c), 1 << 16)
    colours = np.stack([small, small // 2, small // 3], -1)
    tiffs: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
        "jpeg": (small, {"compression": "jpeg"}),
        "webp": (colours, {"compression": "webp", "photometric": "rgb"}),
        "tiles": (voxels, {"tile": (16, 16)}),
        "ImageJ": (voxels, {"imagej": True}),
        "BigTIFF": (voxels, {"bigtiff": True}),
        "big-endian": (voxels, {"byteorder": ">"}),
        "predictor": (voxels.astype(np.float32), {"compression": "zstd", "predictor": True}),
        "planar": (colours.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
        "1 bit": (small > 99, {}),
        "palette": (small, {"photometric": "palette", "colormap": np.stack([np.arange(256) * 257] * 3).astype("u2")}),
    }
    for name, (pixels, how) in tiffs.items():
        write_tiff = partial(tifffile.imwrite, data=pixels, **how)
        put(f"TIFF {name}", "a.tif", lambda path, w=write_tiff: w(path), 1 << 16)
    put("TIFF OME", "a.ome.tif", lambda path: tifffile.imwrite(path, voxels, ome=True), 1 << 16)
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])
    for dtype in (np.int16, np.float32):
        first = nibabel.Nifti1Image(voxels.T.astype(dtype), affine)
        put(f"NIfTI {np.dtype(dtype)}", "a.nii", lambda path, one=first: nibabel.save(one, path), 4 * voxels.nbytes)
    second = nibabel.Nifti2Image(voxels.T, affine)
    put("NIfTI-2", "a.nii", lambda path: nibabel.save(second, path), 4 * voxels.nbytes)
    put("NIfTI gzip", "a.nii.gz", lambda path: nibabel.save(second, path), 4 * voxels.nbytes)
    inner = nibabel.Nifti1Image(voxels.T, affine).to_bytes()
    packed: Callable[[bytes], bytes] = lambda content: gzip.compress(content, 1)  # noqa: E731
    made["NIfTI in gzip"] = Kind({"a.nii.gz": inner}, 4 * voxels.nbytes, packed)
    volume = sitk.GetImageFromArray(voxels)
    volume.SetSpacing((0.9, 0.8, 3.0))
    for ending, how in (("nrrd", "plain"), ("nrrd", "packed"), ("mha", "plain"), ("mha", "packed")):
        write = partial(sitk.WriteImage, volume, useCompression=how == "packed")
        put(f"{ending.upper()} {how}", f"a.{ending}", lambda path, w=write: w(fileName=str(path)), 4 * voxels.nbytes)
    for ending, data in (("nhdr", "raw"), ("mhd", "raw")):
        sitk.WriteImage(volume, str(folder / f"a.{ending}"))
        beside = {f"a.{end}": (folder / f"a.{end}").read_bytes() for end in (data, ending)}
        made[f"{ending.upper()} detached"] = Kind(beside, 4 * voxels.nbytes)
    deep = Image.fromarray(voxels[0])
    coloured = Image.fromarray(colours)
    for name, picture in (("grey", Image.fromarray(small)), ("16 bits", deep), ("colours", coloured)):
        put(f"PNG {name}", "a.png", picture.save, 1 << 16)
    for name, pixels, sort in (("grey", small, 0), ("16 bits", voxels[0].byteswap(), 0), ("colours", colours, 2)):
        depth, rows = 8 * pixels.itemsize, pixels.reshape(len(pixels), -1).view(np.uint8)
        header = b"".join(side.to_bytes(4, "big") for side in pixels.shape[1::-1]) + bytes([depth, sort, 0, 0, 0])
        made[f"PNG {name}, packed after"] = Kind(
            {"a.png": header + np.pad(rows, ((0, 0), (1, 0))).tobytes()}, 1 << 16, as_png
        )
    for name, picture, more in (
        ("grey", Image.fromarray(small), {}),
        ("colours", coloured, {}),
        ("progressive", coloured, {"progressive": True}),
        ("restarts", coloured, {"restart_marker_blocks": 2}),
    ):
        put(f"JPEG {name}", "a.jpg", lambda path, one=picture, o=more: one.save(path, **o), 1 << 30)
    slices = [dicom(plane, z) for z, plane in enumerate(voxels)]
    names = [f"IM{z}.dcm" for z in range(len(slices))]
    made["DICOM series"] = Kind(dict(zip(names, slices, strict=True)), 4 * voxels.nbytes)
    made["DICOM slice"] = Kind({"a.dcm": slices[0]}, 4 * voxels.nbytes)
    codecs: dict[str, tuple[str, Callable[[np.ndarray], bytes]]] = {
        "JPEG lossless": ("70", lambda plane: bytes(imagecodecs.ljpeg_encode(plane, bitspersample=16))),
        "JPEG-LS": ("80", lambda plane: bytes(imagecodecs.jpegls_encode(plane))),
        "JPEG 2000": ("90", lambda plane: bytes(imagecodecs.jpeg2k_encode(plane, level=0, codecformat="j2k"))),
    }
    for name, (syntax, encode) in codecs.items():
        made[f"DICOM {name}"] = Kind({"a.dcm": dicom(voxels[0], 0, (syntax, encode(voxels[0])))}, 1 << 16)
    made["DICOM multi-frame"] = Kind({"a.dcm": multi_frame(voxels)}, 4 * voxels.nbytes)
    (folder / "series").mkdir()
    for name, content in made["DICOM series"].files.items():
        (folder / "series" / name).write_bytes(content)
    study = read_study(folder / "series")
    lesion = (study.voxels[0] > 700).astype(np.uint8)
    for name, path in (("dicom-seg", "outlines.dcm"), ("rtstruct", "outlines.rtstruct.dcm")):
        writer_named(name).write(folder / path, lesion, study, mask=True, about=None)
        outlines = {path: (folder / path).read_bytes()}
        made[f"DICOM {name}"] = Kind(made["DICOM series"].files | outlines, 4 * voxels.nbytes, whole=True)
    return made


def as_png(content: bytes) -> bytes:
    """A PNG of a header (13 bytes) and rows, packed and with the right checksums, so that damage gets past them."""
    chunks = ((b"IHDR", content[:13]), (b"IDAT", zlib.compress(content[13:])), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in chunks
    )


def multi_frame(voxels: np.ndarray) -> bytes:
    """The slices as one enhanced multi-frame file."""
    data = pydicom.dcmread(io.BytesIO(dicom(voxels[0], 0)))
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedMRImageStorage
    data.NumberOfFrames = len(voxels)
    del data.ImagePositionPatient, data.ImageOrientationPatient, data.PixelSpacing, data.SliceThickness
    shared, measures, orientation = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.8, 0.9], 3
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = []
    for z in range(len(voxels)):
        frame, position = pydicom.Dataset(), pydicom.Dataset()
        position.ImagePositionPatient = [0, 0, 3 * z]
        frame.PlanePositionSequence = [position]
        data.PerFrameFunctionalGroupsSequence.append(frame)
    data.PixelData = voxels.astype("<u2").tobytes()
    content = io.BytesIO()
    data.save_as(content, enforce_file_format=True)
    return content.getvalue()


def dicom(plane: np.ndarray, z: int, coded: tuple[str, bytes] | None = None) -> bytes:
    """One slice of a series; ``coded`` has the end of a transfer syntax and the compressed pixels."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{z + 1}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.3", "1.2.3.4", "MR"
    data.PatientID, data.SeriesDescription, data.InstanceNumber = "P", "T2 FLAIR", z + 1
    data.FrameOfReferenceUID, data.SeriesNumber = "1.2.3.5", 1
    data.Rows, data.Columns = plane.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 3 * z], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [0.8, 0.9], 3
    data.PixelData = plane.astype("<u2").tobytes()
    if coded is not None:
        data.file_meta.TransferSyntaxUID = pydicom.uid.UID(f"1.2.840.10008.1.2.4.{coded[0]}")
        data.PixelData = encapsulate([coded[1]])
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    content = io.BytesIO()
    data.save_as(content, enforce_file_format=True)
    return content.getvalue()


def damaged(content: bytes, chance: np.random.Generator) -> bytes:
    """``content`` with one to three injuries."""
    data = bytearray(content)
    for _ in range(chance.integers(1, 4)):
        if not data:
            break
        at = int(chance.integers(min(600, len(data)) if chance.random() < 0.7 else len(data)))
        match int(chance.integers(6)):
            case 0:
                data[at] = int(chance.integers(256))
            case 1:
                data[at] ^= 1 << int(chance.integers(8))
            case 2:
                data[at : at + 4] = bytes([int(chance.choice([0, 1, 127, 128, 255]))] * 4)
            case 3:
                del data[at : at + int(chance.integers(1, 16))]
            case 4:
                source = int(chance.integers(len(data)))
                data[at : at + 4] = data[source : source + 4]
            case _:
                del data[at if chance.random() < 0.3 else len(data) :]
    return bytes(data)


def fault_of(folder: Path, kind: Kind, *, whole: bool) -> tuple[str, str]:
    """Read the files in ``folder``: what came of it in a word, and what is wrong with that."""
    files = sorted(folder.iterdir())
    start = time.process_time()
    outcome = "refused"
    try:
        found = find_images(files)
        for problem in found.problems:
            if problem.path not in files or not problem.reason:
                return outcome, f"a problem without file or reason: {problem}"
        for header in found.images:
            try:
                voxels = read_voxels(header)
            except MetsegError as error:
                if not str(error):
                    return outcome, "an error without a reason"
                continue
            outcome = "read"
            if voxels.shape != header.shape or voxels.dtype != header.dtype:
                return outcome, f"{voxels.shape} {voxels.dtype}, declared {header.shape} {header.dtype}"
            if voxels.size > 8 * kind.room:
                return outcome, f"{voxels.shape} from a file that has room for {kind.room} bytes"
        if whole or kind.whole:
            studies = [study for files_of_one in find_studies(folder) for study in load(files_of_one).studies]
            if kind.whole:
                outcome = "read" if any(study.mask is not None for study in studies) else "refused"
    except MetsegError:
        pass
    except BaseException as error:  # what no reader may let through
        return outcome, f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    return outcome, f"{seconds:.1f} s" if seconds > SECONDS else ""


def attempt(name: str, kind: Kind, numbers: range, seed: int) -> tuple[Counter[str], list[str]]:
    """Read damaged files of one kind, in as many processes as it takes."""
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    current = mmap.mmap(-1, 8)
    first = numbers.start
    while first < numbers.stop:
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receive)
            _work(name, kind, range(first, numbers.stop), seed, current, send)
            os._exit(0)
        os.close(send)
        with os.fdopen(receive, "rb") as file:
            lines = [json.loads(line) for line in file.read().splitlines()]
        _, status = os.waitpid(child, 0)
        for number, outcome, fault in lines:
            outcomes[outcome] += 1
            if fault:
                faults.append(f"{name}, number {number}: {fault}")
        first = numbers.stop
        if status:
            number = int.from_bytes(current[:8], "little")
            what = signal.strsignal(status & 127) if status & 127 else f"status {status >> 8}"
            faults.append(f"{name}, number {number}: died ({what})")
            first = number + 1
    return outcomes, faults


def _work(name: str, kind: Kind, numbers: range, seed: int, current: mmap.mmap, send: int) -> None:
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (MIB << 20),) * 2)
    with tempfile.TemporaryDirectory() as place, os.fdopen(send, "w") as out:
        *others, (target, content) = kind.files.items()
        for path, whole in others:
            Path(place, path).write_bytes(whole)
        for number in numbers:
            current[:8] = number.to_bytes(8, "little")
            chance = np.random.default_rng([seed, len(name), sum(name.encode()), number])
            Path(place, target).unlink(missing_ok=True)
            Path(place, target).write_bytes(kind.pack(damaged(content, chance)))
            signal.setitimer(signal.ITIMER_PROF, 10 * SECONDS)
            outcome, fault = fault_of(Path(place), kind, whole=number % 5 == 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            out.write(json.dumps([number, outcome, fault]) + "\n")
            out.flush()


def main() -> None:
    """Read as many damaged files as were asked for, and exit with 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=30_000, help="damaged files of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds whose names begin so")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = {name: kind for name, kind in kinds(Path(folder)).items() if name.startswith(options.only)}
    all_faults: list[str] = []
    total: Counter[str] = Counter()
    for name, kind in made.items():
        outcomes, faults = attempt(name, kind, range(-(-options.number // len(made))), options.seed)
        total += outcomes
        all_faults += faults
        print(f"{name}: {outcomes['read']} read, {outcomes['refused']} refused, {len(faults)} faults", flush=True)
    print(*all_faults, sep="\n")
    print(f"{sum(total.values())} files: {total['read']} read, {total['refused']} refused, {len(all_faults)} faults")
    sys.exit(bool(all_faults))


if __name__ == "__main__":
    main()
