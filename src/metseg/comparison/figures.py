"""Charts and overlays as SVG that takes its colours and its type from the page around it."""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.comparison.measurement import Picture
from metseg.comparison.result import Comparison
from metseg.metrics import DOUBTLESS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours that the page's style sheet names ``--series-0`` and so on; more models begin anew.
SERIES = 7

# Matplotlib draws with these stand-ins, which then become variables of the style sheet.
_INK, _FAINT, _RULE, _PAGE = "#010203", "#010204", "#010205", "#010206"
_REFERENCE, _PREDICTED = "#010207", "#010208"
_SERIES = [f"#0102{0x10 + index:02x}" for index in range(SERIES)]
_VARIABLES = {
    _INK: "--ink",
    _FAINT: "--faint",
    _RULE: "--rule",
    _PAGE: "--page",
    _REFERENCE: "--reference",
    _PREDICTED: "--predicted",
} | {colour: f"--series-{index}" for index, colour in enumerate(_SERIES)}

_DASHES = ("-", "--", ":", "-.")
_MARKERS = "osD^vPX"
_WIDE = 9.0


def dice_chart(comparison: Comparison) -> str:
    """Dice of every patient as points, their quartiles as a box, the mean with its interval as a diamond."""
    models = comparison.models
    figure, (axes,) = _blank(1, 0.75 + 0.62 * len(models))
    rng = np.random.default_rng(0)
    for row, model in enumerate(models):
        colour = _SERIES[row % SERIES]
        thin: dict[str, Any] = {"color": colour, "linewidth": 1}
        axes.boxplot(
            model.dice,
            positions=[row],
            orientation="horizontal",
            widths=0.5,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": "none", "edgecolor": colour, "linewidth": 1.2},
            medianprops={"color": colour, "linewidth": 2},
            whiskerprops=thin,
            capprops=thin,
        )
        scatter = row + rng.uniform(-0.16, 0.16, len(model.dice))
        axes.scatter(model.dice, scatter, s=13, color=colour, alpha=0.55, linewidths=0)
        interval = model.summary.intervals["mean_dice"]
        if interval.known:
            axes.plot([interval.low, interval.high], [row + 0.36] * 2, color=_INK, linewidth=1.4)
        axes.plot(model.summary.mean_dice, row + 0.36, "D", color=_INK, markersize=4.5)
    axes.set_yticks(range(len(models)), [model.name for model in models])
    axes.set_ylim(len(models) - 0.4, -0.5)
    lowest = min(min(model.dice) for model in models)
    axes.set_xlim(max(np.floor(lowest * 10) / 10 - 0.02, -0.02), 1.005)
    axes.set_xlabel("Dice per patient")
    axes.grid(visible=False, axis="y")
    spoken = "; ".join(f"{m.name}: mean {m.summary.mean_dice:.3f}, worst {m.summary.worst_dice:.3f}" for m in models)
    return _svg(figure, f"Box plots of the Dice per patient. {spoken}.")


def reliability_chart(comparison: Comparison) -> str:
    """Share of lesion among the voxels of a given probability."""
    figure, (axes,) = _blank(1, 4.2, wide=5.4)
    axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle=(0, (2, 3)))
    for index, model in enumerate(comparison.models):
        curve = np.array(model.summary.reliability.curve()).reshape(-1, 2)
        axes.plot(*curve.T, **_series(index), label=model.name)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set(xlabel="probability that the model gave", ylabel="share of these voxels that are lesion")
    _legend(axes)
    spoken = "; ".join(
        f"{m.name}: calibration error {m.summary.reliability.ece_in_doubt:.3f}" for m in comparison.models
    )
    return _svg(figure, f"Reliability diagram. Over voxels of probability {DOUBTLESS} and more: {spoken}.")


