"""Outlining the studies of a manifest, in this process or in many, so that it can be interrupted and gone on with."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from metseg import DEFAULT_MODEL, __version__
from metseg.errors import CheckpointError, DataError, ServerDownError
from metseg.events import Event, Finished, Notice, Progress, drain
from metseg.prediction.manifest import ManifestRow
from metseg.prediction.predictor import PredictedFiles, PredictionSettings, StudyPredictor, read_ahead
from metseg.study import write_text

if TYPE_CHECKING:
    from metseg.inference import Segmenters
    from metseg.lesions import Target

#: Folder inside that of the masks with what is known of the run: its settings, and a file for each row that is done.
RUN_FOLDER = ".metseg"
#: Table of all rows and what became of them, inside the folder of the masks.
TABLE = "studies.csv"


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Which networks outline the studies, and where they run; see :class:`metseg.inference.Segmenters`.

    Attributes
    ----------
    server : str, optional
        URL of the metseg server that has and runs them; its token is none of the settings.
    """

    model: str = DEFAULT_MODEL
    device: str = "auto"
    batch_size: int = 16
    clahe: str | None = None
    backend: str = "auto"
    server: str | None = None

    def open(self, targets: tuple[Target, ...]) -> Segmenters:
        """Segmenters of these networks; a named one is loaded at once."""
        from metseg.inference import Segmenters

        return Segmenters(targets=targets, **asdict(self))


class RowResult(BaseModel, frozen=True):
    """What became of a row of a manifest.

    Attributes
    ----------
    id, path : str
        The row's.
    masks : tuple of str
        Masks that were written, relative to the folder of the run.
    refused, remarks : tuple of str
        What could not be outlined and why, and what is to be known of the rest.
    seconds : float
        How long it took.
    """

    id: str
    path: str
    masks: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0


class ManifestWorker:
    """Outlines rows of a manifest, one after the other, with networks that stay loaded."""

    def __init__(self, networks: NetworkSettings, settings: PredictionSettings, output: Path) -> None:
        self._segmenters = networks.open(settings.targets)
        self._settings = settings
        self._output = output

    def close(self) -> None:
        """Free the device."""
        self._segmenters.close()

    def outline(self, row: ManifestRow) -> RowResult:
        """Outline a row and record that it is done; it raises if a network cannot be opened or the server is gone.

        A row that is done is left as it is: Ray deals out again what a worker that died had done.
        """
        if (done := _recorded(self._output, row)) is not None:
            return done
        started = time.monotonic()
        try:
            result = self._predict(row)
        except (CheckpointError, ServerDownError):
            raise
        except Exception as error:  # one study may not end the run over all others
            reason = str(error) or type(error).__name__
            result = RowResult(id=row.id, path=str(row.path), refused=(f"{row.path}: {reason}",))
        result = result.model_copy(update={"seconds": round(time.monotonic() - started, 3)})
        if result.masks:
            write_text(_record_of(self._output, row), result.model_dump_json())
        return result

    def _predict(self, row: ManifestRow) -> RowResult:
        root, output = row.path if row.path.is_dir() else row.path.parent, self._output / row.output
        begun = _record_of(self._output, row).with_suffix(".begun")
        settings = replace(self._settings, overwrite=self._settings.overwrite or begun.exists())
        predictor = StudyPredictor(self._segmenters, settings)
        found = predictor.find(row.path, root, output, row.sequences)
        begun.parent.mkdir(parents=True, exist_ok=True)
        begun.touch()  # from here on masks that are there and as written are those of an interrupted run
        done = PredictedFiles()
        for files, loaded in read_ahead(found):
            done += drain(predictor.predict(loaded, files, root, output))
        return RowResult(
            id=row.id,
            path=str(row.path),
            masks=tuple(str(path.relative_to(self._output)) for path in done.masks),
            refused=tuple(map(str, done.refused)),
            remarks=tuple(map(str, done.remarks)),
        )


#: Outlines rows in any order, and yields each when it is done; an error means that no row can be outlined.
Engine = Callable[[NetworkSettings, PredictionSettings, Path, list[ManifestRow]], Iterator[RowResult]]


