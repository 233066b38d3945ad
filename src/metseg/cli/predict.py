"""``metseg predict``: images in, masks out, one for one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import list_problems, out, plain
from metseg.cli.options import Clahe, Device, Model, Smallest, Threshold, postprocessing_of
from metseg.cli.progress import EventBar
from metseg.cli.slices import write_slices
from metseg.errors import DataError, MetsegError

if TYPE_CHECKING:
    from metseg.inference import Segmentation, Segmenter
    from metseg.lesions import PostprocessingConfig
    from metseg.study import Problem, Study, StudyFiles


def predict(
    input_: Annotated[
        Path, typer.Option("--input", metavar="FILE_OR_DIR", help="A TIFF, a patient's folder, a folder of patients.")
    ],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the masks go.")],
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    threshold: Threshold = None,
    smallest: Smallest = None,
    clahe: Clahe = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Slices per forward pass.")] = 8,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write <slice>_prob.tif, 0 to 255 for 0 to 1.")
    ] = False,
) -> None:
    """Outline lesions: write <slice>_mask.tif (0 and 255) for every slice, in the input's folder structure.

    Files that cannot be read are listed and skipped, and make the exit status 1. Threshold, smallest lesion and
    CLAHE are the model's own unless given.
    """
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter

    root = input_ if input_.is_dir() else input_.parent
    if probabilities and output.resolve() == root.resolve():
        raise DataError("beside the images probabilities would be taken for images; choose another --output")
    checkpoint = load_checkpoint(model).with_clahe(clahe)
    postprocessing = postprocessing_of(checkpoint, threshold, smallest)
    found = _find(input_, output)
    with Segmenter(checkpoint, device=device, batch_size=batch_size) as segmenter:
        run = _Run(segmenter, postprocessing, root, output, probabilities)
        with EventBar() as bar:
            for number, files in enumerate(found, start=1):
                run.segment_files(files, bar, f"{files.name} ({number} of {len(found)})")
    plain(out(), f"{run.written} mask{'s' * (run.written != 1)} in {output}")
    if run.remarks:
        list_problems("Remarks:", run.remarks)
    if run.refused:
        list_problems("Refused:", run.refused)
        raise typer.Exit(1)


def _find(source: Path, output: Path) -> list[StudyFiles]:
    """Studies under ``source``, less what an earlier run wrote into an output folder inside it."""
    from metseg.study import find_studies

    found = find_studies(source)
    if source.is_dir() and output.resolve() != source.resolve():
        found = [files for files in found if not files.folder.resolve().is_relative_to(output.resolve())]
    if not found:
        raise DataError(f"{source}: no TIFF image in it but those in {output}")
    return found


@dataclass
class _Run:
    """One run over many studies: what it works with, and what became of them."""

    segmenter: Segmenter
    postprocessing: PostprocessingConfig
    root: Path
    output: Path
    probabilities: bool
    written: int = 0
    refused: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def segment_files(self, files: StudyFiles, bar: EventBar, title: str) -> None:
        """Read, segment and write what can be read of ``files``; keep account of the rest."""
        from metseg.study import Problem, ProblemKind, load

        loaded = load(files)
        about_masks = {ProblemKind.NO_MASK, ProblemKind.ORPHAN_MASK}
        for problem in loaded.problems:
            if problem.refused:
                self.refused.append(problem)
            elif problem.kind not in about_masks:
                self.remarks.append(problem)
        for study in loaded.studies:
            try:
                result = bar.follow(self.segmenter.stream(study, self.postprocessing), title)
                self._write(study, result)
            except MetsegError as error:
                self.refused.append(Problem(files.folder, str(error), refused=True))

    def _write(self, study: Study, result: Segmentation) -> None:
        import numpy as np

        self.written += len(
            write_slices(study, result.mask * np.uint8(255), root=self.root, out=self.output, suffix="_mask")
        )
        if self.probabilities:
            scaled = np.rint(result.probabilities * 255).astype(np.uint8)
            write_slices(study, scaled, root=self.root, out=self.output, suffix="_prob")
