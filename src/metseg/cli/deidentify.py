"""``metseg deidentify``: DICOM files without what names a patient."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from metseg.cli.console import echo, leave_with, out
from metseg.cli.progress import follow
from metseg.errors import DataError

#: Environment variable of the key.
KEY = "METSEG_DEIDENTIFICATION_KEY"


def deidentify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with DICOM files, at any depth.")],
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder.")],
) -> None:
    """Copy MR series, SEG and RTSTRUCT without what names a patient (DICOM PS3.15, Basic Profile).

    Identifiers and dates are replaced consistently over all files; with the same METSEG_DEIDENTIFICATION_KEY in the
    environment over several runs, too. Private attributes are removed, files get new names. Burned-in annotation,
    screenshots and reports are refused, listed, and make the exit status 1.

    Pixels stay as they are: a face can be made out in a head's surface. Check what is written before it is given away.
    """
    from metseg.deidentification import deidentifying, dicom_files

    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder")
    files = dicom_files(folder)
    if not files:
        raise DataError(f"{folder}: no DICOM file in it")
    key = os.environ.get(KEY)
    done = follow(deidentifying(files, out_, key=key.encode() if key else None), "de-identifying")
    echo(out(), f"{done.written} file{'s' * (done.written != 1)} in {out_}")
    leave_with(done.refused)
