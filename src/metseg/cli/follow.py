"""``metseg follow``: two or more examinations of one patient, lesion by lesion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import echo, out, table
from metseg.cli.options import (
    Device,
    Labels,
    MinLesionVoxels,
    Model,
    Rules,
    Sequences,
    Server,
    Threshold,
    data_of,
    targets_of,
)
from metseg.cli.progress import EventBar
from metseg.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence as Seq
    from typing import Any

    import numpy as np
    import numpy.typing as npt

    from metseg.follow_up import FollowUp, TrackedExaminations
    from metseg.inference import Segmenters
    from metseg.study import Study

_COLUMNS = ("lesion", "change", "event", "volume mm³", "", "change", "diameter mm", "", "change", "target", "side")


def follow(
    examinations: Annotated[
        list[Path],
        typer.Argument(metavar="BEFORE AFTER [LATER]...", help="Examinations in order: images, or their folders."),
    ],
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="New or empty folder.")],
    model: Model = DEFAULT_MODEL,
    target: Annotated[
        Literal["flair-abnormality", "enhancing-lesion"],
        typer.Option(help="What to outline where there is no mask."),
    ] = "enhancing-lesion",
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    device: Device = "auto",
    server: Server = None,
    threshold: Threshold = None,
    min_lesion_voxels: MinLesionVoxels = None,
    predict: Annotated[bool, typer.Option("--predict", help="Outline anew, also where there is a mask.")] = False,
) -> None:
    """Compare examinations of one patient: new, grown, shrunk, unchanged and gone lesions, with RANO-BM's category.

    Masks beside the images are taken (a corrected outline, a DICOM SEG); where there is none, a network outlines. The
    later examination is registered rigidly with the earlier one; volumes and diameters are measured in each by itself.

    Writes follow_up.pdf (a page with pictures), follow_up.csv, follow_up.json (with both lesion tables, the
    registration, and what outlined), before_lesions.nii.gz and after_lesions.nii.gz, in which a lesion has the same
    number, carried_lesions.nii.gz (the earlier outlines on the later image, to start correcting from) and
    later_to_earlier.tfm for 3D Slicer.

    Of more than two, each is compared with the one before, and a lesion has one number in all: follow_up.pdf charts
    volumes and diameters, and what is written of each examination begins with its place, such as 2_lesions.nii.gz.

    For research: clinical state and corticosteroids are part of RANO-BM, and not known here.
    """
    from metseg.follow_up import following, tracking
    from metseg.inference import Segmenters
    from metseg.study import read_study

    if len(examinations) < 2:
        raise DataError("two examinations are needed at least: metseg follow BEFORE AFTER --out DIR")
    if out_.exists() and (not out_.is_dir() or any(out_.iterdir())):
        raise DataError(f"{out_}: is not empty; choose another --out")
    studies = [read_study(data_of(path, rules, labels, sequences)) for path in examinations]
    for study in studies:
        if study.geometry.spacing is None:
            raise DataError(f"{study.name}: its spacing is not known; <name>.json beside a TIFF can state it")
    with EventBar() as bar, Segmenters(model, targets_of(target), device=device, server=server) as segmenters:
        made = [_mask(study, segmenters, bar, threshold, min_lesion_voxels, predict) for study in studies]
        masks = [mask for mask, _ in made]
        if len(studies) == 2:
            result = bar.follow(following(*studies, masks=(masks[0], masks[1])), "following")
        else:
            tracked = bar.follow(tracking(studies, masks=masks), "following")
    out_.mkdir(parents=True, exist_ok=True)
    if len(studies) == 2:
        _write(result, out_, {"before": made[0][1], "after": made[1][1]})
        _print(result)
    else:
        _write_tracked(tracked, out_, [by for _, by in made])
        _print_tracked(tracked)
    echo(out(), f"written to {out_}")


def _mask(
    study: Study,
    segmenters: Segmenters,
    bar: EventBar,
    threshold: float | None,
    min_lesion_voxels: int | None,
    predict: bool,
) -> tuple[npt.NDArray[np.uint8], dict[str, Any] | str]:
    """A study's outlines, and what made them."""
    if study.mask is not None and not predict:
        return study.mask, ", ".join(dict.fromkeys(path.name for entry in study.slices for path in entry.masks))
    segmenter = segmenters.of(study.sequences)[0]
    settings = segmenter.card.postprocessing.adjusted(threshold=threshold, min_lesion_voxels=min_lesion_voxels)
    answer = bar.follow(segmenter.stream(study, settings), study.name)
    return answer.mask, answer.provenance


