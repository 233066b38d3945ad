"""Workers on the machines of a Ray cluster, or on this one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from metseg.errors import MetsegError
from metseg.prediction.manifest import ManifestRow
from metseg.prediction.manifest_run import Engine, ManifestWorker, NetworkSettings, RowResult
from metseg.prediction.predictor import PredictionSettings
from metseg.ray_cluster import join_cluster, plan_workers, require_ray

#: Parts that rows are dealt out in; results come part by part.
_MOST_PARTS = 5000


def ray_engine(workers: int | None = None) -> Engine:
    """Make an engine of Ray Data (docs.ray.io), whose workers are actors that keep the networks loaded.

    Joins the cluster that ``RAY_ADDRESS`` names; without it Ray is started on this machine, on the loopback alone. All
    machines must see the studies and the output folder under the same paths. A worker that dies is
    replaced, and what it was at done again.

    Parameters
    ----------
    workers : int, optional
        How many; unless given, one for each GPU of the cluster, or one for each machine of a cluster without.

    Raises
    ------
    MetsegError
        If Ray is not installed; from the engine, if a network cannot be opened, or the cluster is gone.
    """
    require_ray("ray.data")
    return partial(_run, workers)


def _run(
    wanted: int | None, networks: NetworkSettings, settings: PredictionSettings, output: Path, rows: list[ManifestRow]
) -> Iterator[RowResult]:
    import ray
    from ray.data import ActorPoolStrategy
    from ray.exceptions import RayError

    started = join_cluster()
    try:
        workers = plan_workers(networks.device, wanted, len(rows))
        ray.data.DataContext.get_current().enable_progress_bars = False
        studies = ray.data.from_items(
            [{"row": row.model_dump_json()} for row in rows], override_num_blocks=min(len(rows), _MOST_PARTS)
        )
        results = studies.map(
            _Actor,  # type: ignore[arg-type] # a class whose instances are called
            fn_constructor_args=(networks, settings, output.resolve()),
            compute=ActorPoolStrategy(size=workers.count),
            num_cpus=workers.cpus,
            num_gpus=workers.gpus,
        )
        for item in results.iter_rows():
            yield RowResult.model_validate_json(item["result"])
    except RayError as error:
        raise MetsegError(f"Ray ended the run: {str(error).strip().splitlines()[-1]}") from error
    finally:
        if started:
            ray.shutdown()


class _Actor(ManifestWorker):
    """A worker as Ray Data calls it."""

    def __call__(self, item: dict[str, str]) -> dict[str, str]:
        return {"result": self.outline(ManifestRow.model_validate_json(item["row"])).model_dump_json()}
