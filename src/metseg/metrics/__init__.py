"""Agreement of a predicted mask with the true one: by voxel, by slice, by lesion, by patient."""

from metseg.metrics.matching import LesionMatch, match_lesions
from metseg.metrics.overlap import Overlap, overlap
from metseg.metrics.scores import PatientScore, Summary, score_patient, summarise
from metseg.metrics.table import as_table

__all__ = [
    "LesionMatch",
    "Overlap",
    "PatientScore",
    "Summary",
    "as_table",
    "match_lesions",
    "overlap",
    "score_patient",
    "summarise",
]
