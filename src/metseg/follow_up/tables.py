"""What changed, as a table and as JSON."""

from __future__ import annotations

import csv
import io
from typing import Any

from metseg import __version__
from metseg.follow_up.changes import FollowedLesion
from metseg.follow_up.comparing import FollowUp
from metseg.follow_up.tracking import TrackedExaminations
from metseg.lesions import Lesion, lesion_records

#: Names of the columns.
COLUMNS = (
    "lesion",
    "change",
    "event",
    "volume_before_mm3",
    "volume_after_mm3",
    "volume_change_percent",
    "diameter_before_mm",
    "diameter_after_mm",
    "diameter_change_mm",
    "target",
    "side",
    "slice_after",
)


def change_table_csv(result: FollowUp) -> str:
    r"""Write one line a lesion, ended by ``\n``, with a header line; what is not known is left empty.

    Slices are counted from 0.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in change_records(result):
        writer.writerow([_cell(value) for value in record.values()])
    return text.getvalue()


def change_records(result: FollowUp) -> list[dict[str, Any]]:
    """One dictionary a lesion with the keys :data:`COLUMNS`; what is not known is ``None``."""
    return [dict(zip(COLUMNS, _row(lesion, result), strict=True)) for lesion in result.lesions]


def follow_up_document(result: FollowUp) -> dict[str, Any]:
    """Everything as JSON values: changes, both lesion tables, response, registration."""
    judgement = result.judgement
    return {
        "purpose": "research use; not a medical device",
        "software": f"metseg {__version__}",
        "before": result.before.name,
        "after": result.after.name,
        "spacing_before_mm": result.before.geometry.spacing,
        "spacing_after_mm": result.after.geometry.spacing,
        "lesions": change_records(result),
        "response": {
            "criteria": "RANO-BM, imaging of target lesions alone",
            "response": str(judgement.response),
            "reason": judgement.reason,
            "targets": list(judgement.targets),
            "sum_of_target_diameters_before_mm": judgement.sums[0],
            "sum_of_target_diameters_after_mm": judgement.sums[1],
        },
        "registration": _registration(result),
        "lesions_before": _parts(result, 0),
        "lesions_after": _parts(result, 1),
    }


def tracked_table_csv(result: TrackedExaminations) -> str:
    r"""Write one line a lesion, ended by ``\n``: volume, longest diameter and change by examination, counted from 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    measures = ("volume_mm3", "diameter_mm", "change")
    times = range(1, len(result.studies) + 1)
    writer.writerow(["lesion", "side", *(f"{measure}_{time}" for time in times for measure in measures)])
    for lesion in result.lesions:
        known = next(part for parts in lesion.parts for part in parts)
        row: list[object] = [lesion.number, known.side]
        for volume, diameter, change in zip(lesion.volumes, lesion.diameters, lesion.changes, strict=True):
            row += [volume, diameter, change]
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def tracked_document(result: TrackedExaminations) -> dict[str, Any]:
    """Everything as JSON values: lesions by examination, and each examination with the one before."""
    return {
        "purpose": "research use; not a medical device",
        "software": f"metseg {__version__}",
        "examinations": [study.name for study in result.studies],
        "dates": [None if date is None else date.isoformat() for date in result.dates],
        "lesions": [
            {
                "lesion": lesion.number,
                "volumes_mm3": list(lesion.volumes),
                "diameters_mm": list(lesion.diameters),
                "changes": [None if change is None else str(change) for change in lesion.changes],
            }
            for lesion in result.lesions
        ],
        "steps": [follow_up_document(step) for step in result.steps],
    }


def carried_provenance(result: FollowUp) -> dict[str, Any]:
    """What made :attr:`FollowUp.carried`, as JSON values: nobody has looked at these outlines on the later image."""
    return {
        "outlined_by": "earlier outlines, carried to this examination by rigid registration; not corrected",
        "carried_from": result.before.name,
        "registration": _registration(result),
        "metseg": __version__,
    }


def _registration(result: FollowUp) -> dict[str, Any]:
    return {
        "kind": "rigid, from the later to the earlier examination, mm, LPS",
        "matrix": [list(row) for row in result.transform.rows],
        "mutual_information": -result.transform.metric,
    }


def _parts(result: FollowUp, time: int) -> list[dict[str, object]]:
    """Every part as in a lesion table, under the number of its lesion."""
    found: list[dict[str, object]] = []
    for lesion in result.lesions:
        parts: tuple[Lesion, ...] = (lesion.before, lesion.after)[time]
        found += [{**record, "lesion": lesion.number} for record in lesion_records(parts)]
    return found


def _row(lesion: FollowedLesion, result: FollowUp) -> tuple[Any, ...]:
    known = lesion.after or lesion.before
    change = lesion.volume_change
    return (
        lesion.number,
        str(lesion.change),
        lesion.event,
        *lesion.volumes,
        None if change is None else 100 * change,
        *lesion.diameters,
        lesion.diameter_change,
        lesion.number in result.judgement.targets,
        None if known[0].side is None else str(known[0].side),
        lesion.after[0].diameter_slice if lesion.after else None,
    )


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.1f}" if isinstance(value, float) else value
