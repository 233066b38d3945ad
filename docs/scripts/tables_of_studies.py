"""Writes the table of layouts in docs/studies.md by reading a small example of each.

    python docs/scripts/tables_of_studies.py [--check]

What a layout is taken for is what ``metseg.study`` says of it, so that the table cannot say anything else. With
``--check`` nothing is written; exits with 1 if the table is not current.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
import tifffile
from fuzz_formats import dicom
from PIL import Image

from metseg.errors import MetsegError
from metseg.study import find_studies, load

PAGE = Path(__file__).parents[1] / "studies.md"
BEGIN, END = "<!-- layouts: written by docs/scripts/tables_of_studies.py -->", "<!-- end of layouts -->"

Write = Callable[[Path], object]
_SIZE = (4, 24, 20)


def voxels(name: str, dtype: Any = np.uint16) -> np.ndarray:
    """Numbers (z, y, x) that are others for each name."""
    return np.random.default_rng(sum(name.encode())).integers(1, 200, _SIZE).astype(dtype)


def lesion() -> np.ndarray:
    """A mask (z, y, x)."""
    mask = np.zeros(_SIZE, np.uint8)
    mask[:, 6:12, 5:11] = 1
    return mask


def content(path: Path) -> np.ndarray:
    """What a file of this name holds in the examples."""
    is_mask = any(word in str(path) for word in ("mask", "seg", "label"))
    return lesion() if is_mask else voxels(path.name.replace(" - Copy", ""))


def tiff(path: Path) -> None:
    """One slice."""
    tifffile.imwrite(path, content(path)[0])


def stack(path: Path) -> None:
    """Several slices."""
    tifffile.imwrite(path, content(path))


def nifti(path: Path) -> None:
    """A volume."""
    nibabel.save(nibabel.Nifti1Image(content(path).T, np.diag([-1.0, -1.0, 3.0, 1.0])), path)


def picture(path: Path) -> None:
    """One slice as PNG or JPEG."""
    Image.fromarray((content(path)[0] * (255 if content(path).max() == 1 else 1)).astype(np.uint8)).save(path)


def itk(path: Path) -> None:
    """A volume of SimpleITK's."""
    image = sitk.GetImageFromArray(content(path))
    image.SetSpacing((1.0, 1.0, 3.0))
    sitk.WriteImage(image, str(path))


def series(path: Path) -> None:
    """One slice of a series."""
    number = int("".join(filter(str.isdigit, path.name)))
    path.write_bytes(dicom(voxels("series")[number % 4], number % 4))


@dataclass(frozen=True)
class Example:
    """A layout: files and how they are written, as they are named in a folder."""

    title: str
    files: dict[str, Write]


def of(title: str, write: Write, *names: str, **more: Write) -> Example:
    """An example whose files are all written alike."""
    return Example(title, dict.fromkeys(names, write) | more)


