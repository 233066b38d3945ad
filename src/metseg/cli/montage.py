"""One picture of a segmented study: the slice with most lesion large, others around it; or slices for two targets."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from metseg.lesions import Target
    from metseg.study import Sequence, Study

BACKGROUND = "#0d1117"
TEXT = "#e6edf3"
FAINT = "#8b949e"
PREDICTED = "#ffb000"
KNOWN = "#35d0ff"
#: Contours of several targets, in their order.
TARGETS = (PREDICTED, "#ff5ad1")

_ROWS, _COLUMNS = 3, 4
_TILE_INCHES = 1.95
_PAIRS, _PAIRS_WIDE = 2, 6
_PAIR_TILE_INCHES = 2.5
_HEADER_INCHES, _LINE_INCHES = 0.68, 0.27
_FOOTER_INCHES = 0.38
_MARGIN_INCHES = 0.28
_GAP_INCHES = 0.06
_DPI = 150

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Caption:
    """Words around the picture: a title, and lines below it."""

    title: str
    lines: tuple[str, ...]
    footer: str = "For research. Not a medical device; every outline must be checked by a person."

    @property
    def inches(self) -> float:
        """Room that title and lines take."""
        return _HEADER_INCHES + _LINE_INCHES * len(self.lines)


def shown_on(target: Target) -> Sequence:
    """The sequence that shows a target best."""
    from metseg.lesions import Target
    from metseg.study import Sequence

    return Sequence.POST if target is Target.ENHANCING_LESION else Sequence.FLAIR


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
    shown = _sequence_name(study.sequences[index])
    shown = shown if study.sequences[index] in (Sequence.FLAIR, Sequence.POST) else f"{shown} channel"
    rows, columns = _head_box(study.voxels[index])
    gray = _window(study.voxels[index])[:, rows, columns]
    truth = None if study.mask is None else study.mask[:, rows, columns]
    cut = predicted[:, rows, columns]
    hero, others = choose_slices(predicted, study.mask, _ROWS * _COLUMNS)
    spacing = study.geometry.spacing
    pixel = 1.0 if spacing is None else spacing[1] / spacing[2]
    figure, axes = _layout(gray.shape[1] * pixel / gray.shape[2], caption.inches)
    for ax, z in zip(axes, [hero, *others], strict=False):
        _draw(ax, gray[z], cut[z], None if truth is None else truth[z], pixel, width=1.0 if ax is axes[0] else 0.6)
        _label(ax, f"z {z}")
    legend = {"network": PREDICTED} | ({} if truth is None else {"known mask": KNOWN})
    _letter(figure, caption, f"shown on {shown}", legend)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor=BACKGROUND)


@dataclass(frozen=True, eq=False, slots=True)
class Finding:
    """What one network outlined.

    Attributes
    ----------
    target : Target
        What that is.
    predicted, truth : ndarray of uint8, shape (z, y, x)
        1 inside lesions; ``truth`` is ``None`` where it is not known.
    """

    target: Target
    predicted: Mask
    truth: Mask | None


def write_target_montage(path: Path, study: Study, findings: Seq[Finding], caption: Caption) -> None:
    """Draw slices once for each target, below each other, and write a PNG.

    Every picture has the contours of its own target: the network's and, where it is known, the true one.

    Parameters
    ----------
    path : Path
        The PNG.
    study : Study
        FLAIR is shown for FLAIR abnormality, post-contrast for what enhances.
    findings : sequence of Finding
        At most as many as :data:`TARGETS`.
    caption : Caption
        Title and so on.
    """
    from metseg.study import Sequence, write_atomically

    rows, columns = _head_box(study.voxels[study.channel(Sequence.FLAIR)])
    spacing = study.geometry.spacing
    pixel = 1.0 if spacing is None else spacing[1] / spacing[2]
    size = columns.stop - columns.start, rows.stop - rows.start
    figure, axes = _pair_layout(size[1] * pixel / size[0], len(findings), caption.inches)
    slices = _slices_of_all(findings)
    for number, (finding, colour) in enumerate(zip(findings, TARGETS, strict=False)):
        index = study.channel(shown_on(finding.target))
        gray = _window(study.voxels[index])[:, rows, columns]
        for place, z in enumerate(slices):
            ax = axes[number][place]
            truth = None if finding.truth is None else finding.truth[z, rows, columns]
            ax.imshow(gray[z], cmap="gray", vmin=0, vmax=1, aspect=pixel, interpolation="lanczos")
            ax.autoscale(False)
            if truth is not None:
                _outline(ax, truth, KNOWN, 1.7)
            _outline(ax, finding.predicted[z, rows, columns], colour, 1.0)
            _label(ax, f"z {z}" if place % _PAIRS_WIDE else f"z {z} · {_sequence_name(study.sequences[index])}")
    legend = {str(finding.target): colour for finding, colour in zip(findings, TARGETS, strict=False)}
    if any(finding.truth is not None for finding in findings):
        legend["known mask"] = KNOWN
    _letter(figure, caption, "", legend)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor=BACKGROUND)


def _sequence_name(sequence: Sequence) -> str:
    return "FLAIR" if sequence == "flair" else str(sequence)


def _slices_of_all(findings: Seq[Finding]) -> list[int]:
    """Slices with lesions of any target, in order, as many as there is room for."""
    masks = [mask for finding in findings for mask in (finding.predicted, finding.truth) if mask is not None]
    hero, others = choose_slices(np.any(masks, axis=0).astype(np.uint8), None, _PAIRS * _PAIRS_WIDE - 1)
    return sorted([hero, *others])


def _pair_layout(tall: float, targets: int, header: float) -> tuple[Figure, list[list[Axes]]]:
    """A dark page with a grid: for each target as many places as there are slices; their rows alternate."""
    from matplotlib.figure import Figure

    wide = _PAIR_TILE_INCHES / tall
    rows = _PAIRS * targets
    gap = 3 * _GAP_INCHES
    width = 2 * _MARGIN_INCHES + _PAIRS_WIDE * (wide + _GAP_INCHES) - _GAP_INCHES
    tiles = rows * _PAIR_TILE_INCHES + (rows - 1) * _GAP_INCHES + (_PAIRS - 1) * gap
    height = header + tiles + _FOOTER_INCHES
    figure = Figure(figsize=(width, height), facecolor=BACKGROUND)
    axes: list[list[Axes]] = [[] for _ in range(targets)]
    for pair in range(_PAIRS):
        for target in range(targets):
            above = pair * targets + target
            top = header + above * (_PAIR_TILE_INCHES + _GAP_INCHES) + pair * gap
            bottom = height - top - _PAIR_TILE_INCHES
            for column in range(_PAIRS_WIDE):
                left = _MARGIN_INCHES + column * (wide + _GAP_INCHES)
                box = left / width, bottom / height, wide / width, _PAIR_TILE_INCHES / height
                axes[target].append(figure.add_axes(box))
                axes[target][-1].set_axis_off()
    return figure, axes


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
    from metseg.preprocessing import display_window

    low, high = display_window(volume)
    scaled = (volume.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return scaled.clip(0, 1)


def _layout(tall: float, header: float) -> tuple[Figure, list[Axes]]:
    """A dark page with one large picture and a grid beside it; ``tall`` is height over width of a slice."""
    from matplotlib.figure import Figure

    wide = _TILE_INCHES / tall
    hero_tall = _ROWS * _TILE_INCHES + (_ROWS - 1) * _GAP_INCHES
    hero_wide = hero_tall / tall
    width = 2 * _MARGIN_INCHES + hero_wide + _COLUMNS * (wide + _GAP_INCHES)
    height = header + hero_tall + _FOOTER_INCHES
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


def _letter(figure: Figure, caption: Caption, shown: str, legend: dict[str, str]) -> None:
    """Title and lines at the left, legend (names and colours) at the right, what must be said at the foot."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    left = _MARGIN_INCHES / width
    figure.text(left, 1 - 0.34 / height, caption.title, color=TEXT, fontsize=17, weight="bold", va="center")
    for number, line in enumerate(caption.lines):
        down = _HEADER_INCHES + number * _LINE_INCHES
        figure.text(left, 1 - down / height, line, color=FAINT, fontsize=10.5, va="center")
    figure.text(left, 0.17 / height, caption.footer, color=FAINT, fontsize=8.5, va="center")
    figure.text(1 - left, 0.17 / height, shown, color=FAINT, fontsize=8.5, va="center", ha="right")
    lines = [Line2D([], [], color=colour, linewidth=2.2, label=name) for name, colour in legend.items()]
    figure.legend(
        handles=lines,
        loc="center right",
        bbox_to_anchor=(1 - left + 0.005, 1 - 0.34 / height),
        ncols=len(lines),
        frameon=False,
        labelcolor=TEXT,
        fontsize=11,
        handlelength=1.6,
    )
