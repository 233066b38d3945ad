"""One page (A4, PDF) on several examinations: table, response, and volumes and diameters as a chart."""

from __future__ import annotations

import datetime
import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg.follow_up.changes import FollowUpChange
from metseg.follow_up.tracking import TrackedExaminations, TrackedLesion
from metseg.reporting.page import TABLE_LINE, TABLE_TOP, begin_page, save_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Lesions that are listed and drawn, and examinations that the table has room for.
_ROWS, _COLUMNS, _LINES, _LETTERS = 14, 5, 3, 98
_NAME = 16
#: Of a chart, and between table and charts, in shares of the page.
_HEIGHT, _GAP = 0.3, 0.07
#: Share of a chart's width below which numbers of examinations stand together, and days below which each has a tick.
_NEAR, _FEW_DAYS = 0.05, 4


def write_course_page(path: str | Path, result: TrackedExaminations) -> None:
    """Write the page; the lesions that were once largest come first, and of many examinations the last are listed.

    Charts are to the scale of time if the date of every examination is known, else by their numbers; they say which.

    Parameters
    ----------
    path : str or Path
        File to create or replace, ``.pdf`` or ``.png``; its folder must exist.
    result : TrackedExaminations

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    save_page(course_figure(result), path)


def course_figure(result: TrackedExaminations) -> Figure:
    """Draw what :func:`write_course_page` writes."""
    studies = result.studies
    ordered = sorted(result.lesions, key=lambda one: -max(one.volumes))
    times = range(len(studies))[-_COLUMNS:]
    headings = ["lesion", *(f"{time + 1}: {result.dates[time] or _short(studies[time].name)}" for time in times)]
    widths = [0.08, *[0.92 / len(times)] * len(times)]
    names = list(dict.fromkeys(study.name for study in studies))
    title = names[0] if len(names) == 1 else f"{names[0]} → {names[-1]}"
    figure = begin_page(title, _summary(result), headings, [_cells(one, times) for one in ordered[:_ROWS]], widths)
    top = TABLE_TOP - TABLE_LINE * (len(ordered[:_ROWS]) + 1) - _GAP
    shown = sorted(ordered[:_ROWS], key=lambda one: one.number)
    for place, (heading, values) in enumerate(
        (("Volume (mm³)", [one.volumes for one in shown]), ("Longest diameter (mm)", [one.diameters for one in shown]))
    ):
        axes = figure.add_axes((0.09 + 0.47 * place, top - _HEIGHT, 0.37, _HEIGHT))
        places = _show_time(axes, result.dates)
        _draw(axes, heading, values, shown, places)
    return figure


def _summary(result: TrackedExaminations) -> str:
    last = list(enumerate(result.steps, start=2))[-_LINES:]
    said = [f"{number}: {step.judgement.response} ({step.judgement.reason})" for number, step in last]
    said = [line for text in said for line in textwrap.wrap(text, _LETTERS, subsequent_indent="    ")]
    hidden = len(result.lesions) - _ROWS
    more = f"; {hidden} smaller lesions are not listed" if hidden > 0 else ""
    return "\n".join([f"RANO-BM, target lesions alone; baseline: examination 1. Cells: mm³, mm{more}", *said])


def _cells(lesion: TrackedLesion, times: Sequence[int]) -> list[str]:
    cells = [str(lesion.number)]
    for time in times:
        change = lesion.changes[time]
        measured = f"{lesion.volumes[time]:.0f}, {lesion.diameters[time]:.1f}" if lesion.parts[time] else "–"
        cells.append(measured if change is None else f"{measured}  {change}")
    return cells


def _show_time(axes: Axes, dates: Sequence[datetime.date | None]) -> list[float]:
    """Make time the horizontal axis of a chart, and return where on it the examinations are."""
    import matplotlib.dates

    calendar: Any = matplotlib.dates  # which has no types
    known = [date for date in dates if date is not None]
    ordered = all(one < other for one, other in itertools.pairwise(known))
    if len(known) < len(dates) or not ordered:
        axes.set_xticks(range(1, len(dates) + 1))
        reason = "dates are not in this order" if not ordered else "dates are not known"
        axes.set_xlabel(f"examination, not to scale: {reason}", fontsize=8)
        return [float(number) for number in range(1, len(dates) + 1)]
    places = [float(calendar.date2num(date)) for date in known]
    span = places[-1] - places[0]
    locator = calendar.DayLocator() if span < _FEW_DAYS else calendar.AutoDateLocator(minticks=2, maxticks=4)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(calendar.DateFormatter("%Y-%m-%d"))
    axes.set_xlabel("date of the examination (its number above)", fontsize=8)
    for numbers in _together(places, _NEAR * span):
        middle = sum(places[number - 1] for number in numbers) / len(numbers)
        said = ", ".join(map(str, numbers))
        where = axes.get_xaxis_transform()
        axes.text(middle, 1.01, said, transform=where, fontsize=7, color="0.4", ha="center", va="bottom")
    for place in places:
        axes.axvline(place, color="0.9", linewidth=0.8, zorder=0)
    return places


def _together(places: Sequence[float], near: float) -> list[list[int]]:
    """Numbers of examinations, those that are nearer to the one before than that in one list with it."""
    groups = [[1]]
    for number, (before, place) in enumerate(itertools.pairwise(places), start=2):
        if place - before < near:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _draw(
    axes: Axes,
    heading: str,
    values: Sequence[tuple[float, ...]],
    lesions: Sequence[TrackedLesion],
    places: Sequence[float],
) -> None:
    """One line a lesion, with its number at its end; before it is there, and once it is gone, it has none."""
    for line, lesion in zip(values, lesions, strict=True):
        there = [time for time, parts in enumerate(lesion.parts) if parts]
        new = lesion.changes[there[0]] is FollowUpChange.NEW
        gone = FollowUpChange.GONE in lesion.changes[there[-1] + 1 : there[-1] + 2]
        times = slice(there[0] - new, there[-1] + 1 + gone)
        (drawn,) = axes.plot(places[times], line[times], marker="o", markersize=3)
        axes.annotate(
            str(lesion.number),
            (places[there[-1]], line[there[-1]]),
            xytext=(4, 2),
            textcoords="offset points",
            fontsize=7,
            color=drawn.get_color(),
        )
    axes.set_title(heading, fontsize=9, loc="left", pad=16)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
