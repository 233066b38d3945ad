"""Put a trained model into ``weights/``, with the scores that its recipe had in cross-validation on its card.

    python tools/ship_weights.py RUN --runs FOLDS --data DIR --out weights/NAME [--smallest N] \
        [--threshold P] [--peak P] [--mirror] [--refine] [--carry-on]
    python tools/ship_weights.py weights/BEST --runs FOLDS_A --runs FOLDS_B … --data DIR --out weights/BEST

Weights that were trained on everybody have no held-out patients. Their recipe is scored instead: FOLDS holds
``fold_0``, ``fold_1``, … of ``metseg train --folds``, and every patient is segmented by the fold that never saw it;
for an ensemble, by the same fold of each member, averaged. Three synthetic heads are scored by the weights themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from metseg.checkpoints import Checkpoint, ModelCard, combine, load_checkpoint, replace_card, save_checkpoint
from metseg.events import drain
from metseg.inference import Segmenter
from metseg.lesions import GuidedFilter, SlicePropagation
from metseg.metrics import ScanScore, score_scan, summarise
from metseg.synthetic import synthetic_study
from metseg.training import card_scores, evaluate

UNSEEN = "cross_validation"


def folds(runs: list[Path], scratch: Path) -> Iterator[Checkpoint]:
    """The network that speaks for each fold: the run itself, or the average of one run of each recipe."""
    names = set.intersection(*({path.name for path in folder.glob("fold_*") if path.is_dir()} for folder in runs))
    if not names:
        raise SystemExit(f"no fold_* is in each of {', '.join(map(str, runs))}")
    for name in sorted(names):
        members = [load_checkpoint(folder / name) for folder in runs]
        if len(members) == 1:
            yield members[0]
            continue
        if len({member.card.training.held_out for member in members}) > 1:
            raise SystemExit(f"{name} holds out other patients in one recipe than in another")
        network, card = combine(members, name)
        save_checkpoint(scratch / name, network, card)
        yield load_checkpoint(scratch / name)


def cross_validated(runs: list[Path], data: Path, shipped: ModelCard) -> dict[str, list[ScanScore]]:
    """Scores of every scan of every held-out patient, by setting."""
    rows: dict[str, list[ScanScore]] = {}
    with TemporaryDirectory() as scratch:
        for fold in folds(runs, Path(scratch)):
            held_out = fold.card.training.held_out
            card = fold.card.model_copy(update={"inference": shipped.inference})
            events = evaluate(replace(fold, card=card), data, patients=held_out, postprocessing=shipped.postprocessing)
            result = drain(events)
            for setting, summary in result.summaries.items():
                name = UNSEEN if setting == "all sequences" else f"{UNSEEN}, {setting}"
                rows.setdefault(name, []).extend(scan for patient in summary.scores for scan in patient.scans)
    return rows


def on_synthetic_heads(checkpoint: Checkpoint) -> list[ScanScore]:
    """Scores on three heads that no training drew."""
    heads = [synthetic_study(seed, target=checkpoint.card.target) for seed in range(3)]
    with Segmenter(checkpoint) as segmenter:
        return [
            score_scan(head.name, head.mask, segmenter.segment(head).mask) for head in heads if head.mask is not None
        ]


def main() -> None:
    """Score, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model")
    options.add_argument("--runs", type=Path, action="append", required=True)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--smallest", type=int, default=0)
    options.add_argument("--threshold", type=float, default=0.5)
    options.add_argument("--peak", type=float, default=0.0, help="drop lesions that are nowhere so likely")
    options.add_argument("--mirror", action="store_true", help="average with the mirror image")
    options.add_argument("--refine", action="store_true", help="let outlines follow the edges of FLAIR")
    options.add_argument("--carry-on", action="store_true", help="carry lesions over to the next slice")
    options.add_argument("--notes", default="")
    options.add_argument("--licence", help="of the images, and so of the weights, if the card does not say it")
    given = options.parse_args()

    model = load_checkpoint(given.model)
    postprocessing = model.card.postprocessing.model_copy(
        update={"min_lesion_voxels": given.smallest, "threshold": given.threshold, "peak": given.peak}
    )
    ways = {
        "mirror": given.mirror,
        "refinement": GuidedFilter() if given.refine else None,
        "slice_propagation": SlicePropagation() if given.carry_on else None,
    }
    inference = model.card.inference.model_copy(update=ways)
    card = model.card.model_copy(
        update={
            "name": given.out.name,
            "licence": given.licence or model.card.licence,
            "inference": inference,
            "postprocessing": postprocessing,
        }
    )
    rows = cross_validated(given.runs, given.data, card)
    rows["synthetic heads 0 to 2, unseen"] = on_synthetic_heads(replace(model, card=card))
    scores = {setting: card_scores(summarise(found)) for setting, found in rows.items()}
    notes = "\n\n".join(filter(None, (model.card.notes, given.notes)))
    card = card.model_copy(update={"scores": scores, "notes": notes})
    in_place = model.path.parent.resolve() == given.out.resolve()
    written = replace_card(model, card) if in_place else save_checkpoint(given.out, model.network(), card)
    for setting, score in scores.items():
        print(f"{setting}: {score}")
    print(written)


if __name__ == "__main__":
    main()
