"""A synthetic head that looks like one, and lesions whose true mask is known, for it and for real heads."""

from __future__ import annotations

from metseg.synthetic.lesion import draw_lesion
from metseg.synthetic.metastases import Insertion, MetastasisConfig, insert_metastases
from metseg.synthetic.shape import LesionSpec
from metseg.synthetic.study import synthetic_study, synthetic_targets

__all__ = [
    "Insertion",
    "LesionSpec",
    "MetastasisConfig",
    "draw_lesion",
    "insert_metastases",
    "synthetic_study",
    "synthetic_targets",
]
