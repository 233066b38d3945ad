"""Models side by side on patients that none of them was trained on."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from metseg.comparison.entries import Contender, Entry, choose_patients, read_contender
from metseg.comparison.measurement import Measured, device_name, measure_model
from metseg.comparison.report import write_report
from metseg.comparison.result import Comparison, ModelResult, Verdict
from metseg.errors import DataError, require_packages
from metseg.events import Event, Finished, Progress
from metseg.inference import backend_devices, resolve_device
from metseg.metrics import compare_paired
from metseg.training.dataset import Folders, masked_patients

_EXTRA = ("monai", "jinja2")
_PACKAGES = ("napari-metseg", "torch", "monai", "scipy", "numpy")


def compare(
    entries: Sequence[Entry],
    data: Folders,
    out: Path,
    *,
    patients: Iterable[str] | None = None,
    device: str = "auto",
    clahe: str | None = None,
) -> Iterator[Event[Comparison]]:
    """Measure models on the same patients and write a report.

    ``out`` receives ``report.html`` (one file that needs nothing else), ``report.md`` and ``scores.json``.

    Parameters
    ----------
    entries : sequence of Entry
        The models; see :func:`find_entries`.
    data : Path or DataFolder
        As for training.
    out : Path
        Where the report goes.
    patients : iterable of str, optional
        Just these, also such that a model was trained on: the report marks them. Unless given, all patients under
        ``data`` that no model was trained on; of a cross-validated model, that some fold was not.
    clahe : str, optional
        Which slices all models are shown, a :class:`~metseg.preprocessing.Clahe`; as each card unless given.

    Raises
    ------
    DataError
        If there is no model, or no patient is left.
    CheckpointError
        If a model is unknown or damaged.
    MissingExtraError
        If the package's extra ``compare`` is not installed.
    """
    require_packages(_EXTRA, "compare")
    if not entries:
        raise DataError("no model is installed to compare; name one with --model")
    files = masked_patients(data)
    contenders: list[Contender] = []
    for entry in entries:
        yield Progress(len(contenders), len(entries), f"reading {entry.name}")
        contenders.append(read_contender(entry, clahe))
    names = choose_patients(contenders, files, patients)
    chosen = {name: files[name] for name in names}
    total = len(names) * len(contenders)
    measured: list[Measured] = []
    where = resolve_device(device, backend_devices())
    for contender in contenders:
        done = len(measured) * len(names)
        measured.append((yield from measure_model(contender, chosen, where, done, total)))
    yield Progress(total, total, "writing the report")
    measured.sort(key=lambda model: model.result.summary.mean_dice, reverse=True)
    results = tuple(model.result for model in measured)
    comparison = Comparison(
        created=datetime.datetime.now(datetime.UTC).date().isoformat(),
        device=device_name(measured[0].device),
        versions={package: version(package) for package in _PACKAGES},
        patients=len(results[0].patients),
        models=results,
        verdict=_verdict(results),
    )
    write_report(out, comparison, [model.pictures for model in measured])
    yield Finished(comparison)


def _verdict(models: tuple[ModelResult, ...]) -> Verdict | None:
    if len(models) < 2:
        return None
    first, second = models[:2]
    return Verdict(
        first=first.name,
        second=second.name,
        chosen_from=len(models),
        test=compare_paired(first.dice, second.dice),
    )
