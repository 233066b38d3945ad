"""Correcting what a network drew: projects of cases, and training data from them. Neither torch nor Qt is imported."""

from metseg.curation.benefit import CaseBenefit, SliceBenefit, SlicePlan
from metseg.curation.corrections import Corrections
from metseg.curation.default_model import DefaultModel, PromotionResult, promote_model
from metseg.curation.description import CaseDescription
from metseg.curation.drawn import drawn_slices, reviewed_slices
from metseg.curation.enums import EditKind, EntryKind, Origin, Status, ToolName
from metseg.curation.pairs import existing_pairs, export_pairs, exporting_pairs
from metseg.curation.predictions import Prediction, PredictionPlan
from metseg.curation.project import Project
from metseg.curation.queue import (
    ReviewProgress,
    ReviewQueue,
    case_benefit,
    review_progress,
    review_queue,
)
from metseg.curation.record import Record
from metseg.curation.relocation import relocate
from metseg.curation.session import CaseSession
from metseg.curation.state import EditStatistics, Provenance
from metseg.curation.summary import CaseSummary
from metseg.curation.table import LesionRow, lesion_rows, lesion_rows_csv, write_lesion_rows
from metseg.curation.view import CaseView, Note

__all__ = [
    "CaseDescription",
    "CaseSession",
    "CaseSummary",
    "CaseView",
    "DefaultModel",
    "EditKind",
    "EditStatistics",
    "EntryKind",
    "PromotionResult",
    "Note",
    "Origin",
    "Prediction",
    "PredictionPlan",
    "Project",
    "Provenance",
    "Record",
    "Status",
    "ToolName",
    "promote_model",
    "existing_pairs",
    "export_pairs",
    "exporting_pairs",
    "relocate",
    "CaseBenefit",
    "SliceBenefit",
    "SlicePlan",
    "Corrections",
    "ReviewProgress",
    "ReviewQueue",
    "case_benefit",
    "drawn_slices",
    "review_progress",
    "review_queue",
    "reviewed_slices",
    "LesionRow",
    "lesion_rows",
    "lesion_rows_csv",
    "write_lesion_rows",
]
