"""Statuses and what the correction tools did, as texts for the user."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QT_TRANSLATE_NOOP

from metseg.curation import Status, ToolName
from metseg.curation.tools import LabelEdit
from metseg.napari_plugin.translations import translate

_NO_EDGE = {
    (ToolName.GROW, False): QT_TRANSLATE_NOOP("studio", "there is no room"),
    (ToolName.GROW, True): QT_TRANSLATE_NOOP("studio", "the network saw nothing more round it: use the guided brush"),
    (ToolName.SHRINK, False): QT_TRANSLATE_NOOP("studio", "nothing would remain of it: delete it instead"),
    (ToolName.SHRINK, True): QT_TRANSLATE_NOOP(
        "studio", "there is no contour of the network's within it: use the guided eraser"
    ),
}
# Names of tools that stand on no button.
_NAMES = QT_TRANSLATE_NOOP("studio", "relabel"), QT_TRANSLATE_NOOP("studio", "copy to slice")


def no_edge(tool: ToolName, contour: bool) -> str:
    """The message when an edge cannot move; ``contour`` if it was to go to the network's."""
    return translate("studio", _NO_EDGE[tool, contour])


def summary(change: LabelEdit, numbers: dict[str, Any]) -> str:
    """Which lesions a change is about, and how many voxels it adds and removes."""
    more = int(np.count_nonzero((change.before == 0) & (change.after > 0)))
    fewer = int(np.count_nonzero((change.before > 0) & (change.after == 0)))
    lesions = list(map(str, numbers.get("lesions") or ([numbers["lesion"]] if "lesion" in numbers else [])))
    parts = []
    if len(lesions) > 1:
        listed = translate("studio", "{others} and {last}").format(others=", ".join(lesions[:-1]), last=lesions[-1])
        parts.append(translate("studio", "lesions {numbers}").format(numbers=listed))
    elif lesions:
        parts.append(translate("studio", "lesion {number}").format(number=lesions[0]))
    if more:
        parts.append(translate("studio", "{count} voxels more").format(count=f"{more:,}"))
    if fewer:
        parts.append(translate("studio", "{count} voxels fewer").format(count=f"{fewer:,}"))
    return ", ".join(parts)


def sentence(text: str) -> str:
    """``text`` with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "." * (not text.endswith("."))


def counted(number: int, noun: str) -> str:
    """How many there are: ``1 case``, ``2 cases``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def lesion_count(number: int) -> str:
    """How many lesions there are, in the user's language."""
    if number == 1:
        return translate("studio", "1 lesion")
    return translate("studio", "{count} lesions").format(count=number)


def status_name(status: Status) -> str:
    """A status in the user's language."""
    return {
        Status.TODO: translate("studio", "to do"),
        Status.PREDICTED: translate("studio", "predicted"),
        Status.CORRECTED: translate("studio", "corrected"),
        Status.APPROVED: translate("studio", "approved"),
        Status.REJECTED: translate("studio", "rejected"),
    }[status]
