"""One page (A4, PDF) on the lesions of an examination: table, pictures, what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg import __version__
from metseg.lesions import Lesion, sum_of_target_diameters
from metseg.preprocessing.display import display_window
from metseg.study import Study, write_atomically
from metseg.study.model import Sequence as MrSequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (8.27, 11.69)
_ROWS, _PICTURES, _ACROSS = 14, 6, 3
#: In shares of the page: its margin and width between margins, the table's upper edge, a row of it.
_LEFT, _WIDTH, TABLE_TOP, TABLE_LINE = 0.07, 0.86, 0.88, 0.017
_COLOUR = "#ffb000"
_SOFTWARE = f"metseg {__version__}"
_HEADINGS = ("lesion", "slices", "volume", "diameter × across", "measurable", "side", "around", "probability", "edge")
_WIDTHS = (0.08, 0.1, 0.13, 0.2, 0.12, 0.09, 0.13, 0.12, 0.06)
_FOOTER = (
    "Research use. Not a medical device; every outline must be checked by a person. Volume: voxels times their size.\n"
    "Diameter: longest within one slice; across: longest at right angles to it. Measurable: size of RANO-BM (10 mm, "
    "5 mm across, two slices).\nAround: FLAIR abnormality nearest to it. All depend on the slice spacing."
)


def write_page(
    path: str | Path,
    study: Study,
    labels: npt.NDArray[np.integer],
    lesions: Sequence[Lesion],
    about: Mapping[str, Any],
) -> None:
    """Write the page.

    Parameters
    ----------
    path : str or Path
        File to create or replace, ``.pdf`` or ``.png``; its folder must exist.
    study : Study
        Shown on post-contrast T1 if it has it, else FLAIR.
    labels : ndarray of int, shape (z, y, x)
        0 outside, numbers of lesions inside.
    lesions : sequence of Lesion
        Their measures; the largest come first, and what has no room is counted.
    about : mapping
        What outlined them, as :attr:`metseg.inference.Segmentation.provenance`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    ordered = sorted(lesions, key=lambda lesion: -lesion.n_voxels)
    rows = [_cells(lesion) for lesion in ordered[:_ROWS]]
    figure = begin_page(study.name, _summary(study, lesions, about), _HEADINGS, rows, _WIDTHS)
    image = study.voxels[study.channel(MrSequence.POST)]
    spacing, window = study.geometry.spacing or (1.0, 1.0, 1.0), display_window(image)
    for lesion, place in zip(ordered[:_PICTURES], picture_places(len(rows), _ACROSS), strict=False):
        axes = figure.add_axes(place)
        z = lesion.diameter_slice
        axes.imshow(image[z], cmap="gray", vmin=window[0], vmax=window[1], aspect=spacing[1] / spacing[2])
        draw_outlines(axes, labels[z], lesion.id)
        axes.set_title(f"lesion {lesion.id}, slice {z + 1}", fontsize=8, pad=3)
    save_page(figure, path)


def begin_page(
    title: str, summary: str, headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float]
) -> Figure:
    """Begin a page with its title, what is said below it, a table, and what must be known at its foot.

    Columns without a value are left out. ``widths`` are shares of the width between the margins.
    """
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    figure = Figure(figsize=_INCHES)
    figure.text(0.07, 0.955, title, fontsize=16, fontweight="bold", parse_math=False)
    figure.text(0.07, 0.935, summary, fontsize=9, va="top", parse_math=False)
    figure.text(0.07, 0.025, _FOOTER, fontsize=6.5, va="bottom")
    shown = [column for column in range(len(headings)) if any(row[column] for row in rows)]
    if shown:
        lines = [[row[column] for column in shown] for row in (headings, *rows)]
        height, width = TABLE_LINE * len(lines), sum(widths[column] for column in shown)
        axes = figure.add_axes((_LEFT, TABLE_TOP - height, _WIDTH * width, height))
        axes.set_axis_off()
        table = axes.table(
            lines,
            bbox=Bbox.unit(),
            cellLoc="left",
            edges="horizontal",
            colWidths=[widths[column] / width for column in shown],
        )
        table.auto_set_font_size(False)
        table.set_fontsize(8)
    return figure


