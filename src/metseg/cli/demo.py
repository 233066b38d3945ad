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
from metseg.cli.console import echo, err, out
from metseg.cli.montage import Caption, Finding, shown_on, write_montage, write_target_montage
from metseg.cli.options import Device, Labels, Model, Rules, Sequences, TargetName, data_of, targets_of
from metseg.cli.progress import follow
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.checkpoints import ModelCard
    from metseg.inference import Segmentation
    from metseg.lesions import Target
    from metseg.study import DataFolder, Study, StudyFiles


@dataclass(frozen=True, slots=True)
class DemoSample:
    """The head to show.

    Attributes
    ----------
    studies : dict of Target to Study
        The head with its known mask of each target; alike but for the mask, and never empty.
    files : StudyFiles or None
        ``None`` for the synthetic head.
    about : str
        Where it comes from.
    """

    studies: dict[Target, Study]
    files: StudyFiles | None
    about: str

    @property
    def head(self) -> Study:
        """The head with one of its masks."""
        return next(iter(self.studies.values()))

    @property
    def name(self) -> str:
        """Of the study."""
        return self.head.name

    def study(self, target: Target) -> Study:
        """The head with its known mask of ``target``; without one if it is not known."""
        known = self.studies.get(target)
        return replace(self.head, mask=None) if known is None else known


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
    sequences: Sequences = None,
    rules: Rules = None,
    labels: Labels = None,
    device: Device = "auto",
) -> None:
    """Segment a sample: a synthetic head, or a real patient where METSEG_DATA names a folder of them.

    Unless a model or a target is named, both targets are shown where a network for each is installed.
    """
    from metseg.checkpoints import choose_models, model_card
    from metseg.study import TRIPLET

    targets = targets_of(target) or _all_targets(model)
    data = os.environ.get("METSEG_DATA")
    if not data and (sequences or rules or labels):
        raise DataError("--sequences, --rules and --labels say what files are: name a folder of them in METSEG_DATA")
    folder = data_of(_patients_in(Path(data)), rules, labels, sequences) if data else None
    sample = choose_sample(model_card(choose_models(model, TRIPLET, targets)[0]), folder)
    echo(out(), sample.about)
    if headless or output is not None or not _can_open_window():
        results = _segment(model, targets, sample.head, device)
        _write(sample, results, (output or Path("demo-output")) / sample.name)
        return
    import napari

    from metseg.cli.window import open_window

    open_window(sample.studies, model, device, targets)
    napari.run()


def _all_targets(model: str) -> tuple[Target, ...]:
    """Both targets, where ``auto`` can show them: the networks for both are installed."""
    from metseg.checkpoints import RECOMMENDED, list_models

    usable = {info.name for info in list_models() if info.card is not None}
    return tuple(RECOMMENDED) if model == DEFAULT_MODEL and usable >= set(RECOMMENDED.values()) else ()


def _patients_in(data: Path) -> Path:
    """The folder of gliomas where there is one, which is what most networks were trained on."""
    return data / "lgg" if (data / "lgg").is_dir() else data


def choose_sample(card: ModelCard, folder: Path | DataFolder | None) -> DemoSample:
    """A patient of ``folder`` whom the model never saw, else any patient there; without a folder a synthetic head.

    DataError if there is no patient in the folder.
    """
    from metseg.lesions import Target
    from metseg.study import find_studies, load
    from metseg.synthetic import synthetic_targets

    if folder is None:
        heads = synthetic_targets(seed=0)
        name = next(iter(heads.values())).name
        return DemoSample(heads, None, f"{name}: a synthetic head, drawn now (set METSEG_DATA for a real patient)")
    found = find_studies(folder)
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
            known = {Target.of_sequences(studies[0].sequences): studies[0]}
            return DemoSample(known, files, f"{files.name}: a real patient from METSEG_DATA ({how})")
    raise DataError(f"METSEG_DATA: there is no readable study in {folder}")


def _can_open_window() -> bool:
    """Whether there is a display, and napari to fill it; says so if only napari is missing."""
    if os.environ.get("QT_QPA_PLATFORM") in {"offscreen", "minimal"}:
        return False
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    if find_spec("napari") is None:
        echo(err(), 'napari is not installed (pip install "napari-metseg[napari]"): writing pictures instead')
        return False
    return True


def _segment(model: str, targets: tuple[Target, ...], study: Study, device: str) -> dict[Target, Segmentation]:
    from metseg.inference import Segmenters, with_surroundings

    with Segmenters(model, targets, device=device) as segmenters:
        results = [
            follow(segmenter.stream(study), f"segmenting with {segmenter.card.name}")
            for segmenter in segmenters.of(study.sequences)
        ]
    return {result.target: result for result in with_surroundings(results)}


def _write(sample: DemoSample, results: dict[Target, Segmentation], folder: Path) -> None:
    """Write masks and a lesion table for each target and one picture of all into ``folder``, and say what was found.

    FLAIR abnormality, and what is outlined alone, goes into ``folder`` itself, all else into a folder inside it.
    """
    from metseg.prediction import output_of

    alone = len(results) == 1
    texts: list[str] = []
    for target, result in results.items():
        inside = output_of(target, tuple(results), folder)
        parts = _write_lesions(sample.study(target), sample, result, folder, inside)
        echo(out(), f"{target}: found {'; '.join(parts)}")
        echo(out(), f"  {inside / 'lesion_table.csv'}\n  {sample.study(target).shape[0]} masks in {inside}")
        texts.append("   ·   ".join((target, result.model, *parts)))
    picture, caption = folder / "montage.png", Caption(sample.name, tuple(texts))
    target, result = next(iter(results.items()))
    if alone:
        write_montage(picture, sample.study(target), result.mask, caption, shown_on(target))
    else:
        findings = [Finding(one, made.mask, sample.study(one).mask) for one, made in results.items()]
        write_target_montage(picture, sample.study(target), findings, caption)
    echo(out(), f"  {picture}")


def _write_lesions(study: Study, sample: DemoSample, result: Segmentation, root: Path, folder: Path) -> list[str]:
    """Write masks and table of one target into ``folder``, and return in words what was found and how well."""
    from metseg.lesions import lesion_table_csv
    from metseg.prediction import planned, write_slices
    from metseg.study import write_text

    spacing = study.geometry.spacing
    source = root if sample.files is None else sample.files.folder
    folder.mkdir(parents=True, exist_ok=True)
    there = sum(path.exists() for path, _, _ in planned(study, source, folder, "_mask"))
    if there:
        echo(out(), f"replacing {there} masks of an earlier demo in {folder}")
    write_slices(study, result.mask, root=source, out=folder, suffix="_mask", about=result.provenance, overwrite=True)
    lesions = result.measured
    write_text(folder / "lesion_table.csv", lesion_table_csv(lesions, result.target))
    found = f"{len(lesions)} lesion{'s' * (len(lesions) != 1)}, {_size(int(result.mask.sum()), spacing)}"
    return [text for text in (found, _agreement(study, result)) if text]


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
