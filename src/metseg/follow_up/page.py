"""One page (A4, PDF) on what changed: table, and the lesions that changed most, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metseg.follow_up.changes import FollowedLesion, FollowUpChange, signed_percent
from metseg.follow_up.comparing import FollowUp, common_sequence
from metseg.preprocessing.display import display_window
from metseg.reporting.page import begin_page, draw_outlines, picture_places, save_page

_ROWS, _PICTURED, _ACROSS = 14, 4, 4
_HEADINGS = ("lesion", "change", "", "volume mm³", "change", "diameter mm", "change", "target", "side")
_WIDTHS = (0.07, 0.12, 0.1, 0.16, 0.1, 0.16, 0.1, 0.08, 0.11)


def write_follow_up_page(path: str | Path, result: FollowUp) -> None:
    """Write the page.

    Both pictures of a pair show the same place: the earlier examination is interpolated on the later one's grid.

    Parameters
    ----------
    path : str or Path
        File to create or replace, ``.pdf`` or ``.png``; its folder must exist.
    result : FollowUp

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    before, after = result.before, result.after
    title = after.name if before.name == after.name else f"{before.name} → {after.name}"
    hidden = len(result.lesions) - _ROWS
    more = f"\n{hidden} further lesions are not listed" if hidden > 0 else ""
    judgement = result.judgement
    summary = f"RANO-BM, target lesions alone: {judgement.response}\n{judgement.reason}{more}"
    ordered = sorted(result.lesions, key=_importance)
    rows = [_cells(one, result) for one in ordered[:_ROWS]]
    figure = begin_page(title, summary, _HEADINGS, rows, _WIDTHS)
    places = picture_places(len(rows), _ACROSS)
    sequence = common_sequence(before, after)
    later = after.voxels[after.channel(sequence)]
    earlier = result.transform.carry(
        before.voxels[before.channel(sequence)], before.geometry, after.geometry, after.shape, labels=False
    )
    spacing = after.geometry.spacing or (1.0, 1.0, 1.0)
    pictured = [(one, z) for one in ordered[:_PICTURED] if (z := _slice_of(one, result)) is not None]
    for lesion, z in pictured:
        for time, (image, labels) in enumerate(((earlier, result.carried), (later, result.labels_after))):
            axes = figure.add_axes(next(places))
            low, high = display_window(image)
            axes.imshow(image[z], cmap="gray", vmin=low, vmax=high, aspect=spacing[1] / spacing[2])
            draw_outlines(axes, labels[z], lesion.number)
            axes.set_title(f"{lesion.number}, {lesion.change}" if time else "before", fontsize=8, pad=3)
    save_page(figure, path)


def _importance(lesion: FollowedLesion) -> tuple[bool, float]:
    """What changed most comes first."""
    before, after = lesion.volumes
    return lesion.change in (FollowUpChange.UNCHANGED, FollowUpChange.NOT_COVERED), -abs(after - before)


def _slice_of(lesion: FollowedLesion, result: FollowUp) -> int | None:
    """The slice of the later examination in which a lesion is, or was, largest; ``None`` if it does not show it."""
    if lesion.after:
        return max(lesion.after, key=lambda one: one.n_voxels).diameter_slice
    areas = np.count_nonzero(result.carried == lesion.number, axis=(1, 2))
    return int(areas.argmax()) if areas.any() else None


def _cells(lesion: FollowedLesion, result: FollowUp) -> list[str]:
    share, known = lesion.volume_change, (lesion.after or lesion.before)[0]
    return [
        str(lesion.number),
        str(lesion.change),
        lesion.event,
        " → ".join(f"{volume:.0f}" for volume in lesion.volumes),
        "" if share is None else signed_percent(share),
        " → ".join(f"{diameter:.1f}" for diameter in lesion.diameters),
        f"{lesion.diameter_change:+.1f}".replace("-", "−"),
        "yes" if lesion.number in result.judgement.targets else "",
        str(known.side or ""),
    ]
