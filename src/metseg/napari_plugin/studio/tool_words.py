"""What the correction tools say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metseg.curation import ToolName
from metseg.curation.tools import Change

#: What is said when an edge cannot move, by tool, and by whether it was to go to the network's contour.
NO_EDGE = {
    (ToolName.GROW, False): "there is no room",
    (ToolName.GROW, True): "the network saw nothing more round it: use the guided brush",
    (ToolName.SHRINK, False): "nothing would remain of it: delete it instead",
    (ToolName.SHRINK, True): "there is no contour of the network's within it: use the guided eraser",
}


def summary(change: Change, numbers: dict[str, Any]) -> str:
    """Which lesions a change is about, and how many voxels it adds and removes."""
    more = int(np.count_nonzero((change.before == 0) & (change.after > 0)))
    fewer = int(np.count_nonzero((change.before > 0) & (change.after == 0)))
    parts = [f"{more:,} voxels more"] * (more > 0) + [f"{fewer:,} voxels fewer"] * (fewer > 0)
    lesions = numbers.get("lesions") or ([numbers["lesion"]] if "lesion" in numbers else [])
    named = f"lesion{'s' * (len(lesions) > 1)} {_listed(lesions)}" if lesions else ""
    return ", ".join([named] * bool(named) + parts)


def _listed(numbers: Sequence[int]) -> str:
    *others, last = map(str, numbers)
    return f"{', '.join(others)} and {last}" if others else last


def sentence(text: str) -> str:
    """``text`` with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))
