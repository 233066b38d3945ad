"""Models side by side: every number and picture by which to choose one, on patients that none was trained on."""

from metseg.comparison.compare import compare
from metseg.comparison.entries import find_entries, installed_entries
from metseg.comparison.result import Comparison, Verdict
from metseg.comparison.surfaces import TOLERANCE, compare_surfaces

__all__ = [
    "TOLERANCE",
    "Comparison",
    "Verdict",
    "compare",
    "compare_surfaces",
    "find_entries",
    "installed_entries",
]
