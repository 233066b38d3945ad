"""Does showing the network a slice in other ways help? Brighter, larger, mirrored, on held-out patients.

python docs/scripts/measure_test_time.py --model RUNS --data DIR

RUNS is a run's folder, or one of ``fold_0``, ``fold_1``, …: every patient is segmented by weights that never saw it.
Outlines are refined along edges each time. One pass takes as long as segmenting the patients seven times.
"""

from __future__ import annotations

import numpy as np
import torch
from held_out import asked_for, held_out, print_table
from torch.nn.functional import interpolate

from metseg.inference import resolve_device
from metseg.lesions import GuidedFilter, PostprocessingConfig, guided_filter, mask_from_probabilities
from metseg.metrics import ScanScore, score_scan
from metseg.preprocessing import Preprocessor
from metseg.study import Sequence, Study

_BATCH = 8
_LARGER = 288
_BRIGHTNESS = (0.83, 1.1, 1.2, 1.3)


def views(network: torch.nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Probabilities (z, y, x) of the slices as they are, mirrored, brighter, and larger."""
    seen = {"as it is": _run(network, images), "mirrored": _run(network, images.flip(-1)).flip(-1)}
    for factor in _BRIGHTNESS:
        seen[f"{factor} times as bright"] = _run(network, images * factor)
    scaled = interpolate(images, size=(_LARGER, _LARGER), mode="bicubic", antialias=True).clamp(min=0)
    back = interpolate(_run(network, scaled)[:, None], size=images.shape[-2:], mode="bilinear", antialias=True)
    seen[f"{_LARGER} pixels"] = back[:, 0]
    return seen


def averaged(seen: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each view but the first in its place, and averaged with it."""
    plain = seen["as it is"]
    others = {name: view for name, view in seen.items() if view is not plain}
    both = {f"mean with {name}": (plain + view) / 2 for name, view in others.items()}
    return {"as it is": plain, **{f"{name} only": view for name, view in others.items()}, **both}


def scores(network: torch.nn.Module, study: Study, preprocessor: Preprocessor) -> dict[str, ScanScore]:
    """Score of one patient for each way to look."""
    z = range(study.shape[0])
    device = next(network.parameters()).device
    seen = views(network, torch.from_numpy(preprocessor.images(z)).to(device))
    guide, settings = preprocessor.guide(z), GuidedFilter()
    found = {}
    for name, view in averaged(seen).items():
        probabilities = preprocessor.restore(guided_filter(view.cpu().numpy().astype(np.float32), guide, settings))
        mask = mask_from_probabilities(probabilities, PostprocessingConfig())
        found[name] = score_scan(study.name, study.mask, mask)
    return found


def _run(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([network(batch).sigmoid()[:, 0] for batch in images.split(_BATCH)])


def main() -> None:
    """Print one line for each way to look."""
    given = asked_for(__doc__).parse_args()
    rows: dict[str, list[ScanScore]] = {}
    for checkpoint, patients in held_out(given.model, given.data):
        config = checkpoint.card.preprocessing
        network = checkpoint.network().to(resolve_device(given.device))
        for study in patients:
            preprocessor = Preprocessor(config, study.select([Sequence(wanted) for wanted in config.sequences]))
            for way, score in scores(network, study, preprocessor).items():
                rows.setdefault(way, []).append(score)
    print_table(rows)


if __name__ == "__main__":
    main()