def froc_chart(comparison: Comparison) -> str:
    """Lesions found against false positives by threshold; a diamond where the model was scored."""
    figure, (axes,) = _blank(1, 3.6, wide=6.2)
    for index, model in enumerate(comparison.models):
        style = _series(index)
        curve = [(point.false_positives, point.sensitivity) for point in model.summary.froc]
        axes.plot(*zip(*curve, strict=True), **style | {"markersize": 3}, label=model.name)
        point = model.summary.false_positives_per_scan, model.summary.sensitivity
        axes.plot(*point, "D", color=style["color"], markersize=6)
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlim=(0, None), ylim=(0, 1.02))
    axes.set(xlabel="false positives per scan", ylabel="lesions found, mean over patients")
    _legend(axes)
    spoken = "; ".join(
        f"{m.name}: {m.summary.sensitivity:.3f} found, {m.summary.false_positives_per_scan:.2f} false"
        for m in comparison.models
    )
    return _svg(figure, f"Lesions found against false positives per scan, by threshold. As scored: {spoken}.")


def learning_chart(comparison: Comparison) -> str:
    """Training loss and held-out Dice by epoch; empty if no training log was found."""
    if not any(model.curves for model in comparison.models):
        return ""
    from matplotlib.ticker import MaxNLocator

    figure, (loss, dice) = _blank(2, 3.1)
    for index, model in enumerate(comparison.models):
        style = _series(index) | {"markersize": 3.5}
        for run, curve in enumerate(model.curves):
            label = model.name if run == 0 else None
            loss.plot(curve.epochs, curve.loss, **style, label=label)
            scored = [(epoch, value) for epoch, value in zip(curve.epochs, curve.dice, strict=True) if value == value]
            if scored:
                dice.plot(*zip(*scored, strict=True), **style, label=label)
    for axes, title in ((loss, "training loss"), (dice, "Dice per held-out patient, mean")):
        axes.set_title(title, loc="left", color=_INK, fontsize=9.5)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    dice.set_xlim(loss.get_xlim())
    _legend(loss)
    logged = ", ".join(model.name for model in comparison.models if model.curves)
    return _svg(figure, f"Training loss and held-out Dice by epoch of {logged}.")


def overlay(picture: Picture) -> str:
    """One slice with the outlines of the reference (solid) and of the prediction (dashed)."""
    from matplotlib.figure import Figure

    height, width = picture.image.shape
    figure = Figure(figsize=(3, 3 * height / width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    low, high = np.percentile(picture.image, [1, 99.8])
    axes.imshow(picture.image, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="none")
    axes.autoscale(False)
    for mask, colour, dashes in (
        (picture.reference, _REFERENCE, "solid"),
        (picture.predicted, _PREDICTED, (0, (2.4, 1.2))),
    ):
        if mask.any():
            y, x = (np.arange(-1, size + 1) for size in mask.shape)
            axes.contour(x, y, np.pad(mask, 1), levels=[0.5], colors=[colour], linewidths=[1.3], linestyles=[dashes])
    spoken = f"Slice {picture.z} of {picture.patient} with the outlines of reference and prediction"
    return _svg(figure, f"{spoken}, Dice {picture.dice:.3f}.")


def _blank(panels: int, height: float, wide: float = _WIDE) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(wide, height), layout="constrained")
    figure.patch.set_visible(False)
    row = list(figure.subplots(1, panels, squeeze=False)[0])
    for axes in row:
        axes.patch.set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(color=_RULE, linewidth=0.8)
        axes.spines[:].set_visible(False)
        axes.tick_params(colors=_FAINT, labelcolor=_INK, length=0, labelsize=9)
        axes.xaxis.label.set(color=_FAINT, fontsize=9)
        axes.yaxis.label.set(color=_FAINT, fontsize=9)
    return figure, row


def _series(index: int) -> dict[str, Any]:
    return {
        "color": _SERIES[index % SERIES],
        "linestyle": _DASHES[index % len(_DASHES)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "markersize": 4.5,
        "linewidth": 1.6,
    }


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK, handlelength=3)


def _svg(figure: Figure, spoken: str) -> str:
    """``figure`` as an ``<svg>`` to stand in a page, as wide as its place, with ``spoken`` for who cannot see it."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": spoken}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    drawing = text.getvalue().partition("<svg")[2]
    head, _, body = drawing.partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # they would repeat from drawing to drawing
    body = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {namespaces} {view[0] if view else ""} role="img" aria-label="{escape(spoken, quote=True)}">{body}'
