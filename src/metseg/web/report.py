"""A report in one file: pictures, tables, and where they come from."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from metseg import __version__
from metseg.http_documents import LesionDocument
from metseg.metrics import overlap
from metseg.web import formatting
from metseg.web.pictures import FIRST, SECOND, Frame, Lesions, Marking, as_png, draw
from metseg.web.planes import Plane
from metseg.web.result import NetworkResult

_MOST_PICTURES = 12
_SIDE = 420


def as_report(results: tuple[NetworkResult, ...]) -> bytes:
    """A page of HTML that needs no other file.

    Parameters
    ----------
    results : tuple of NetworkResult
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
        image=formatting.describe_image(first.answer),
        sequences=", ".join(formatting.sequence_names(first.answer)),
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=__version__,
        agreement=f"{overlap(results[0].mask, results[1].mask).dice:.3f}" if len(results) > 1 else "",
        parts=[_part(result, colour) for result, colour in zip(results, (FIRST, SECOND), strict=False)],
    )
    return page.encode()


def _part(result: NetworkResult, colour: tuple[int, int, int]) -> dict[str, Any]:
    answer = result.answer
    lesions = sorted(answer.lesions, key=lambda lesion: -lesion.voxels)
    slices = _slices(result, lesions)
    return {
        "model": answer.model.name,
        "target": answer.model.target,
        "sha": answer.model.weights_sha256,
        "threshold": f"{answer.postprocessing.threshold:g}",
        "smallest": answer.postprocessing.min_lesion_voxels,
        "clahe": answer.clahe,
        "found": formatting.found(lesions),
        "notices": [formatting.sentence(notice) for notice in answer.notices],
        "colour": "#{:02x}{:02x}{:02x}".format(*colour),
        "rows": [_row(lesion) for lesion in lesions],
        "pictures": [_picture(result, z, numbers, colour) for z, numbers in slices.items()],
        "left_out": len(lesions) - sum(map(len, slices.values())),
    }


def _row(lesion: LesionDocument) -> list[str]:
    return [
        str(lesion.lesion),
        formatting.slices_of(lesion),
        formatting.size_of(lesion),
        formatting.diameter_of(lesion),
        formatting.probability_of(lesion),
        "yes" if lesion.touches_border else "",
    ]


def _slices(result: NetworkResult, lesions: list[LesionDocument]) -> dict[int, list[int]]:
    """Slices where lesions are largest, and the numbers of those lesions, as many as are pictured."""
    found: dict[int, list[int]] = {}
    for lesion in lesions:
        part = result.labels[lesion.first_slice : lesion.last_slice + 1] == lesion.lesion
        z = lesion.first_slice + int(part.sum(axis=(1, 2)).argmax())
        if z in found or len(found) < _MOST_PICTURES:
            found.setdefault(z, []).append(lesion.lesion)
    return found or {result.shape[0] // 2: []}


def _picture(result: NetworkResult, z: int, numbers: list[int], colour: tuple[int, int, int]) -> dict[str, str]:
    names = formatting.sequence_names(result.answer)
    channel = names.index("FLAIR") if "FLAIR" in names else 0
    frame = Frame(Plane.AXIAL, result.region, result.steps, _SIDE)
    gray = result.windows[channel].apply(result.voxels[channel][z])
    picture = draw(frame, gray, z, [Lesions(result.labels, colour)], Marking(1.0))
    source = base64.b64encode(as_png(picture)).decode()
    listed = ", ".join(map(str, sorted(numbers)))
    title = f"Lesion{'s' * (len(numbers) > 1)} {listed}" if numbers else "No lesion"
    return {"source": f"data:image/png;base64,{source}", "title": title, "place": f"slice {z + 1}, {names[channel]}"}
