"""``metseg project save``: the outlines of a case as one file, such as for a PACS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metseg.cli.console import out, plain
from metseg.cli.project import Case, Folder
from metseg.errors import DataError


def save(
    project: Folder,
    case: Case,
    out_: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help=".dcm (DICOM SEG), .rtstruct.dcm, .nii.gz or .tif; must be new."),
    ],
    report: Annotated[
        bool,
        typer.Option("--report", help="Also <FILE>_report.pdf, and of a DICOM SEG <FILE>_report.dcm (TID 1500)."),
    ] = False,
) -> None:
    """Write the outlines of a case as they are now, corrected or not, for other programs.

    DICOM needs cases of DICOM series. Each lesion says how it was drawn: AUTOMATIC, SEMIAUTOMATIC or MANUAL. Beside the
    file its .json says which network proposed, and where the case stands.
    """
    from metseg.curation import Project
    from metseg.reporting import Outlined, write_page, write_structured_report
    from metseg.study import writer_of

    writer = writer_of(out_)
    page = out_.with_name(f"{out_.name.removesuffix(writer.suffix)}_report.pdf")
    structured = page.with_suffix(".dcm")
    if there := [path for path in (out_, *((page, structured) if report else ())) if path.exists()]:
        raise DataError(f"{there[0]}: is there already; choose another --out")
    outlined = Outlined.of_case(Project.open(project).read_case(case))
    study, labels, about = outlined.study, outlined.labels, outlined.about
    out_.parent.mkdir(parents=True, exist_ok=True)
    writer.write(out_, labels if writer.whole else (labels > 0).view("uint8"), study, mask=True, about=about)
    written = [out_]
    if report:
        write_page(page, study, labels, outlined.lesions, about)
        written.append(page)
        if writer.name == "dicom-seg":
            write_structured_report(structured, study, outlined.lesions, out_, about)
            written.append(structured)
    plain(out(), f"written: {', '.join(str(path) for path in written)}")
