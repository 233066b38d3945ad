"""``metseg follow``: two or more examinations of one patient, lesion by lesion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import out, plain
from metseg.cli.follow_tracked import show_tracked, write_tracked
from metseg.cli.options import Device, Labels, Model, Rules, Sequences, Server, Smallest, Threshold, data_of, targets_of
from metseg.cli.progress import EventBar
from metseg.errors import DataError

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    import numpy.typing as npt

    from metseg.follow_up import FollowUp
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
    smallest: Smallest = None,
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
        made = [_mask(study, segmenters, bar, threshold, smallest, predict) for study in studies]
        masks = [mask for mask, _ in made]
        if len(studies) == 2:
            result = bar.follow(following(*studies, masks=(masks[0], masks[1])), "following")
        else:
            tracked = bar.follow(tracking(studies, masks=masks), "following")
    if len(studies) == 2:
        _write(result, out_, {"before": made[0][1], "after": made[1][1]})
        _show(result)
    else:
        write_tracked(tracked, out_, [by for _, by in made])
        show_tracked(tracked)
    plain(out(), f"written to {out_}")


def _mask(
    study: Study, segmenters: Segmenters, bar: EventBar, threshold: float | None, smallest: int | None, predict: bool
) -> tuple[npt.NDArray[np.uint8], dict[str, Any] | str]:
    """A study's outlines, and what made them."""
    if study.mask is not None and not predict:
        return study.mask, ", ".join(dict.fromkeys(path.name for entry in study.slices for path in entry.masks))
    segmenter = segmenters.of(study.sequences)[0]
    settings = segmenter.card.postprocessing.adjusted(threshold=threshold, min_lesion_voxels=smallest)
    answer = bar.follow(segmenter.stream(study, settings), study.name)
    return answer.mask, answer.provenance


def _write(result: FollowUp, folder: Path, outlined_by: dict[str, dict[str, Any] | str]) -> None:
    import numpy as np
    import SimpleITK

    from metseg.follow_up import carried_provenance, change_table_csv, follow_up_document, write_follow_up_page
    from metseg.study import write_atomically, write_volume

    folder.mkdir(parents=True, exist_ok=True)
    document = {**follow_up_document(result), "outlined_by": outlined_by}
    for name, text in (
        ("follow_up.csv", change_table_csv(result)),
        ("follow_up.json", json.dumps(document, indent=2) + "\n"),
    ):
        with write_atomically(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    for name, labels, study, about in (
        ("before_lesions", result.labels_before, result.before, None),
        ("after_lesions", result.labels_after, result.after, None),
        ("carried_lesions", result.carried, result.after, carried_provenance(result)),
    ):
        write_volume(folder / f"{name}.nii.gz", labels.astype(np.uint16), study, about=about)
    write_follow_up_page(folder / "follow_up.pdf", result)
    SimpleITK.WriteTransform(result.transform.itk, str(folder / "later_to_earlier.tfm"))


def _show(result: FollowUp) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in ("change", "event", "target", "side") else "right")
    for lesion in result.lesions:
        part = lesion.volume_change
        known = (lesion.after or lesion.before)[0]
        table.add_row(
            str(lesion.number),
            str(lesion.change),
            lesion.event,
            *(f"{volume:.0f}" for volume in lesion.volumes),
            "" if part is None else f"{part:+.0%}",
            *(f"{diameter:.1f}" for diameter in lesion.diameters),
            f"{lesion.diameter_change:+.1f}",
            "yes" if lesion.number in result.judgement.targets else "",
            str(known.side or ""),
        )
    out().print(table)
    plain(out(), f"RANO-BM, target lesions: {result.judgement.response} ({result.judgement.reason})")