EXAMPLES = (
    of("slices and masks", tiff, "P/P_1.tif", "P/P_1_mask.tif", "P/P_2.tif", "P/P_2_mask.tif"),
    of("a stack and its mask", stack, "P.tif", "P_mask.tif"),
    of("folders of images and masks", tiff, "images/P_1.tif", "images/P_2.tif", "masks/P_1.tif", "masks/P_2.tif"),
    of("numbers in brackets", tiff, "P/slice (1).tif", "P/slice (2).tif"),
    of("numbers that are not last", tiff, "P/P_1_flair.tif", "P/P_2_flair.tif"),
    of("slices, one file a sequence", tiff, "P/P_1_t1.tif", "P/P_1_flair.tif", "P/P_2_t1.tif", "P/P_2_flair.tif"),
    of("Explorer's copy", tiff, "P/P_1.tif", "P/P_1 - Copy.tif", "P/P_2.tif"),
    of("visits", stack, "P/visit1/flair.tif", "P/visit2/flair.tif"),
    of("volumes, one file a sequence", nifti, "P/P_t1c.nii.gz", "P/P_flair.nii.gz", "P/P_seg.nii.gz"),
    of("BraTS", nifti, *(f"BraTS-MET-00001-000/BraTS-MET-00001-000-{kind}.nii.gz" for kind in ("t1c", "t2f", "seg"))),
    of(
        "nnU-Net",
        nifti,
        "imagesTr/P_0000.nii.gz",
        "imagesTr/P_0001.nii.gz",
        "labelsTr/P.nii.gz",
        **{"dataset.json": lambda path: path.write_text('{"channel_names": {"0": "T1c", "1": "FLAIR"}}')},
    ),
    of(
        "BIDS",
        nifti,
        "sub-01/anat/sub-01_ce-gad_T1w.nii.gz",
        "sub-01/anat/sub-01_FLAIR.nii.gz",
        "derivatives/manual/sub-01/anat/sub-01_dseg.nii.gz",
    ),
    of("a DICOM series", series, "P/IM0", "P/IM1", "P/IM2", "P/IM3"),
    of("NRRD and its mask", itk, "P.nrrd", "P_mask.nrrd"),
    of("MetaImage and its mask", itk, "P.mha", "P_mask.mha"),
    of("PNG slices and masks", picture, "P/P_1.png", "P/P_1_mask.png"),
    of("JPEG slices", picture, "P/P_1.jpg", "P/P_2.jpg"),
    of("a mask alone", tiff, "P_mask.tif"),
    Example("BMP", {"P_1.bmp": picture}),
    Example("text called .tif", {"P_1.tif": lambda path: path.write_text("a slice of a head")}),
    Example("an empty file", {"P_1.tif": lambda path: path.write_bytes(b"")}),
    Example("complex numbers", {"P_1.tif": lambda path: tifffile.imwrite(path, voxels("P")[0].astype(np.complex64))}),
    Example(
        "two channels without names",
        {"P_1.tif": lambda path: tifffile.imwrite(path, voxels("P")[:2], imagej=True, metadata={"axes": "CYX"})},
    ),
    Example(
        "a series of four volumes",
        {"P.nii.gz": lambda path: nibabel.save(nibabel.Nifti1Image(np.ones((9, 8, 7, 4)), np.eye(4)), path)},
    ),
    Example(
        "a header without its voxels", {"P.mhd": lambda path: path.write_text("NDims = 3\nElementDataFile = P.raw")}
    ),
)


def table() -> str:
    """All examples in Markdown."""
    rows = [f"| {one.title} | {_files(one)} | {_taken_for(one)} |" for one in EXAMPLES]
    return "\n".join(["| layout | example | is read as |", "| --- | --- | --- |", *rows])


def _files(example: Example) -> str:
    return ", ".join(f"`{name}`" for name in example.files)


def _taken_for(example: Example) -> str:
    with tempfile.TemporaryDirectory() as folder:
        for name, write in example.files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
        said: list[str] = []
        refused: list[str] = []
        try:
            for files in find_studies(folder):
                loaded = load(files)
                refused += [problem.reason for problem in loaded.problems if problem.refused]
                for study in loaded.studies:
                    slices = f"{study.shape[0]} slice{'s' * (study.shape[0] > 1)}"
                    masks = sum(entry.mask is not None for entry in study.slices)
                    drawn = f", {'mask' if masks == study.shape[0] else f'{masks} with a mask'}" if masks else ""
                    visit = f", a visit of {files.patient}" if files.visit_of else ""
                    said.append(f"{study.name}{visit}: {slices}, {' + '.join(study.sequences)}{drawn}")
        except MetsegError as error:
            refused.append(str(error).replace(f"{folder}/", "").replace(folder, "DIR"))
        text = "; ".join([*said, *(f"refused: {reason}" for reason in dict.fromkeys(refused))])
        return re.sub(r" \(\.[^ ]*, .*?\)", "", text).replace("\n", "; ").replace("|", "\\|")


def main() -> None:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if it is not current")
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    current = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    if parser.parse_args().check:
        if current != page:
            print(table())
            sys.exit("docs/studies.md: the table of layouts is not current")
    else:
        PAGE.write_text(current, encoding="utf-8")


if __name__ == "__main__":
    main()
