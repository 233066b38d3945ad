"""A synthetic head that looks like one, with lesions whose true mask is known."""

from __future__ import annotations

from metseg.synthetic.lesion import LesionSpec, draw_lesion
from metseg.synthetic.study import synthetic_study

__all__ = ["LesionSpec", "draw_lesion", "synthetic_study"]
