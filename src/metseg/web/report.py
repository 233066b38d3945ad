"""A report in one file: pictures, tables, and where they come from."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from metseg import __version__
from metseg.metrics import overlap
from metseg.web import wording
from metseg.web.documents import Lesion
from metseg.web.pictures import FIRST, SECOND, Frame, Lesions, Marking, as_png, draw
from metseg.web.planes import Plane, fullest
from metseg.web.result import Result

_MOST_PICTURES = 12
_SIDE = 420


def as_report(results: tuple[Result, ...]) -> bytes:
    """A page of HTML that needs no other file.

    Parameters
    ----------
    results : tuple of Result
        Of one study; one or two networks.

    Returns
    -------
    bytes
        UTF-8.
    """
    environment = Environment(loader=PackageLoader("metseg.web", "assets"), autoescape=select_autoescape())
    first = results[0]
    page = environment.get_template("report.html").render(
        name=first.name,
        image=wording.describe_image(first.answer),
        sequences=", ".join(wording.sequence_names(first.answer)),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=__version__,
        agreement=f"{overlap(results[0].mask, results[1].mask).dice:.3f}" if len(results) > 1 else "",
        parts=[_part(result, colour) for result, colour in zip(results, (FIRST, SECOND), strict=False)],
    )
    return page.encode()


def _part(result: Result, colour: tuple[int, int, int]) -> dict[str, Any]:
    answer = result.answer
    lesions = sorted(answer.lesions, key=lambda lesion: -lesion.voxels)
    return {
        "model": answer.model.name,
        "sha": answer.model.weights_sha256,
        "threshold": f"{answer.postprocessing.threshold:g}",
        "smallest": answer.postprocessing.smallest,
        "found": wording.found(lesions),
        "notices": [wording.sentence(notice) for notice in answer.notices],
        "colour": "#{:02x}{:02x}{:02x}".format(*colour),
        "rows": [_row(lesion) for lesion in lesions],
        "pictures": _pictures(result, lesions, colour),
        "left_out": max(0, len(lesions) - _MOST_PICTURES),
    }


def _row(lesion: Lesion) -> list[str]:
    return [
        str(lesion.lesion),
        wording.slices_of(lesion),
        wording.size_of(lesion),
        wording.diameter_of(lesion),
        wording.probability_of(lesion),
        "yes" if lesion.touches_border else "",
    ]


def _pictures(result: Result, lesions: list[Lesion], colour: tuple[int, int, int]) -> list[dict[str, str]]:
    """The largest slice of each lesion; of a study without lesions, its middle."""
    places = [
        (f"Lesion {lesion.lesion}", fullest((result.labels == lesion.lesion).view("u1"))[0], lesion.lesion)
        for lesion in lesions[:_MOST_PICTURES]
    ]
    return [
        _picture(result, title, z, number, colour)
        for title, z, number in places or [("Middle", result.shape[0] // 2, 0)]
    ]


def _picture(result: Result, title: str, z: int, number: int, colour: tuple[int, int, int]) -> dict[str, str]:
    names = wording.sequence_names(result.answer)
    channel = names.index("FLAIR") if "FLAIR" in names else 0
    volume = result.voxels[channel]
    frame = Frame(Plane.AXIAL, result.region, result.steps, _SIDE)
    gray = result.windows[channel].apply(volume[z])
    picture = draw(frame, gray, z, [Lesions(result.labels, colour)], Marking(1.0))
    source = base64.b64encode(as_png(picture)).decode()
    return {"source": f"data:image/png;base64,{source}", "title": title, "place": f"slice {z + 1}, {names[channel]}"}