def _write(result: FollowUp, folder: Path, outlined_by: dict[str, dict[str, Any] | str]) -> None:
    """Write tables, page, outlines and registration of two examinations."""
    from metseg.follow_up import carried_provenance, change_table_csv, follow_up_document, write_follow_up_page

    _write_tables(folder, change_table_csv(result), {**follow_up_document(result), "outlined_by": outlined_by})
    _write_labels(folder / "before_lesions.nii.gz", result.labels_before, result.before)
    _write_labels(folder / "after_lesions.nii.gz", result.labels_after, result.after)
    carried = folder / "carried_lesions.nii.gz"
    _write_labels(carried, result.carried, result.after, carried_provenance(result))
    write_follow_up_page(folder / "follow_up.pdf", result)
    _write_transform(folder / "later_to_earlier.tfm", result)


def _write_tracked(result: TrackedExaminations, folder: Path, outlined_by: Seq[dict[str, Any] | str]) -> None:
    """Write tables, pages, outlines and registrations of more than two examinations."""
    from metseg.follow_up import (
        carried_provenance,
        tracked_document,
        tracked_table_csv,
        write_course_page,
        write_follow_up_page,
    )

    _write_tables(folder, tracked_table_csv(result), {**tracked_document(result), "outlined_by": list(outlined_by)})
    write_course_page(folder / "follow_up.pdf", result)
    for number, (study, labels) in enumerate(zip(result.studies, result.labels, strict=True), start=1):
        _write_labels(folder / f"{number}_lesions.nii.gz", labels, study)
    for number, step in enumerate(result.steps, start=2):
        carried = folder / f"{number}_carried_lesions.nii.gz"
        _write_labels(carried, step.carried, step.after, carried_provenance(step))
        write_follow_up_page(folder / f"{number}_follow_up.pdf", step)
        _write_transform(folder / f"{number}_to_{number - 1}.tfm", step)


def _write_tables(folder: Path, csv: str, document: dict[str, Any]) -> None:
    from metseg.study import write_text

    write_text(folder / "follow_up.csv", csv)
    write_text(folder / "follow_up.json", json.dumps(document, indent=2) + "\n")


def _write_labels(
    path: Path, labels: npt.NDArray[np.integer[Any]], study: Study, about: dict[str, Any] | None = None
) -> None:
    from metseg.study import write_volume

    write_volume(path, labels.astype("uint16"), study, about=about)


def _write_transform(path: Path, result: FollowUp) -> None:
    import SimpleITK

    SimpleITK.WriteTransform(result.transform.itk, str(path))


def _print(result: FollowUp) -> None:
    """Print a line a lesion, and the response."""
    from metseg.follow_up import signed_percent

    listed = table(*_COLUMNS, left=("change", "event", "target", "side"))
    for lesion in result.lesions:
        part = lesion.volume_change
        known = (lesion.after or lesion.before)[0]
        listed.add_row(
            str(lesion.number),
            str(lesion.change),
            lesion.event,
            *(f"{volume:.0f}" for volume in lesion.volumes),
            "" if part is None else signed_percent(part),
            *(f"{diameter:.1f}" for diameter in lesion.diameters),
            f"{lesion.diameter_change:+.1f}",
            "yes" if lesion.number in result.judgement.targets else "",
            str(known.side or ""),
        )
    out().print(listed)
    _print_response("RANO-BM, target lesions", result)


def _print_tracked(result: TrackedExaminations) -> None:
    """Print a line a lesion, and the response at each examination."""
    headings = ("lesion", "1 (mm³, mm)", *(str(number) for number in range(2, len(result.studies) + 1)))
    listed = table(*headings, left=headings)
    for lesion in result.lesions:
        cells = [
            f"{volume:.0f}, {diameter:.1f}" if parts else "–"
            for volume, diameter, parts in zip(lesion.volumes, lesion.diameters, lesion.parts, strict=True)
        ]
        changes = ["" if change is None else f" {change}" for change in lesion.changes]
        listed.add_row(str(lesion.number), *(a + b for a, b in zip(cells, changes, strict=True)))
    out().print(listed)
    for number, step in enumerate(result.steps, start=2):
        _print_response(f"RANO-BM, target lesions, {number}", step)


def _print_response(title: str, result: FollowUp) -> None:
    echo(out(), f"{title}: {result.judgement.response} ({result.judgement.reason})")
