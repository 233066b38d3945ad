"""Words and numbers, as the page and the report say them. Slices are counted from 1 here."""

from __future__ import annotations

from collections.abc import Sequence

from metseg.http_documents import LesionDocument, MaskDocument, ModelDocument

UNKNOWN = "–"
_SEQUENCES = {
    "pre-contrast": "Pre-contrast",
    "flair": "FLAIR",
    "post-contrast": "Post-contrast",
    "other": "Other",
    "unknown": "Image",
}


def as_markdown(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#+-!|$~:" else letter for letter in text)


def sentence(text: str) -> str:
    """Text with a capital at its beginning, unless that is the name of a file, and a full stop at its end."""
    text = text.strip()
    first = text.split(maxsplit=1)[0].rstrip(".,;!?") if text else ""
    if not any(mark in first for mark in "._/:"):
        text = text[:1].upper() + text[1:]
    return text + ("" if text.endswith((".", "!", "?")) else ".")


def sequence_names(answer: MaskDocument) -> list[str]:
    """A name for each channel, no two alike."""
    names: list[str] = []
    for index, sequence in enumerate(answer.image.sequences):
        name = _SEQUENCES.get(sequence, sequence)
        names.append(name if name not in names else f"{name} {index + 1}")
    return names


def describe_image(answer: MaskDocument) -> str:
    """Slices, pixels, spacing and format in one line."""
    depth, rows, columns = answer.image.shape
    spacing = answer.image.spacing
    size = "spacing unknown" if spacing is None else " × ".join(f"{step:.3g}" for step in spacing) + " mm"
    return f"{depth} slice{'s' * (depth > 1)} · {rows} × {columns} pixels · {size} · {answer.image.format.upper()}"


def total_volume(lesions: Sequence[LesionDocument]) -> str:
    """Of all lesions, in ml, or in voxels where spacing is not known."""
    known = [lesion.volume_mm3 for lesion in lesions if lesion.volume_mm3 is not None]
    if lesions and len(known) == len(lesions):
        return f"{sum(known) / 1000:.1f} ml"
    return f"{sum(lesion.voxels for lesion in lesions):,} voxels"


def found(lesions: Sequence[LesionDocument]) -> str:
    """How many lesions, and how much."""
    if not lesions:
        return "No lesion"
    return f"{len(lesions)} lesion{'s' * (len(lesions) > 1)}, {total_volume(lesions)}"


def size_of(lesion: LesionDocument) -> str:
    """Volume of one lesion."""
    return f"{lesion.voxels:,} voxels" if lesion.volume_mm3 is None else f"{lesion.volume_mm3 / 1000:.2f} ml"


def diameter_of(lesion: LesionDocument) -> str:
    """Longest in-plane diameter of one lesion, and at right angles to it."""
    if lesion.diameter_mm is None:
        return f"{lesion.diameter_px:.0f} px"
    across = "" if lesion.perpendicular_mm is None else f" × {lesion.perpendicular_mm:.1f}"
    return f"{lesion.diameter_mm:.1f}{across} mm"


def slices_of(lesion: LesionDocument) -> str:
    """First and last slice of one lesion."""
    first, last = lesion.first_slice + 1, lesion.last_slice + 1
    return str(first) if first == last else f"{first}–{last}"


def probability_of(lesion: LesionDocument) -> str:
    """Mean probability of one lesion."""
    return UNKNOWN if lesion.mean_probability is None else f"{lesion.mean_probability:.2f}"


def score_rows(card: ModelDocument) -> list[dict[str, str]]:
    """A model card's held-out scores, one row for each setting."""
    wanted = {
        "patients": ("Patients", "{:.0f}"),
        "mean_dice": ("Mean Dice", "{:.3f}"),
        "worst_dice": ("Worst", "{:.3f}"),
        "sensitivity": ("Lesions found", "{:.0%}"),
        "false_positives_per_scan": ("False per scan", "{:.1f}"),
    }
    former = {"sensitivity": "lesion_sensitivity", "false_positives_per_scan": "false_lesions_per_patient"}
    rows = []
    for setting, scores in card.scores.items():
        row: dict[str, str] = {"Measured on": setting.replace("_", " ")}
        for key, (title, form) in wanted.items():
            value = scores.get(key, scores.get(former.get(key, "")))
            row[title] = form.format(value) if isinstance(value, int | float) else UNKNOWN
        rows.append(row)
    return rows
