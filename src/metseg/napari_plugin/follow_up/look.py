"""What a comparison looks like: layers of earlier outlines, lesions' numbers, captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metseg.follow_up import carried_provenance
from metseg.napari_plugin.layers import KEY, LabelsMetadata, placed_metadata
from metseg.preprocessing.display import display_window

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Points

    from metseg.napari_plugin.follow_up.work import ComparedExaminations

#: Of the layers that a comparison adds to the viewer, and takes out again.
EARLIER_OUTLINES, LESION_NUMBERS = "earlier outlines (follow-up)", "lesion numbers (follow-up)"
#: Of the earlier outlines; no network's and no mask file's outlines have it.
EARLIER_COLOUR = (1.0, 0.45, 0.95, 1.0)
_CAPTION = "metseg_follow_up"
_CAPTION_POINTS, _NUMBER_POINTS, _MOST_LETTERS = 11, 11, 24


def earlier_image(comparison: ComparedExaminations, placed: dict[str, Any]) -> Image:
    """The earlier examination on the later one's voxels, which lie as ``placed`` says."""
    from napari.layers import Image

    return Image(
        comparison.earlier_image,
        name=f"{comparison.result.before.name} (interpolated)",
        colormap="gray",
        contrast_limits=display_window(comparison.earlier_image),
        metadata=placed_metadata(comparison.result.after.geometry),
        **placed,
    )


def earlier_outlines(comparison: ComparedExaminations, placed: dict[str, Any]) -> Labels:
    """The earlier outlines as contours, which cannot be drawn on."""
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    layer = Labels(
        comparison.result.carried,
        name=EARLIER_OUTLINES,
        colormap=DirectLabelColormap(color_dict={0: (0.0,) * 4, None: EARLIER_COLOUR}),
        opacity=0.9,
        metadata={KEY: "earlier outlines"},
        **placed,
    )
    layer.contour = 1
    _lock(layer)
    return layer


def lesion_numbers(comparison: ComparedExaminations, time: int, placed: dict[str, Any]) -> Points:
    """Lesions' numbers beside the earlier (0) or later (1) outlines, the same for the same lesion; not to be moved."""
    from napari.layers import Points

    places, numbers = comparison.numbers[time]
    layer = Points(
        places.reshape(-1, 3),
        name=LESION_NUMBERS,
        size=0.1,
        face_color="transparent",
        border_color="transparent",
        features={"number": numbers},
        text={"string": "{number}", "size": _NUMBER_POINTS, "color": "white", "anchor": "lower_left"},
        metadata={KEY: "numbers"},
        **placed,
    )
    _lock(layer)
    return layer


def _lock(layer: Labels | Points) -> None:
    """Let nothing be edited; napari would allow it again after each change between 2-D and 3-D."""

    def lock() -> None:
        layer.editable = False

    layer.events.editable.connect(lock)
    lock()


def carried_outlines(comparison: ComparedExaminations, placed: dict[str, Any]) -> Labels:
    """The earlier outlines as a layer of the later examination to correct, marked as carried from the earlier one."""
    from napari.layers import Labels

    result = comparison.result
    labels = result.carried.astype(np.uint16)
    entry = LabelsMetadata(result.after, labels.copy(), carried=carried_provenance(result))
    layer = Labels(
        labels,
        name=f"lesions carried from {result.before.name} · {result.after.name}",
        opacity=0.9,
        metadata={KEY: entry, **placed_metadata(result.after.geometry)},
        **placed,
    )
    layer.contour = 1
    return layer


def write_caption(viewer: ViewerModel, when: str, name: str = "") -> None:
    """Write at the upper left of a viewer which examination it shows; ``when`` is empty to take that away."""
    from napari.components.overlays import TextOverlay

    overlays = viewer.canvas.overlays
    if when:
        short = name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
        overlays[_CAPTION] = TextOverlay(
            text=f"{when}\n{short}", position="top_left", font_size=_CAPTION_POINTS, color="white", visible=True
        )
    else:
        overlays.pop(_CAPTION, None)
