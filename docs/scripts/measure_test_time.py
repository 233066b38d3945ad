"""Does showing the network a slice in other ways help? Larger, smaller, mirrored, on held-out patients.

python docs/scripts/measure_test_time.py --model RUNS --data DIR

RUNS is a run's folder, or one of ``fold_0``, ``fold_1``, …: every patient is segmented by weights that never saw it.
Outlines are refined along edges each time. One pass takes as long as segmenting the patients four times.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from metseg.checkpoints import load_checkpoint
from metseg.comparison import find_entries
from metseg.lesions import GuidedFilter, PostprocessingConfig, guided_filter, mask_from_probabilities
from metseg.metrics import PatientScore, compare_paired, score_patient, summarise
from metseg.preprocessing import Preprocessor
from metseg.study import Sequence, Study, read_study

_BATCH = 8
_SIZES = (224, 288, 320)


def views(network: torch.nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Probabilities (z, y, x) of the slices as they are, mirrored, and in other sizes."""
    seen = {"as it is": _run(network, images), "mirrored": _run(network, images.flip(-1)).flip(-1)}
    for size in _SIZES:
        scaled = interpolate(images, size=(size, size), mode="bicubic", antialias=True).clamp(min=0)
        back = interpolate(_run(network, scaled)[:, None], size=images.shape[-2:], mode="bilinear", antialias=True)
        seen[f"{size} pixels"] = back[:, 0]
    return seen


def averaged(seen: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each view but the first in its place, and averaged with it."""
    plain = seen["as it is"]
    others = {name: view for name, view in seen.items() if view is not plain}
    both = {f"mean with {name}": (plain + view) / 2 for name, view in others.items()}
    both["mean with 288 and 320 pixels"] = (plain + seen["288 pixels"] + seen["320 pixels"]) / 3
    return {"as it is": plain, **{f"{name} only": view for name, view in others.items()}, **both}


def scores(network: torch.nn.Module, study: Study, preprocessor: Preprocessor) -> dict[str, PatientScore]:
    """Score of one patient for each way to look."""
    z = range(study.shape[0])
    seen = views(network, torch.from_numpy(preprocessor.images(z)))
    guide, settings = preprocessor.guide(z), GuidedFilter()
    found = {}
    for name, view in averaged(seen).items():
        probabilities = preprocessor.restore(guided_filter(view.numpy().astype(np.float32), guide, settings))
        mask = mask_from_probabilities(probabilities, PostprocessingConfig())
        found[name] = score_patient(study.name, study.mask, mask)
    return found


def _run(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([network(batch).sigmoid()[:, 0] for batch in images.split(_BATCH)])


def main() -> None:
    """Print one line for each way to look."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", required=True)
    options.add_argument("--data", type=Path, required=True)
    given = options.parse_args()

    rows: dict[str, list[PatientScore]] = {}
    for checkpoint in map(load_checkpoint, find_entries([given.model])[0].models):
        config, network = checkpoint.card.preprocessing, checkpoint.network()
        for name in checkpoint.card.training.held_out:
            study = read_study(given.data / name)
            preprocessor = Preprocessor(config, study.select([Sequence(wanted) for wanted in config.sequences]))
            for way, score in scores(network, study, preprocessor).items():
                rows.setdefault(way, []).append(score)
    plain, *_ = rows.values()
    print(f"{'':30}  mean  median  worst  difference (95 % interval), p")
    for way, found in rows.items():
        s = summarise(found)
        test = compare_paired([row.dice for row in found], [row.dice for row in plain])
        print(
            f"{way:30} {s.mean_dice:.4f} {s.median_dice:.4f} {s.worst_dice:.3f}  {test.difference:+.4f} "
            f"({test.interval.low:+.4f} to {test.interval.high:+.4f}), {test.p_value:.3f}"
        )


if __name__ == "__main__":
    main()
