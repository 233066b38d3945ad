"""``README.md`` of an export: a data-set card with the front matter that Hugging Face reads.

See "Dataset cards" in the documentation of the Hugging Face Hub. Values are JSON, which YAML includes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from metseg.curation.enums import Origin
from metseg.curation.export.manifest import ExportedCase, Layout, Manifest, Subset, labels_from_runs

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_FILES = {
    Layout.PAIRS: "`<case>/<slice>.tif` and `<case>/<slice>_mask.tif` (0 and 255); `split.json` for `metseg train`.",
    Layout.NNUNET: "nnU-Net v2: `imagesTr`, `labelsTr` (1 is lesion); who is held out is in `imagesTs`, `labelsTs`. "
    "Copy `splits_final.json` to the folder of the data set in `nnUNet_preprocessed`.",
    Layout.NIFTI: "NIfTI in the manner of BIDS derivatives: `_mask` is 0 and 1, `_dseg` has the ids of lesions.",
    Layout.COCO: "`images/<case>/<slice>.tif`; `annotations/train.json`, `annotations/held_out.json` in COCO's form.",
}
_MEANING = {
    Origin.AUTOMATIC: "drawn by a network, left as it was",
    Origin.SEMIAUTOMATIC: "drawn by a network or with a tool, edited by a person",
    Origin.MANUAL: "drawn by a person",
}


def card(manifest: Manifest) -> str:
    """The card of a data set, as Markdown."""
    return "\n".join([*_front_matter(manifest), "", *_body(manifest), ""])


def _front_matter(manifest: Manifest) -> list[str]:
    cases = manifest.cases
    slices = sum(case.shape[0] for case in cases)
    origins = {lesion.origin for case in cases for lesion in case.lesions}
    creators = ["machine-generated"] if origins - {Origin.MANUAL} else []
    if origins - {Origin.AUTOMATIC} or not origins:
        creators.append("other")
    content = {
        "pretty_name": "Brain lesion masks checked in napari-metseg",
        **_licence(manifest.licence),
        "task_categories": ["image-segmentation"],
        "annotations_creators": creators,
        "size_categories": [next((name for limit, name in _SIZES if slices < limit), "1M<n<10M")],
        "tags": ["medical", "mri", "brain", "lesion", "croissant"],
    }
    return ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in content.items()), "---"]


def _licence(licence: str) -> dict[str, str]:
    """Identifiers are in lower case; anything else is ``other``, with its name."""
    if re.fullmatch(r"[A-Za-z0-9.-]*", licence):
        return {"license": licence.lower() or "unknown"}
    return {"license": "other", "license_name": licence}


def _body(manifest: Manifest) -> list[str]:
    cases, rule, licence = manifest.cases, manifest.split, manifest.licence
    origins = Counter(lesion.origin for case in cases for lesion in case.lesions)
    lines = [
        "# Brain lesion masks checked in napari-metseg",
        "",
        "For research. Not a medical device.",
        "",
        f"Written by {manifest.software} from records up to {manifest.time:%Y-%m-%d %H:%M:%S} UTC. "
        f"Licence of the data: {licence or 'not stated; ask whoever gave you the images'}.",
        "",
        "## Content",
        "",
        "| side | patients | examinations | slices | slices with lesion | lesions |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_row(side, [case for case in cases if case.side is side]) for side in Subset),
        "",
        _FILES[manifest.layout],
        "",
        "`manifest.json` has the hash of every file, and for each case the model, its target, its weights' hash, "
        "threshold and preprocessing, the state of the journal that was exported, each lesion's origin, and how it was "
        "edited. "
        "`metseg verify` checks it. `croissant.json` says it in the Croissant format.",
        "",
        "## Split",
        "",
        f"By patient, never by slice: about {rule.held_out:g} of the patients are held out, by a hash of the patient's "
        f"name and the seed {rule.seed}. They stay held out when others join.",
        "",
        "## How the masks came to be",
        "",
        "| DICOM's word | lesions | meaning |",
        "| --- | ---: | --- |",
        *(f"| {origin} | {origins[origin]} | {meaning} |" for origin, meaning in _MEANING.items()),
        "",
        f"Status: {_counted(Counter(str(case.status) for case in cases))}. Voxels added by people: "
        f"{sum(case.statistics.added for case in cases)}, removed: {sum(case.statistics.removed for case in cases)}.",
        "",
        "| model | outlines | sha256 of its weights | examinations |",
        "| --- | --- | --- | ---: |",
        *_models(cases),
    ]
    if unknown := sum(case.spacing is None for case in cases):
        lines += ["", f"Voxel spacing is unknown in {unknown} of {len(cases)} examinations; sizes are in voxels there."]
    return lines


def _row(side: Subset, cases: Sequence[ExportedCase]) -> str:
    with_lesion = sum(int(labels_from_runs(case.lesions, case.shape).any(axis=(1, 2)).sum()) for case in cases)
    counts = (
        len({case.patient for case in cases}),
        len(cases),
        sum(case.shape[0] for case in cases),
        with_lesion,
        sum(len(case.lesions) for case in cases),
    )
    return f"| {side} | {' | '.join(map(str, counts))} |"


def _models(cases: Sequence[ExportedCase]) -> list[str]:
    made = [case.model.provenance for case in cases if case.model]
    known = [(one.model, str(one.target), one.weights_sha256) for one in made]
    rows = [
        f"| {name} | {target} | {weights or 'unknown'} | {count} |"
        for (name, target, weights), count in sorted(Counter(known).items())
    ]
    without = len(cases) - len(known)
    return rows + ([f"| none | | | {without} |"] if without else [])


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
