"""Agreement of a predicted mask with the true one: by voxel, by slice, by lesion, by patient."""

from metseg.metrics.calibration import DOUBTLESS, Reliability, pool_reliability, reliability
from metseg.metrics.matching import SIZE_EDGES, LesionMatch, SizeClass, match_by_size, match_lesions, pool_sizes
from metseg.metrics.overlap import Overlap, as_lesion, overlap
from metseg.metrics.scores import PatientScore, Score, Summary, score_patient, summarise
from metseg.metrics.statistics import CONFIDENCE, Interval, PairedTest, compare_paired, mean_interval
from metseg.metrics.table import as_table

__all__ = [
    "CONFIDENCE",
    "DOUBTLESS",
    "SIZE_EDGES",
    "Interval",
    "LesionMatch",
    "Overlap",
    "PairedTest",
    "PatientScore",
    "Reliability",
    "Score",
    "SizeClass",
    "Summary",
    "as_lesion",
    "as_table",
    "compare_paired",
    "match_by_size",
    "match_lesions",
    "mean_interval",
    "overlap",
    "pool_reliability",
    "pool_sizes",
    "reliability",
    "score_patient",
    "summarise",
]
