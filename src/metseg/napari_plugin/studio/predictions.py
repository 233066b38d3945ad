"""From a case to a proposal, and what it would change. Runs in threads: no Qt."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from metseg.curation import PredictionPlan, Project, Provenance
from metseg.curation.predicting import Predictions, predicting_project, provenance_of
from metseg.events import Event, Progress
from metseg.napari_plugin.native_libraries import keep_llvm_apart
from metseg.napari_plugin.pipeline import SLICES_AT_ONCE, phased
from metseg.preprocessing import Clahe
from metseg.study import Sequence as MrSequence
from metseg.study import Study

if TYPE_CHECKING:
    from metseg.client import Address
    from metseg.inference import Segmentation, Segmenters

_IDS = int(np.iinfo(np.uint16).max) + 1


class ProposalChange(IntEnum):
    """What taking over a proposal would do to a voxel; 0 is background before and after."""

    ADDED = 1
    REMOVED = 2
    ALTERED = 3
    KEPT = 4
    UNCHANGED = 5
    LOST = 6


@dataclass(frozen=True, eq=False)
class Proposal:
    """A prediction that waits to be taken over.

    Attributes
    ----------
    case : str
        Name of the case it is of.
    keep_hand : bool
        Whether what was drawn by hand stays.
    changes : ndarray of uint8, shape (z, y, x)
        A :class:`ProposalChange` for each voxel.
    """

    case: str
    answer: Segmentation
    provenance: Provenance
    plan: PredictionPlan
    keep_hand: bool
    changes: npt.NDArray[np.uint8]

    @property
    def changes_something(self) -> bool:
        """Whether any lesion would be another."""
        return bool(self.plan.added or self.plan.removed or self.plan.altered)

    def lesions(self, change: ProposalChange) -> tuple[int, ...]:
        """Ids of the lesions that come, go, are altered, kept or unchanged."""
        plan = self.plan
        return {
            ProposalChange.ADDED: plan.added,
            ProposalChange.REMOVED: plan.removed,
            ProposalChange.ALTERED: plan.altered,
            ProposalChange.KEPT: plan.kept,
            ProposalChange.UNCHANGED: plan.unchanged,
        }.get(change, ())


def propose(
    case: str, answer: Segmentation, plan: PredictionPlan, before: npt.NDArray[np.uint16], *, keep_hand: bool
) -> Proposal:
    """Set an answer and its plan against the labels as they are, ``before``, shape (z, y, x)."""
    return Proposal(case, answer, provenance(answer), plan, keep_hand, changes(before, plan))


def provenance(answer: Segmentation) -> Provenance:
    """How ``answer`` came to be, for the journal."""
    return provenance_of(
        answer.model,
        answer.weights_sha256,
        answer.preprocessing,
        answer.postprocessing,
        answer.target,
        clahe_average=answer.clahe_average,
    )


def changes(before: npt.NDArray[np.uint16], plan: PredictionPlan) -> npt.NDArray[np.uint8]:
    """A :class:`ProposalChange` for each voxel.

    Parameters
    ----------
    before : ndarray of uint16, shape (z, y, x)
        The labels as they are.
    """
    after, lost = np.zeros(_IDS, np.uint8), np.zeros(_IDS, np.uint8)
    for ids, change in (
        (plan.added, ProposalChange.ADDED),
        (plan.altered, ProposalChange.ALTERED),
        (plan.unchanged, ProposalChange.UNCHANGED),
        (plan.kept, ProposalChange.KEPT),
    ):
        after[list(ids)] = change
    lost[list(plan.removed)] = ProposalChange.REMOVED
    lost[list(plan.altered)] = ProposalChange.LOST
    return np.where(plan.labels > 0, after[plan.labels], lost[before])


def first_voxel_slice(proposal: Proposal, before: npt.NDArray[np.uint16], lesion: int) -> tuple[int, int, int]:
    """Where to look at a lesion of the plan: the middle of its slice with most voxels, (z, y, x)."""
    mask = proposal.plan.labels == lesion
    if not mask.any():
        mask = before == lesion
    z = int(np.argmax(np.count_nonzero(mask, axis=(1, 2))))
    y, x = (int(round(float(places.mean()))) for places in np.nonzero(mask[z]))
    return z, y, x


def predicting(
    study: Study, model: str, device: str, clahe: Clahe | None, server: Address | None
) -> Iterator[Event[Segmentation]]:
    """Segment a study with the network ``model`` (``auto``, a name or a file); ``clahe`` as in ``--clahe``."""
    yield Progress(0, 0, "loading the network")
    with _opened(model, device, clahe, server) as segmenters:
        (segmenter,) = segmenters.of(study.sequences)
        yield from phased(segmenter.stream(study), study.name)


def predicting_all(
    project: Project, model: str, device: str, clahe: Clahe | None, server: Address | None, cases: Collection[str]
) -> Iterator[Event[Predictions]]:
    """Let a network predict those of ``cases`` that nobody has edited, as ``metseg project predict`` does."""
    yield Progress(0, 0, "loading the network")
    with _opened(model, device, clahe, server) as segmenters:

        def made(sequences: tuple[MrSequence, ...]) -> Provenance:
            (segmenter,) = segmenters.of(sequences)
            card = segmenter.card
            return provenance_of(
                card.name,
                segmenter.sha256,
                card.preprocessing,
                card.postprocessing,
                card.target,
                clahe_average=card.inference.clahe_average,
            )

        def propose(study: Study) -> Iterator[Event[Segmentation]]:
            (segmenter,) = segmenters.of(study.sequences)
            return segmenter.stream(study)

        yield from predicting_project(project, propose, made, cases=cases)


def _opened(model: str, device: str, clahe: Clahe | None, server: Address | None) -> Segmenters:
    """Networks of this computer, or of a server, which imports no torch."""
    if server is None:
        keep_llvm_apart()
    from metseg.inference import Segmenters

    return Segmenters(model, device=device, batch_size=SLICES_AT_ONCE, clahe=clahe, server=server)
