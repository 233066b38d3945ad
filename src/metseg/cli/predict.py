"""``metseg predict``: images in, masks out, one for one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import list_problems, out, plain
from metseg.cli.options import (
    Clahe,
    Device,
    Model,
    Rules,
    Sequences,
    Smallest,
    TargetName,
    Threshold,
    data_of,
    sequences_of,
    targets_of,
)
from metseg.cli.progress import EventBar
from metseg.cli.slices import ExistingFiles, planned, write_slices
from metseg.errors import CheckpointError, DataError, MetsegError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from metseg.inference import Segmentation, Segmenters
    from metseg.lesions import Target
    from metseg.study import Problem, Sequence, Study, StudyFiles
    from metseg.study.formats.writing import Writer

#: Folder of the masks of what enhances, where both targets are outlined.
ENHANCING = "enhancing_lesion"

MASK_SUFFIX = "_mask"


def predict(
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the masks go.")],
    input_: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE_OR_DIR", help="An image, a patient's folder, a folder of patients."),
    ] = None,
    model: Model = DEFAULT_MODEL,
    target: TargetName = None,
    sequences: Sequences = None,
    rules: Rules = None,
    device: Device = "auto",
    threshold: Threshold = None,
    smallest: Smallest = None,
    clahe: Clahe = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Slices per forward pass.")] = 8,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write <image>_prob, 0 to 255 for 0 to 1.")
    ] = False,
    report: Annotated[
        bool,
        typer.Option("--report", help="Also write <name>_report.pdf; of dicom-seg <name>_report.dcm (TID 1500), too."),
    ] = False,
    form: Annotated[
        str | None,
        typer.Option("--format", help="Of the masks: tiff, nifti, dicom-seg or rtstruct; by default as the images."),
    ] = None,
    dicomweb: Annotated[
        str | None, typer.Option("--dicomweb", metavar="URL", help="Fetch --study from this DICOMweb service instead.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", metavar="UID", help="StudyInstanceUID.")] = None,
    store: Annotated[bool, typer.Option("--store", help="Store what DICOM is written in --dicomweb.")] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace masks of an earlier run in --output; edited ones never."),
    ] = False,
) -> None:
    """Outline lesions: write <image>_mask for every image, in the input's folder structure and format.

    With --dicomweb the MR series of --study are fetched from a PACS, answered as dicom-seg unless --format says
    otherwise, and with --store stored there. Credentials are taken from the environment:
    METSEG_DICOMWEB_AUTHORIZATION (the header), METSEG_DICOMWEB_CERT and METSEG_DICOMWEB_KEY.

    Masks of TIFF, PNG and JPEG are TIFF (0 and 255); masks of NIfTI, DICOM series, NRRD and MetaImage are NIfTI (0 and
    1) on the image's own grid, in the place and orientation of the image. --format chooses another; DICOM series can
    be answered as dicom-seg (one segment a lesion) and rtstruct (contours), which refer to the series.

    With --target both, the masks of what enhances go into the folder enhancing_lesion of --output under the same
    names. <image>_mask.json beside each mask says its target and the network.

    Masks of an earlier run are only replaced with --overwrite. Masks that were edited since, or come from elsewhere,
    are never replaced: nothing is written then.

    Files that cannot be read are listed and skipped, and make the exit status 1. Threshold, smallest lesion and
    CLAHE are the model's own unless given.

    --report writes a page on each study (<name>_report.pdf: lesion table with volume, diameters and RANO-BM's sizes,
    and pictures), and beside a dicom-seg a DICOM Structured Report with the same measures.
    """
    from metseg.inference import Segmenters
    from metseg.study.formats.writing import writer_named

    if (input_ is None) == (dicomweb is None) or (dicomweb is None) != (study is None) or (store and dicomweb is None):
        raise DataError("give either --input, or --dicomweb with --study; --store goes with --dicomweb")
    writer = None if form is None else writer_named(form)
    targets = targets_of(target)
    with Segmenters(model, targets, device=device, batch_size=batch_size, clahe=clahe) as segmenters:
        run = _Run(segmenters, targets, threshold, smallest, Path(), output, probabilities, overwrite, writer, report)
        if input_ is not None:
            run.segment(input_, sequences_of(sequences), rules)
        else:
            run.writer = writer or writer_named("dicom-seg")
            _segment_from_pacs(run, dicomweb or "", study or "", store=store)
    plain(out(), f"{run.written} mask{'s' * (run.written != 1)} in {output}")
    if run.remarks:
        list_problems("Remarks:", run.remarks)
    if run.refused:
        list_problems("Refused:", run.refused)
        raise typer.Exit(1)


def _segment_from_pacs(run: _Run, url: str, study: str, *, store: bool) -> None:
    """Fetch a study into a folder that is removed afterwards, outline it, and store what came of it."""
    import tempfile

    from metseg.dicomweb import Pacs

    pacs = Pacs(url)
    with tempfile.TemporaryDirectory(prefix="metseg-") as folder:
        place = Path(folder) / study
        with EventBar() as bar:
            bar.follow(pacs.fetching(study, place), "fetching")
        run.segment(place, None, None)
    files = [path for path in run.files if path.suffix == ".dcm"]
    if store:
        pacs.store(files)
        plain(out(), f"{len(files)} file{'s' * (len(files) != 1)} stored in {url}")


def _find(source: Path, output: Path, sequences: tuple[Sequence, ...] | None, rules: Path | None) -> list[StudyFiles]:
    """Studies under ``source``, less what an earlier run wrote into an output folder inside it."""
    from metseg.study import find_studies

    found = find_studies(data_of(source, rules), sequences)
    if source.is_dir() and output.resolve() != source.resolve():
        found = [files for files in found if not files.folder.resolve().is_relative_to(output.resolve())]
    if not found:
        raise DataError(f"{source}: no image in it but those in {output}")
    return found


@dataclass
class _Run:
    """One run over many studies: what it works with, and what became of them."""

    segmenters: Segmenters
    targets: tuple[Target, ...]
    threshold: float | None
    smallest: int | None
    root: Path
    output: Path
    probabilities: bool
    overwrite: bool
    writer: Writer | None = None
    report: bool = False
    written: int = 0
    files: list[Path] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)

    def segment(self, source: Path, sequences: tuple[Sequence, ...] | None, rules: Path | None) -> None:
        """Outline all studies in a file or folder."""
        self.root = source if source.is_dir() else source.parent
        if self.probabilities and self.output.resolve() == self.root.resolve():
            raise DataError("beside the images probabilities would be taken for images; choose another --output")
        found = _find(source, self.output, sequences, rules)
        self.check_existing(found)
        with EventBar() as bar:
            for number, files in enumerate(found, start=1):
                self.segment_files(files, bar, f"{files.name} ({number} of {len(found)})")

    def check_existing(self, found: list[StudyFiles]) -> None:
        """Check, before any network runs, that the files to write may be written.

        Raises
        ------
        DataError
            If files are there that must not be replaced.
        """
        suffixes = ("_mask", "_prob") if self.probabilities else ("_mask",)
        folders = dict.fromkeys(output_of(target, self.targets, self.output) for target in self.targets)
        plan = [
            path
            for folder in folders or (self.output,)
            for suffix in suffixes
            for path in planned(found, self.root, folder, suffix, self.writer)
        ]
        beside = {entry.image.parent.resolve() for files in found for entry in files.slices}
        ExistingFiles.among(plan, beside).check(self.output, overwrite=self.overwrite)

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
                self._segment(study, files, bar, title)
            except CheckpointError:
                raise
            except MetsegError as error:
                self.refused.append(Problem(files.folder, str(error), refused=True))

    def _segment(self, study: Study, files: StudyFiles, bar: EventBar, title: str) -> None:
        """Write one set of masks for each network that outlines ``study``."""
        from metseg.study import Problem, ProblemKind

        chosen = self.segmenters.of(study.sequences)
        if len(chosen) < len(self.targets):
            outlined = " and ".join(segmenter.checkpoint.card.target for segmenter in chosen)
            reason = f"{study.name} has {' and '.join(study.sequences)}: only the {outlined} is outlined"
            self.remarks.append(Problem(files.folder, reason, kind=ProblemKind.SEQUENCE))
        for segmenter in chosen:
            usual = segmenter.checkpoint.card.postprocessing
            postprocessing = usual.adjusted(threshold=self.threshold, smallest=self.smallest)
            self._write(study, bar.follow(segmenter.stream(study, postprocessing), title))

    def _write(self, study: Study, result: Segmentation) -> None:
        import numpy as np

        out = output_of(result.target, self.targets, self.output)
        masks = self._write_volume(study, result.mask, out, MASK_SUFFIX, result)
        self.written += len(masks)
        self.files += masks
        if self.probabilities:
            self.files += self._write_volume(
                study, np.rint(result.probabilities * 255).astype(np.uint8), out, "_prob", result
            )

        if self.report:
            self._write_report(study, result, masks[0])

    def _write_report(self, study: Study, result: Segmentation, mask: Path) -> None:
        """Write a page, and of a DICOM SEG a structured report, beside the masks."""
        from metseg.lesions import label_lesions
        from metseg.reporting import write_page, write_structured_report

        page = mask.with_name(f"{study.name}_report.pdf")
        structured = page.with_suffix(".dcm")
        if not self.overwrite and (page.exists() or structured.exists()):
            raise DataError(f"{page}: is there already; give --overwrite")
        write_page(page, study, label_lesions(result.mask), result.measured, result.provenance)
        if self.writer is not None and self.writer.name == "dicom-seg":
            write_structured_report(structured, study, result.measured, mask, result.provenance)
            self.files.append(structured)

    def _write_volume(
        self, study: Study, volume: npt.NDArray[np.uint8], out: Path, suffix: str, result: Segmentation
    ) -> list[Path]:
        return write_slices(
            study,
            volume,
            root=self.root,
            out=out,
            suffix=suffix,
            writer=self.writer,
            mask=suffix == MASK_SUFFIX,
            about=result.provenance,
            overwrite=self.overwrite,
        )


def output_of(target: Target, targets: Collection[Target], output: Path) -> Path:
    """Folder of a target's masks: where several are asked for, those of what enhances have one of their own."""
    from metseg.lesions import Target

    return output / ENHANCING if len(targets) > 1 and target is Target.ENHANCING_LESION else output
