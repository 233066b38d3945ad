"""Lesions: the mask from probabilities, its components, and what can be measured of them."""

from metseg.lesions.components import label_lesions, largest_lesion_centre
from metseg.lesions.laterality import Midline, Side, find_midline
from metseg.lesions.measurement import Lesion, measure, sum_of_target_diameters
from metseg.lesions.postprocessing import PostprocessingConfig, mask_from_probabilities
from metseg.lesions.refinement import GuidedFilter, guided_filter
from metseg.lesions.slice_propagation import SlicePropagation, propagate_slices
from metseg.lesions.table import LESION_COLUMNS, lesion_records, lesion_table_csv
from metseg.lesions.target import Target, TargetChoice

__all__ = [
    "LESION_COLUMNS",
    "SlicePropagation",
    "GuidedFilter",
    "Lesion",
    "Midline",
    "PostprocessingConfig",
    "Side",
    "Target",
    "TargetChoice",
    "propagate_slices",
    "find_midline",
    "guided_filter",
    "label_lesions",
    "largest_lesion_centre",
    "lesion_records",
    "lesion_table_csv",
    "mask_from_probabilities",
    "measure",
    "sum_of_target_diameters",
]
