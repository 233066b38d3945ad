"""``metseg demo``: the whole path on one head, in napari where there is a display, in pictures where there is none."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import err, out, plain
from metseg.cli.montage import Caption, write_montage
from metseg.cli.options import Device, Model, TargetName, targets_of
from metseg.cli.predict import output_of
from metseg.cli.progress import follow
from metseg.cli.slices import write_slices
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.checkpoints import ModelCard
    from metseg.inference import Segmentation
    from metseg.lesions import Target
    from metseg.study import Study, StudyFiles


@dataclass(frozen=True, slots=True)
class Sample:
    """The head to show. ``files`` is ``None`` for the synthetic one; ``about`` says where it comes from."""

    study: Study
    files: StudyFiles | None
    about: str


def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write pictures, masks and table here; opens no window.", show_default="demo-output"
        ),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Open no window even if there is a display.")] = False,
    model: Model = DEFAULT_MODEL,
    target: TargetName = None,
    device: Device = "auto",
) -> None:
    """Segment a sample: a synthetic head, or a real patient where METSEG_DATA names a folder of them."""
    from metseg.checkpoints import choose_models, model_card
    from metseg.study import TRIPLET

    targets = targets_of(target) or _all_targets(model)
    sample = choose_sample(model_card(choose_models(model, TRIPLET, targets)[0]))
    plain(out(), sample.about)
    if headless or output is not None or not _can_open_window():
        folder = (output or Path("demo-output")) / sample.study.name
        for result in _segment(model, targets, sample.study, device):
            _write(sample, result, output_of(result.target, targets, folder), known=len(targets) < 2)
        return
    import napari

    from metseg.cli.window import open_window

    open_window(None if sample.files is None else sample.files.folder, model, device, targets)
    napari.run()


def _all_targets(model: str) -> tuple[Target, ...]:
    """Both targets, where ``auto`` can show them: the networks for both are installed."""
    from metseg.checkpoints import RECOMMENDED, list_models

    usable = {info.name for info in list_models() if info.card is not None}
    return tuple(RECOMMENDED) if model == DEFAULT_MODEL and usable >= set(RECOMMENDED.values()) else ()


def choose_sample(card: ModelCard) -> Sample:
    """A patient from METSEG_DATA whom the model never saw, else any patient there, else the synthetic head.

    Raises
    ------
    DataError
        If METSEG_DATA is set but there is no patient.
    """
    from metseg.study import find_studies, load
    from metseg.synthetic import synthetic_study

    named = os.environ.get("METSEG_DATA")
    if not named:
        study = synthetic_study(seed=0)
        return Sample(study, None, f"{study.name}: a synthetic head, drawn now (set METSEG_DATA for a real patient)")
    root = Path(named) / "lgg" if (Path(named) / "lgg").is_dir() else Path(named)
    found = find_studies(root)
    record = card.training
    for files in sorted(found, key=lambda files: files.name not in record.held_out):
        studies = load(files).studies
        if studies:
            if files.name in record.held_out:
                how = f"held out: {card.name} was not trained on this patient"
            elif files.name in record.patients:
                how = f"{card.name} was trained on this patient"
            else:
                how = f"the card of {card.name} does not name this patient"
            return Sample(studies[0], files, f"{files.name}: a real patient from METSEG_DATA ({how})")
    raise DataError(f"METSEG_DATA is {named}, but there is no readable study in {root}")


def _can_open_window() -> bool:
    """Whether there is a display, and napari to fill it; says so if only napari is missing."""
    if os.environ.get("QT_QPA_PLATFORM") in {"offscreen", "minimal"}:
        return False
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    if find_spec("napari") is None:
        plain(err(), 'napari is not installed (pip install "napari-metseg[napari]"): writing pictures instead')
        return False
    return True


def _segment(model: str, targets: tuple[Target, ...], study: Study, device: str) -> list[Segmentation]:
    from metseg.inference import Segmenters

    with Segmenters(model, targets, device=device) as segmenters:
        return [
            follow(segmenter.stream(study), f"segmenting with {segmenter.checkpoint.card.name}")
            for segmenter in segmenters.of(study.sequences)
        ]


def _write(sample: Sample, result: Segmentation, folder: Path, *, known: bool) -> None:
    """Write masks, the lesion table and the picture into ``folder``, and say what was found.

    The study's own mask is compared with FLAIR abnormality, and with whatever is outlined alone (``known``).
    """
    import numpy as np

    from metseg.lesions import Target, label_lesions, lesion_table_csv, measure
    from metseg.study import Sequence, write_atomically

    enhancing = result.target is Target.ENHANCING_LESION
    study = sample.study if known or not enhancing else replace(sample.study, mask=None)
    root = folder if sample.files is None else sample.files.folder
    folder.mkdir(parents=True, exist_ok=True)
    masks = write_slices(study, result.mask * np.uint8(255), root=root, out=folder, suffix="_mask", about=result.about)
    spacing = study.geometry.spacing
    lesions = measure(label_lesions(result.mask), spacing=spacing, probabilities=result.probabilities)
    with write_atomically(folder / "lesion_table.csv") as temporary:
        temporary.write_text(lesion_table_csv(lesions, result.target), encoding="utf-8")
    shown = Sequence.POST if enhancing else Sequence.FLAIR
    found = f"{len(lesions)} lesion{'s' * (len(lesions) != 1)}, {_size(int(result.mask.sum()), spacing)}"
    agreement = _agreement(study, result)
    subtitle = "   ·   ".join(filter(None, (result.target, result.model, found, agreement)))
    write_montage(folder / "montage.png", study, result.mask, Caption(study.name, subtitle), shown)
    plain(out(), f"{result.target}: found {found}" + (f"; {agreement}" if agreement else ""))
    plain(out(), f"  {folder / 'montage.png'}\n  {folder / 'lesion_table.csv'}\n  {len(masks)} masks in {folder}")


def _size(voxels: int, spacing: tuple[float, float, float] | None) -> str:
    if spacing is None:
        return f"{voxels} voxels"
    return f"{voxels * spacing[0] * spacing[1] * spacing[2] / 1000:.1f} ml"


def _agreement(study: Study, result: Segmentation) -> str:
    """Dice against the known mask, in words; empty where no mask is known."""
    from metseg.metrics import overlap

    if study.mask is None:
        return ""
    return f"Dice {overlap(study.mask, result.mask).dice:.3f} against the known mask"