def picture_places(rows: int, across: int) -> Iterator[tuple[float, float, float, float]]:
    """Places of square pictures below a table of so many rows, in lines of ``across``: left, bottom, width, height.

    In shares of the page. There are as many as fit above its foot.
    """
    gap = 0.02
    width = (_WIDTH - gap * (across - 1)) / across
    height = width * _INCHES[0] / _INCHES[1]
    bottom = TABLE_TOP - TABLE_LINE * (rows + 1) - 0.045 - height
    while bottom > 0.06:
        for column in range(across):
            yield _LEFT + (width + gap) * column, bottom, width, height
        bottom -= height + 0.03


def save_page(figure: Figure, path: str | Path) -> None:
    """Write a page, whole or not at all: as PDF, or as PNG if it is so called."""
    form = "png" if Path(path).suffix.lower() == ".png" else "pdf"
    with write_atomically(path) as temporary:
        figure.savefig(temporary, format=form, dpi=80, metadata={"Software" if form == "png" else "Creator": _SOFTWARE})


def _summary(study: Study, lesions: Sequence[Lesion], about: Mapping[str, Any]) -> str:
    spacing, total = study.geometry.spacing, sum_of_target_diameters(lesions)
    size = "voxel size not known" if spacing is None else " × ".join(f"{one:.3g}" for one in spacing) + " mm (z, y, x)"
    what = about.get("target") or "lesions"
    count = f"{len(lesions)} lesion{'s' * (len(lesions) != 1)}"
    volume = "" if spacing is None else f", {sum(one.volume_mm3 or 0 for one in lesions) / 1000:.2f} ml"
    diameters = "" if total is None else f"; sum of target diameters {total:.1f} mm"
    hidden = len(lesions) - _ROWS
    more = f" ({hidden} smaller ones are not listed)" if hidden > 0 else ""
    by = f"{about['model']}, weights {str(about.get('weights_sha256', ''))[:12]}" if about.get("model") else "a person"
    return (
        f"{what}: {count}{volume}{diameters}{more}\n{study.shape[0]} slices, {', '.join(study.sequences)}; {size}\n"
        f"outlined by {by}; {_SOFTWARE}"
    )


def _cells(lesion: Lesion) -> list[str]:
    first, last = (z + 1 for z in lesion.slices)
    size, diameter = f"{lesion.n_voxels} voxels", f"{lesion.diameter_px:.0f} px"
    around = "" if lesion.surrounding_voxels is None else f"{lesion.surrounding_voxels} voxels"
    if lesion.volume_mm3 is not None:
        size, diameter = f"{lesion.volume_mm3:.0f} mm³", f"{lesion.diameter_mm:.1f} × {lesion.perpendicular_mm:.1f} mm"
        around = "" if lesion.surrounding_mm3 is None else f"{lesion.surrounding_mm3:.0f} mm³"
    return [
        str(lesion.id),
        str(first) if first == last else f"{first}–{last}",
        size,
        diameter,
        "" if lesion.measurable is None else "yes" if lesion.measurable else "no",
        str(lesion.side or ""),
        around,
        "" if lesion.mean_probability is None else f"{lesion.mean_probability:.2f}",
        "yes" if lesion.touches_border else "",
    ]


def draw_outlines(axes: Axes, labels: npt.NDArray[np.integer], lesion: int) -> None:
    """Draw the outlines of a slice, that of ``lesion`` thick."""
    for number in np.unique(labels[labels > 0]):
        inside = np.pad((labels == number).astype(np.float32), 1)
        grid = np.arange(-1, labels.shape[1] + 1), np.arange(-1, labels.shape[0] + 1)
        axes.contour(*grid, inside, levels=[0.5], colors=_COLOUR, linewidths=1.2 if number == lesion else 0.5)
    axes.set_xlim(-0.5, labels.shape[1] - 0.5)
    axes.set_ylim(labels.shape[0] - 0.5, -0.5)
    axes.set_axis_off()
