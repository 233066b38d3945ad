"""Correction tools: functions on labels, each of which gives back a :class:`LabelEdit` and alters nothing itself.

Labels are uint16 (z, y, x): 0 outside, else the lesion's label. ToolError is raised where a lesion that is named is not
there, or not in the slice that is named.
"""

from metseg.curation.tools.brush import guided_brush
from metseg.curation.tools.change import LabelEdit, ToolError
from metseg.curation.tools.growing import dilate, erode, grow, shrink
from metseg.curation.tools.interpolation import interpolate, slices_round
from metseg.curation.tools.lesion_edits import copy_slice, delete, merge, relabel, separate, split, within_range
from metseg.curation.tools.stroke import Stroke

__all__ = [
    "LabelEdit",
    "Stroke",
    "ToolError",
    "copy_slice",
    "delete",
    "dilate",
    "erode",
    "grow",
    "guided_brush",
    "interpolate",
    "merge",
    "relabel",
    "separate",
    "shrink",
    "slices_round",
    "split",
    "within_range",
]
