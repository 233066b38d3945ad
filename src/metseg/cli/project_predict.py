"""``metseg project predict``: let a network propose masks for the cases of a project."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from metseg.cli.console import out, plain
from metseg.cli.options import DEFAULT_MODEL, Device, Model, Smallest, Threshold, postprocessing_of
from metseg.cli.progress import EventBar
from metseg.cli.project import Folder, leave_with
from metseg.errors import DataError, MetsegError, UnreadableFileError

if TYPE_CHECKING:
    from metseg.curation import CaseView, Project, Provenance
    from metseg.inference import Segmenter
    from metseg.lesions import PostprocessingConfig

_PREDICTED = "predicted"
_THERE = "predicted by this network already"
_EDITED = "left alone because somebody has edited them (--also-edited)"
_FINISHED = "left alone because they are approved or rejected (name them with --case)"


def predict(
    project: Folder,
    model: Model = DEFAULT_MODEL,
    case: Annotated[list[str] | None, typer.Option(help="Only this case; may be repeated.")] = None,
    also_edited: Annotated[
        bool,
        typer.Option("--also-edited", help="Also cases that somebody has edited; what was drawn by hand stays."),
    ] = False,
    device: Device = "auto",
    threshold: Threshold = None,
    smallest: Smallest = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Slices per forward pass.")] = 8,
) -> None:
    """Let a network outline the lesions of all cases that nobody has edited yet.

    What this network has predicted already, with the same settings, is not predicted again: a run that was broken off
    is finished by running it again. Approved and rejected cases are only touched if they are named with --case and
    --also-edited is given. Cases that fail are listed, and make the exit status 1.
    """
    from metseg.checkpoints import load_checkpoint
    from metseg.curation import Project
    from metseg.inference import Segmenter

    opened = Project.open(project)
    names = [summary.name for summary in opened.cases()]
    if unknown := sorted(set(case or ()) - set(names)):
        raise DataError(f"{project}: has no case {', '.join(unknown)}")
    checkpoint = load_checkpoint(model)
    postprocessing = postprocessing_of(checkpoint, threshold, smallest)
    with Segmenter(checkpoint, device=device, batch_size=batch_size) as segmenter, EventBar() as bar:
        run = _Run(opened, segmenter, postprocessing, also_edited, named=bool(case))
        wanted = [name for name in names if not case or name in case]
        for number, name in enumerate(wanted, start=1):
            run.predict_case(name, bar, f"{name} ({number} of {len(wanted)})")
    for outcome, count in run.outcomes.items():
        plain(out(), f"{count} case{'s' * (count != 1)} {outcome}")
    leave_with(run.refused)


@dataclass
class _Run:
    """One run over many cases: what it works with, and what became of them."""

    project: Project
    segmenter: Segmenter
    postprocessing: PostprocessingConfig
    also_edited: bool
    named: bool
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    def predict_case(self, name: str, bar: EventBar, title: str) -> None:
        """Predict a case unless there is a reason not to; nobody is locked out while the network works."""
        try:
            case = self.project.read_case(name)
            outcome = self._reason_against(case)
            if not outcome:
                segmentation = bar.follow(self.segmenter.stream(case.study(), self.postprocessing), title)
                with self.project.open_case(name) as session:
                    outcome = self._reason_against(session)
                    if not outcome:
                        session.predict(
                            session.plan_prediction(segmentation.mask), segmentation.probabilities, self._provenance()
                        )
                        outcome = _PREDICTED
            self.outcomes[outcome] += 1
        except MetsegError as error:
            self.refused.append(str(error))

    def _reason_against(self, case: CaseView) -> str:
        """Why a case is not to be predicted; empty if it is."""
        from metseg.curation import Status

        if case.status is not Status.TODO and self._is_there(case):
            return _THERE
        if case.status in (Status.APPROVED, Status.REJECTED) and not (self.named and self.also_edited):
            return _FINISHED
        return _EDITED if case.status is Status.CORRECTED and not self.also_edited else ""

    def _is_there(self, case: CaseView) -> bool:
        try:
            prediction = case.prediction()
        except UnreadableFileError:
            return False
        return prediction is not None and prediction.provenance == self._provenance()

    def _provenance(self) -> Provenance:
        from metseg.curation import Provenance

        checkpoint = self.segmenter.checkpoint
        return Provenance(
            model=checkpoint.card.name,
            weights_sha256=checkpoint.sha256,
            threshold=self.postprocessing.threshold,
            preprocessing=checkpoint.card.preprocessing.model_dump(mode="json"),
            postprocessing=self.postprocessing.model_dump(mode="json"),
        )
