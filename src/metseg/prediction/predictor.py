"""``StudyPredictor``: outlines studies of files and writes what was found, for one study or for a hundred thousand."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from metseg.errors import CheckpointError, DataError, MetsegError, ServerDownError
from metseg.events import Event, Finished, Notice, Progress, relay
from metseg.lesions import Target
from metseg.prediction.result_files import check_existing, planned, write_slices
from metseg.study import Problem, ProblemKind, StudyFiles, find_studies, load
from metseg.study.formats.writing import Writer, writer_named

if TYPE_CHECKING:
    from collections.abc import Generator

    from metseg.inference import Segmentation, Segmenters
    from metseg.study import DataFolder, LoadedStudies, Sequence, Study

#: Folder of the masks of what enhances, where both targets are outlined.
ENHANCING = "enhancing_lesion"

MASK_SUFFIX, PROBABILITY_SUFFIX = "_mask", "_prob"


@dataclass(frozen=True, slots=True)
class PredictionSettings:
    """What is written of each study.

    Attributes
    ----------
    targets : tuple of Target
        What to outline; empty for what the sequences show best.
    threshold, min_lesion_voxels : float and int, optional
        Probability from which on a voxel is lesion, and voxels below which a lesion is dropped; those of the network's
        card unless given.
    format : str, optional
        Name of a writer; by default that of the images.
    probabilities, report : bool
        Whether probabilities, and pages on each study, are written, too.
    overwrite : bool
        Replace what an earlier run wrote and nobody has edited since.
    """

    targets: tuple[Target, ...] = ()
    threshold: float | None = None
    min_lesion_voxels: int | None = None
    format: str | None = None
    probabilities: bool = False
    report: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class PredictedFiles:
    """What became of some studies.

    Attributes
    ----------
    masks : tuple of Path
        Masks that were written.
    others : tuple of Path
        Probabilities and reports.
    refused, remarks : tuple of Problem
        What could not be outlined, and what is to be known of the rest.
    """

    masks: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    refused: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()

    def __add__(self, more: PredictedFiles) -> PredictedFiles:
        return PredictedFiles(
            self.masks + more.masks,
            self.others + more.others,
            self.refused + more.refused,
            self.remarks + more.remarks,
        )


class StudyPredictor:
    """Outlines studies and writes their masks into a folder.

    Parameters
    ----------
    segmenters : Segmenters
        The networks, which stay loaded.
    settings : PredictionSettings
        What is written.
    """

    def __init__(self, segmenters: Segmenters, settings: PredictionSettings) -> None:
        self._segmenters = segmenters
        self._settings = settings
        self._writer: Writer | None = None if settings.format is None else writer_named(settings.format)

    def find(
        self, source: Path | DataFolder, root: Path, output: Path, sequences: tuple[Sequence, ...] | None = None
    ) -> list[StudyFiles]:
        """Studies of a file or folder, less what an earlier run wrote into an output folder inside it.

        Parameters
        ----------
        root, output : Path
            See :meth:`predict`.
        sequences : tuple of Sequence, optional
            Which sequence each channel of the files is.

        Raises
        ------
        DataError
            If there is none, or files are there already that must not be replaced.
        """
        found = find_studies(source, sequences)
        if output.resolve() != root.resolve():
            found = [files for files in found if not files.folder.resolve().is_relative_to(output.resolve())]
        elif self._settings.probabilities:
            raise DataError("beside the images probabilities would be taken for images; choose another --output")
        if not found:
            raise DataError(f"{source}: no image in it but those in {output}")
        targets = self._settings.targets
        suffixes = (MASK_SUFFIX, PROBABILITY_SUFFIX) if self._settings.probabilities else (MASK_SUFFIX,)
        folders = dict.fromkeys(output_of(target, targets, output) for target in targets)
        plan = [
            path
            for folder in folders or (output,)
            for suffix in suffixes
            for files in found
            for path, _, _ in planned(files, root, folder, suffix, self._writer)
        ]
        beside = {entry.image.parent.resolve() for files in found for entry in files.slices}
        check_existing(plan, beside, output, overwrite=self._settings.overwrite)
        return found

    def predict(
        self, loaded: LoadedStudies, files: StudyFiles, root: Path, output: Path
    ) -> Iterator[Event[PredictedFiles]]:
        """Outline and write what could be read of ``files``; the result has what became of the rest.

        Parameters
        ----------
        loaded : LoadedStudies
            What was read of them, such as by :func:`read_ahead`.
        root : Path
            Folder that the images lie in.
        output : Path
            Folder of the masks, which repeats the structure of ``root``.

        Raises
        ------
        CheckpointError
            If a network cannot be opened.
        ServerDownError
            If the server is gone.
        """
        about_masks = {ProblemKind.NO_MASK, ProblemKind.ORPHAN_MASK}
        result = PredictedFiles(
            refused=tuple(problem for problem in loaded.problems if problem.refused),
            remarks=tuple(
                problem for problem in loaded.problems if not problem.refused and problem.kind not in about_masks
            ),
        )
        for study in loaded.studies:
            try:
                result += yield from self._predict_study(study, files, root, output)
            except (CheckpointError, ServerDownError):
                raise
            except MetsegError as error:
                result += PredictedFiles(refused=(Problem(files.folder, str(error), refused=True),))
        yield Finished(result)

    def _predict_study(
        self, study: Study, files: StudyFiles, root: Path, output: Path
    ) -> Generator[Progress | Notice, None, PredictedFiles]:
        """Write one set of masks for each network that outlines ``study``."""
        from metseg.inference import with_surroundings

        chosen = self._segmenters.of(study.sequences)
        result = PredictedFiles()
        if len(chosen) < len(self._settings.targets):
            shown = " and ".join(segmenter.card.target for segmenter in chosen)
            reason = f"{study.name} has {' and '.join(study.sequences)}: only the {shown} is outlined"
            result = PredictedFiles(remarks=(Problem(files.folder, reason, kind=ProblemKind.SEQUENCE),))
        outlined: list[Segmentation] = []
        for segmenter in chosen:
            usual = segmenter.card.postprocessing
            postprocessing = usual.adjusted(
                threshold=self._settings.threshold, min_lesion_voxels=self._settings.min_lesion_voxels
            )
            outlined.append((yield from relay(segmenter.stream(study, postprocessing))))
        for made in with_surroundings(outlined):
            result += self._write(study, root, output_of(made.target, self._settings.targets, output), made)
        return result

    def _write(self, study: Study, root: Path, output: Path, result: Segmentation) -> PredictedFiles:
        import numpy as np

        write = partial(
            write_slices,
            study,
            root=root,
            out=output,
            writer=self._writer,
            about=result.provenance,
            overwrite=self._settings.overwrite,
        )
        masks = write(result.mask, suffix=MASK_SUFFIX)
        others: list[Path] = []
        if self._settings.probabilities:
            scaled = np.rint(result.probabilities * 255).astype(np.uint8)
            others += write(scaled, suffix=PROBABILITY_SUFFIX, mask=False)
        if self._settings.report:
            others += self._write_report(study, result, masks[0])
        return PredictedFiles(tuple(masks), tuple(others))

    def _write_report(self, study: Study, result: Segmentation, mask: Path) -> list[Path]:
        """Write a page, and of a DICOM SEG a structured report, beside the masks."""
        from metseg.lesions import label_lesions
        from metseg.reporting import write_page, write_structured_report

        page = mask.with_name(f"{study.name}_report.pdf")
        structured = page.with_suffix(".dcm")
        if not self._settings.overwrite and (page.exists() or structured.exists()):
            raise DataError(f"{page}: is there already; give --overwrite")
        write_page(page, study, label_lesions(result.mask), result.measured, result.provenance)
        if self._writer is None or self._writer.name != "dicom-seg":
            return [page]
        write_structured_report(structured, study, result.measured, mask, result.provenance)
        return [page, structured]


def read_ahead(found: Iterable[StudyFiles]) -> Iterator[tuple[StudyFiles, LoadedStudies]]:
    """Each study's files with what was read of them; while the caller uses one study, a thread reads the next."""
    waiting: deque[tuple[StudyFiles, Future[LoadedStudies]]] = deque()
    reader = ThreadPoolExecutor(1, "metseg-reading")
    try:
        for files in found:
            waiting.append((files, reader.submit(load, files)))
            if len(waiting) > 1:
                yield _read(*waiting.popleft())
        while waiting:
            yield _read(*waiting.popleft())
    finally:
        reader.shutdown(cancel_futures=True)


def _read(files: StudyFiles, loading: Future[LoadedStudies]) -> tuple[StudyFiles, LoadedStudies]:
    return files, loading.result()


def output_of(target: Target, targets: Collection[Target], output: Path) -> Path:
    """Folder of a target's masks: where several are wanted, those of what enhances have one of their own."""
    return output / ENHANCING if len(targets) > 1 and target is Target.ENHANCING_LESION else output
