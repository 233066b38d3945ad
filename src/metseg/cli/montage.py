"""One picture of a segmented study: the slice with most lesion large, others around it; or slices for two targets."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

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
_HEADER_INCHES, _LINE_INCHES, _FOOTER_INCHES = 0.68, 0.27, 0.38
_MARGIN_INCHES, _GAP_INCHES = 0.28, 0.06
_DPI = 150

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Caption:
    """Words around the picture: a title, and lines below it."""

    title: str
    lines: tuple[str, ...]
    footer: str = "For research. Not a medical device; every outline must be checked by a person."


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
    predicted : ndarray of uint8, shape (z, y, x)
        1 inside lesions.
    sequence : Sequence, optional
        What is shown, FLAIR unless given; another one where it is not there.
    """
    from metseg.study import Sequence

    index = study.channel(sequence or Sequence.FLAIR)
    shown = _sequence_name(study.sequences[index])
    shown = shown if study.sequences[index] in (Sequence.FLAIR, Sequence.POST) else f"{shown} channel"
    tiles = _Tiles(study, index, _head_box(study.voxels[index]))
    figure, grid = _page(_ROWS, _ROWS + _COLUMNS, _TILE_INCHES, tiles.tall, caption)
    places = [grid[:, :_ROWS], *(grid[row, _ROWS + column] for row in range(_ROWS) for column in range(_COLUMNS))]
    hero, others = choose_slices(predicted, study.mask, _ROWS * _COLUMNS)
    for place, z in zip(places, [hero, *others], strict=False):
        width = 1.0 if z == hero else 0.6
        outlines = [(study.mask, KNOWN, 2.4 * width), (predicted, PREDICTED, 1.5 * width)]
        tiles.draw(figure.add_subplot(place), z, outlines, f"z {z}")
    legend = {"network": PREDICTED} | ({} if study.mask is None else {"known mask": KNOWN})
    _save(path, figure, caption, f"shown on {shown}", legend)


@dataclass(frozen=True, eq=False, slots=True)
class Finding:
    """What one network outlined.

    Attributes
    ----------
    predicted, truth : ndarray of uint8, shape (z, y, x)
        1 inside lesions; ``truth`` is ``None`` where it is not known.
    """

    target: Target
    predicted: Mask
    truth: Mask | None


def write_target_montage(path: Path, study: Study, findings: Seq[Finding], caption: Caption) -> None:
    """Draw slices once for each target, below each other, and write a PNG.

    Every picture has the contours of its own target: the network's and, where it is known, the true one. FLAIR is
    shown for FLAIR abnormality, post-contrast for what enhances; there are at most as many targets as :data:`TARGETS`.
    """
    from metseg.study import Sequence

    box = _head_box(study.voxels[study.channel(Sequence.FLAIR)])
    channels = [study.channel(shown_on(finding.target)) for finding in findings]
    tiles = [_Tiles(study, index, box) for index in channels]
    figure, grid = _page(_PAIRS * len(findings), _PAIRS_WIDE, _PAIR_TILE_INCHES, tiles[0].tall, caption)
    for place, z in enumerate(_slices_of_all(findings)):
        pair, column = divmod(place, _PAIRS_WIDE)
        for number, (finding, colour) in enumerate(zip(findings, TARGETS, strict=False)):
            ax = figure.add_subplot(grid[pair * len(findings) + number, column])
            name = "" if column else f" · {_sequence_name(study.sequences[channels[number]])}"
            tiles[number].draw(ax, z, [(finding.truth, KNOWN, 1.7), (finding.predicted, colour, 1.0)], f"z {z}{name}")
    legend = {str(finding.target): colour for finding, colour in zip(findings, TARGETS, strict=False)}
    if any(finding.truth is not None for finding in findings):
        legend["known mask"] = KNOWN
    _save(path, figure, caption, "", legend)


def _sequence_name(sequence: Sequence) -> str:
    return "FLAIR" if sequence == "flair" else str(sequence)


def _slices_of_all(findings: Seq[Finding]) -> list[int]:
    """Slices with lesions of any target, in order, as many as there is room for."""
    masks = [mask for finding in findings for mask in (finding.predicted, finding.truth) if mask is not None]
    hero, others = choose_slices(np.any(masks, axis=0).astype(np.uint8), None, _PAIRS * _PAIRS_WIDE - 1)
    return sorted([hero, *others])


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


class _Tiles:
    """Pictures of one channel of a study, cut to the head."""

    def __init__(self, study: Study, index: int, box: tuple[slice, slice]) -> None:
        from metseg.preprocessing import display_window

        self._gray, self._box, spacing = study.voxels[index][:, *box], box, study.geometry.spacing
        self._low, self._high = display_window(study.voxels[index])
        self._pixel = 1.0 if spacing is None else spacing[1] / spacing[2]

    @property
    def tall(self) -> float:
        """Height of a picture over its width."""
        return float(self._gray.shape[1] * self._pixel / self._gray.shape[2])

    def draw(self, ax: Axes, z: int, outlines: Seq[tuple[Mask | None, str, float]], label: str) -> None:
        """Draw slice ``z`` with the outline, colour and line width of each mask, and a label in its corner."""
        ax.set_axis_off()
        look: dict[str, Any] = {"cmap": "gray", "interpolation": "lanczos", "vmin": self._low, "vmax": self._high}
        ax.imshow(self._gray[z], aspect=self._pixel, **look)
        ax.autoscale(False)
        for mask, colour, width in outlines:
            if mask is not None and (cut := mask[z, *self._box]).any():
                y, x = (np.arange(-1, size + 1) for size in cut.shape)
                ax.contour(x, y, np.pad(cut, 1), levels=[0.5], colors=[colour], linewidths=[width])
        corner: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
        ax.annotate(label, (0, 1), xytext=(6, -6), color=TEXT, fontsize=8.5, **corner)


def _page(rows: int, columns: int, tile: float, tall: float, caption: Caption) -> tuple[Figure, GridSpec]:
    """A dark page with a grid of pictures ``tile`` inches high below the caption."""
    from matplotlib.figure import Figure

    wide, header = tile / tall, _HEADER_INCHES + _LINE_INCHES * len(caption.lines)
    width = 2 * _MARGIN_INCHES + columns * (wide + _GAP_INCHES) - _GAP_INCHES
    height = header + rows * (tile + _GAP_INCHES) - _GAP_INCHES + _FOOTER_INCHES
    figure = Figure(figsize=(width, height), facecolor=BACKGROUND)
    margin = _MARGIN_INCHES / width
    sides = {"left": margin, "right": 1 - margin, "top": 1 - header / height, "bottom": _FOOTER_INCHES / height}
    return figure, figure.add_gridspec(rows, columns, wspace=_GAP_INCHES / wide, hspace=_GAP_INCHES / tile, **sides)


def _save(path: Path, figure: Figure, caption: Caption, shown: str, legend: dict[str, str]) -> None:
    """Letter the page and write it: title, lines and legend (names and colours) above, the footer below."""
    from matplotlib.lines import Line2D

    from metseg.study import write_atomically

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
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor=BACKGROUND)
