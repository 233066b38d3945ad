"""Agreement of a predicted mask with the true one: by voxel, by slice, by lesion, by scan, by patient."""

from metseg.metrics.calibration import (
    DOUBTLESS,
    Reliability,
    pool_reliability,
    reliability,
    reliability_near_lesions,
)
from metseg.metrics.froc import THRESHOLDS, FrocCounts, OperatingPoint, draw_froc
from metseg.metrics.matching import (
    HD95_PENALTY,
    SMALLEST_LESION,
    FalsePositive,
    LesionMatch,
    LesionScore,
    match_lesions,
    score_lesions,
)
from metseg.metrics.overlap import Overlap, as_lesion, overlap
from metseg.metrics.scores import PatientScore, ScanScore, Summary, score_scan, summarise
from metseg.metrics.sizes import SizeClass
from metseg.metrics.statistics import CONFIDENCE, Interval, PairedTest, Score, compare_paired, mean_interval
from metseg.metrics.table import as_table, with_interval

__all__ = [
    "CONFIDENCE",
    "DOUBTLESS",
    "HD95_PENALTY",
    "SMALLEST_LESION",
    "THRESHOLDS",
    "FalsePositive",
    "FrocCounts",
    "Interval",
    "LesionMatch",
    "LesionScore",
    "OperatingPoint",
    "Overlap",
    "PairedTest",
    "PatientScore",
    "Reliability",
    "ScanScore",
    "Score",
    "SizeClass",
    "Summary",
    "as_lesion",
    "as_table",
    "compare_paired",
    "draw_froc",
    "match_lesions",
    "mean_interval",
    "overlap",
    "pool_reliability",
    "reliability",
    "reliability_near_lesions",
    "score_lesions",
    "score_scan",
    "summarise",
    "with_interval",
]
