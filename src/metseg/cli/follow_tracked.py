"""What ``metseg follow`` writes and prints of more than two examinations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from metseg.cli.console import out, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from metseg.follow_up import TrackedExaminations


def write_tracked(result: TrackedExaminations, folder: Path, outlined_by: Sequence[dict[str, Any] | str]) -> None:
    """Write tables, pages, outlines and registrations into a folder, which is made."""
    import numpy as np
    import SimpleITK

    from metseg.follow_up import (
        carried_provenance,
        tracked_document,
        tracked_table_csv,
        write_course_page,
        write_follow_up_page,
    )
    from metseg.study import write_atomically, write_volume

    folder.mkdir(parents=True, exist_ok=True)
    document = {**tracked_document(result), "outlined_by": list(outlined_by)}
    for name, text in (
        ("follow_up.csv", tracked_table_csv(result)),
        ("follow_up.json", json.dumps(document, indent=2) + "\n"),
    ):
        with write_atomically(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_course_page(folder / "follow_up.pdf", result)
    for number, (study, labels) in enumerate(zip(result.studies, result.labels, strict=True), start=1):
        write_volume(folder / f"{number}_lesions.nii.gz", labels.astype(np.uint16), study)
    for number, step in enumerate(result.steps, start=2):
        carried = step.carried.astype(np.uint16)
        write_volume(folder / f"{number}_carried_lesions.nii.gz", carried, step.after, about=carried_provenance(step))
        write_follow_up_page(folder / f"{number}_follow_up.pdf", step)
        SimpleITK.WriteTransform(step.transform.itk, str(folder / f"{number}_to_{number - 1}.tfm"))


def show_tracked(result: TrackedExaminations) -> None:
    """Print a line a lesion, and the response at each examination."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("lesion", "mm³, mm", *(str(number) for number in range(2, len(result.studies) + 1))):
        table.add_column(column if column != "mm³, mm" else "1 (mm³, mm)")
    for lesion in result.lesions:
        cells = [
            f"{volume:.0f}, {diameter:.1f}" if parts else "–"
            for volume, diameter, parts in zip(lesion.volumes, lesion.diameters, lesion.parts, strict=True)
        ]
        changes = ["" if change is None else f" {change}" for change in lesion.changes]
        table.add_row(str(lesion.number), *(a + b for a, b in zip(cells, changes, strict=True)))
    out().print(table)
    for number, step in enumerate(result.steps, start=2):
        plain(out(), f"RANO-BM, target lesions, {number}: {step.judgement.response} ({step.judgement.reason})")