def run_here(
    networks: NetworkSettings, settings: PredictionSettings, output: Path, rows: list[ManifestRow]
) -> Iterator[RowResult]:
    """Outline rows in their order with one worker, in this process."""
    with closing(ManifestWorker(networks, settings, output)) as worker:
        yield from map(worker.outline, rows)


def predict_manifest(
    rows: list[ManifestRow],
    output: Path,
    networks: NetworkSettings,
    settings: PredictionSettings,
    engine: Engine,
) -> Iterator[Event[list[RowResult]]]:
    """Outline the studies of a manifest; rows that an earlier run with the same settings has done are left out.

    Progress counts rows; the result is in their order.

    Parameters
    ----------
    rows : list of ManifestRow
        What to outline.
    output : Path
        Folder of masks, and of the table of what became of each row (``studies.csv``).
    networks, settings
        Networks to use, and what to write. Masks that were edited since are never replaced; masks that a run with
        other settings wrote only with ``settings.overwrite``.
    engine : Engine
        :func:`run_here`, or that of :func:`ray_engine`.

    Raises
    ------
    DataError
        If the folder has masks of a run with other settings.
    MetsegError
        If no row can be outlined.
    """
    _check_settings(output, networks, settings)
    results = {row.id: result for row in rows if (result := _recorded(output, row)) is not None}
    left = [row for row in rows if row.id not in results]
    if len(left) < len(rows):
        yield Notice(f"{len(rows) - len(left)} of {len(rows)} rows are done already")
    yield Progress(len(results), len(rows), "studies")
    for result in engine(networks, settings, output, left) if left else ():
        results[result.id] = result
        yield Progress(len(results), len(rows), "studies")
    ordered = [results[row.id] for row in rows]
    _write_table(output / TABLE, ordered)
    yield Finished(ordered)


def _check_settings(output: Path, networks: NetworkSettings, settings: PredictionSettings) -> None:
    """Write the settings of the run, or compare them with those that are there."""
    place = output / RUN_FOLDER / "settings.json"
    wanted = _settings_json(networks, settings)
    if place.exists():
        there = json.loads(place.read_text(encoding="utf-8"))
        if there == wanted:
            return
        if not settings.overwrite:
            other = [f"{key} {there.get(key)}, now {value}" for key, value in wanted.items() if there.get(key) != value]
            raise DataError(
                f"{output}: has masks of a run with other settings ({'; '.join(other)}); "
                "choose another --output, or give --overwrite"
            )
        for record in (output / RUN_FOLDER / "rows").glob("*/*"):
            record.unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    write_text(place, json.dumps(wanted, indent=2))


def _settings_json(networks: NetworkSettings, settings: PredictionSettings) -> dict[str, Any]:
    """All that a mask depends on; the hash of named weights, too."""
    from metseg.inference import open_segmenter

    fields: dict[str, Any] = {"metseg": __version__, **asdict(networks), **asdict(settings)}
    for left_out in ("device", "batch_size", "backend", "overwrite"):
        del fields[left_out]
    fields["smallest"] = fields.pop("min_lesion_voxels")  # as runs have stored it
    fields["targets"] = [str(target) for target in settings.targets]
    if networks.model != DEFAULT_MODEL:
        with open_segmenter(networks.model, server=networks.server) as segmenter:
            fields["weights_sha256"] = segmenter.sha256
    return fields


def _record_of(output: Path, row: ManifestRow) -> Path:
    return output / RUN_FOLDER / "rows" / row.id[:2] / f"{row.id}.json"


def _recorded(output: Path, row: ManifestRow) -> RowResult | None:
    """What became of a row in an earlier run, if its masks are still there."""
    place = _record_of(output, row)
    if not place.exists():
        return None
    result = RowResult.model_validate_json(place.read_bytes())
    return result if all((output / mask).exists() for mask in result.masks) else None


def _write_table(path: Path, results: Iterable[RowResult]) -> None:
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["path", "masks", "seconds", "refused", "remarks"])
    for one in results:
        table.writerow([one.path, len(one.masks), one.seconds, "; ".join(one.refused), "; ".join(one.remarks)])
    write_text(path, lines.getvalue())
