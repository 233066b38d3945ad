"""One picture of a segmented study: the slice with most lesion large, others around it, outlines on FLAIR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from metseg.study import Sequence, Study

BACKGROUND = "#0d1117"
TEXT = "#e6edf3"
FAINT = "#8b949e"
PREDICTED = "#ffb000"
KNOWN = "#35d0ff"

_ROWS, _COLUMNS = 3, 4
_TILE_INCHES = 1.95
_HEADER_INCHES = 0.95
_FOOTER_INCHES = 0.38
_MARGIN_INCHES = 0.28
_GAP_INCHES = 0.06
_DPI = 150

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Caption:
    """Words around the picture."""

    title: str
    subtitle: str
    footer: str = "For research. Not a medical device; every outline must be checked by a person."


def write_montage(
    path: Path, study: Study, predicted: Mask, caption: Caption, sequence: Sequence | None = None
) -> None:
    """Draw the outlines of ``predicted``, and of the study's own mask where it has one, and write a PNG.

    Parameters
    ----------
    path : Path
        The PNG.
    study : Study
        What is outlined.
    predicted : ndarray of uint8, shape (z, y, x)
        1 inside lesions.
    caption : Caption
        Title and so on.
    sequence : Sequence, optional
        What is shown, FLAIR unless given; another one where it is not there.
    """
    from metseg.study import Sequence, write_atomically

    index = study.channel(sequence or Sequence.FLAIR)
    shown = "FLAIR" if study.sequences[index] is Sequence.FLAIR else f"{study.sequences[index]} channel"
    rows, columns = _head_box(study.voxels[index])
    gray = _window(study.voxels[index])[:, rows, columns]
    truth = None if study.mask is None else study.mask[:, rows, columns]
    cut = predicted[:, rows, columns]
    hero, others = choose_slices(predicted, study.mask, _ROWS * _COLUMNS)
    spacing = study.geometry.spacing
    pixel = 1.0 if spacing is None else spacing[1] / spacing[2]
    figure, axes = _layout(gray.shape[1] * pixel / gray.shape[2])
    for ax, z in zip(axes, [hero, *others], strict=False):
        _draw(ax, gray[z], cut[z], None if truth is None else truth[z], pixel, width=1.0 if ax is axes[0] else 0.6)
        _label(ax, f"z {z}")
    _letter(figure, caption, shown, truth is not None)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor=BACKGROUND)


def choose_slices(predicted: Mask, truth: Mask | None, count: int) -> tuple[int, list[int]]:
    """The slice with most lesion, and up to ``count`` others in order, spread over the lesions or else the volume."""
    either = predicted.astype(bool) if truth is None else predicted.astype(bool) | truth.astype(bool)
    area = either.sum(axis=(1, 2))
    if not area.any():
        hero = len(area) // 2
        candidates = np.arange(len(area))
    else:
        hero = int(area.argmax())
        candidates = np.flatnonzero(area)
    candidates = candidates[candidates != hero]
    if len(candidates) < count:
        near = np.argsort(np.abs(np.arange(len(area)) - hero), kind="stable")
        fill = [z for z in near.tolist() if z != hero and z not in candidates]
        candidates = np.sort(np.concatenate([candidates, fill[: count - len(candidates)]])).astype(int)
    picked = np.unique(np.linspace(0, len(candidates) - 1, min(count, len(candidates))).round().astype(int))
    return hero, candidates[picked].tolist()


def _head_box(volume: npt.NDArray[np.uint8 | np.uint16]) -> tuple[slice, slice]:
    """Rows and columns that hold the head, with a little air."""
    bright = volume.max(axis=0) > np.percentile(volume, 99.5) * 0.12
    bounds = []
    for axis in (1, 0):
        reached = np.flatnonzero(bright.mean(axis=axis) > 0.02)
        size = bright.shape[1 - axis]
        low, high = (int(reached[0]), int(reached[-1]) + 1) if len(reached) else (0, size)
        bounds.append(slice(max(low - 4, 0), min(high + 4, size)))
    return bounds[0], bounds[1]


def _window(volume: npt.NDArray[np.uint8 | np.uint16]) -> npt.NDArray[np.float32]:
    low, high = np.percentile(volume, [1, 99.5])
    scaled = (volume.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1))
    return scaled.clip(0, 1)


def _layout(tall: float) -> tuple[Figure, list[Axes]]:
    """A dark page with one large picture and a grid beside it; ``tall`` is height over width of a slice."""
    from matplotlib.figure import Figure

    wide = _TILE_INCHES / tall
    hero_tall = _ROWS * _TILE_INCHES + (_ROWS - 1) * _GAP_INCHES
    hero_wide = hero_tall / tall
    width = 2 * _MARGIN_INCHES + hero_wide + _COLUMNS * (wide + _GAP_INCHES)
    height = _HEADER_INCHES + hero_tall + _FOOTER_INCHES
    figure = Figure(figsize=(width, height), facecolor=BACKGROUND)

    def place(left: float, bottom: float, w: float, h: float) -> Axes:
        ax = figure.add_axes((left / width, bottom / height, w / width, h / height))
        ax.set_axis_off()
        return ax

    axes = [place(_MARGIN_INCHES, _FOOTER_INCHES, hero_wide, hero_tall)]
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            left = _MARGIN_INCHES + hero_wide + _GAP_INCHES + column * (wide + _GAP_INCHES)
            bottom = _FOOTER_INCHES + (_ROWS - 1 - row) * (_TILE_INCHES + _GAP_INCHES)
            axes.append(place(left, bottom, wide, _TILE_INCHES))
    return figure, axes


def _draw(
    ax: Axes, gray: npt.NDArray[np.float32], predicted: Mask, truth: Mask | None, pixel: float, width: float
) -> None:
    ax.imshow(gray, cmap="gray", vmin=0, vmax=1, aspect=pixel, interpolation="lanczos")
    ax.autoscale(False)
    if truth is not None:
        _outline(ax, truth, KNOWN, 2.4 * width)
    _outline(ax, predicted, PREDICTED, 1.5 * width)


def _label(ax: Axes, text: str) -> None:
    ax.annotate(
        text,
        (0, 1),
        xytext=(6, -6),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        color=TEXT,
        fontsize=8.5,
    )


def _outline(ax: Axes, mask: Mask, colour: str, width: float) -> None:
    if mask.any():
        y, x = (np.arange(-1, size + 1) for size in mask.shape)
        ax.contour(x, y, np.pad(mask, 1), levels=[0.5], colors=[colour], linewidths=[width])


def _letter(figure: Figure, caption: Caption, shown: str, known: bool) -> None:
    """Title and subtitle at the left, legend at the right, what must be said at the foot."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    left = _MARGIN_INCHES / width
    figure.text(left, 1 - 0.34 / height, caption.title, color=TEXT, fontsize=17, weight="bold", va="center")
    figure.text(left, 1 - 0.68 / height, caption.subtitle, color=FAINT, fontsize=10.5, va="center")
    figure.text(left, 0.17 / height, caption.footer, color=FAINT, fontsize=8.5, va="center")
    figure.text(1 - left, 0.17 / height, f"shown on {shown}", color=FAINT, fontsize=8.5, va="center", ha="right")
    lines = [Line2D([], [], color=PREDICTED, linewidth=2.2, label="network")]
    if known:
        lines.append(Line2D([], [], color=KNOWN, linewidth=2.2, label="known mask"))
    figure.legend(
        handles=lines,
        loc="center right",
        bbox_to_anchor=(1 - left + 0.005, 1 - 0.5 / height),
        ncols=2,
        frameon=False,
        labelcolor=TEXT,
        fontsize=11,
        handlelength=1.6,
    )
