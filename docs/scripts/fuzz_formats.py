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
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
import tifffile
from PIL import Image

from metseg.errors import MetsegError
from metseg.study import find_studies, load
from metseg.study.formats import find_images, read_voxels

SECONDS, MIB = 2.0, 512
SHAPE = (5, 24, 20)


@dataclass(frozen=True)
class Kind:
    """One sort of file: its bytes by name, of which the last are damaged; compressed after that, if told."""

    files: dict[str, bytes]
    room: int
    pack: Callable[[bytes], bytes] = bytes


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
    put("TIFF jpeg", "a.tif", lambda path: tifffile.imwrite(path, small, compression="jpeg"), 1 << 16)
    put("TIFF tiles", "a.tif", lambda path: tifffile.imwrite(path, voxels, tile=(16, 16)), 1 << 16)
    put("TIFF ImageJ", "a.tif", lambda path: tifffile.imwrite(path, voxels, imagej=True), 1 << 16)
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
    deep = Image.fromarray(voxels[0])
    colours = Image.fromarray(np.stack([small, small // 2, small // 3], -1))
    for name, picture in (("grey", Image.fromarray(small)), ("16 bits", deep), ("colours", colours)):
        put(f"PNG {name}", "a.png", picture.save, 1 << 16)
    for name, picture, more in (
        ("grey", Image.fromarray(small), {}),
        ("colours", colours, {}),
        ("progressive", colours, {"progressive": True}),
    ):
        put(f"JPEG {name}", "a.jpg", lambda path, one=picture, o=more: one.save(path, **o), 1 << 30)
    slices = [dicom(plane, z) for z, plane in enumerate(voxels)]
    names = [f"IM{z}.dcm" for z in range(len(slices))]
    made["DICOM series"] = Kind(dict(zip(names, slices, strict=True)), 4 * voxels.nbytes)
    made["DICOM slice"] = Kind({"a.dcm": slices[0]}, 4 * voxels.nbytes)
    return made


def dicom(plane: np.ndarray, z: int) -> bytes:
    """One slice of a series."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{z + 1}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.3", "1.2.3.4", "MR"
    data.PatientID, data.SeriesDescription, data.InstanceNumber = "P", "T2 FLAIR", z + 1
    data.Rows, data.Columns = plane.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 3 * z], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [0.8, 0.9], 3
    data.PixelData = plane.astype("<u2").tobytes()
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


def fault_of(folder: Path, room: int, whole: bool) -> tuple[str, str]:
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
            if voxels.size > 8 * room:
                return outcome, f"{voxels.shape} from a file that has room for {room} bytes"
        if whole:
            for files_of_one in find_studies(folder):
                load(files_of_one)
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
            outcome, fault = fault_of(Path(place), kind.room, number % 5 == 0)
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
