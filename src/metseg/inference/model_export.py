"""A network as a folder for those who run it elsewhere: ONNX or OpenVINO, with what they must do before and after."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from metseg import __version__
from metseg.checkpoints import Checkpoint, ModelCard
from metseg.errors import DataError
from metseg.events import Event, Finished, drained, relay
from metseg.inference.backend import ConversionError
from metseg.inference.conversion import converting, head_images
from metseg.inference.converted import ConvertedBackend
from metseg.inference.onnx_backend import OnnxBackend
from metseg.inference.openvino_backend import OpenVinoBackend
from metseg.preprocessing import PreprocessingConfig
from metseg.study import file_sha256

Form = Literal["onnx", "openvino"]

DESCRIPTION, EXAMPLE = "network.json", "example.npz"
#: Slices of the example head that are shown.
_EXAMPLE_SLICES = range(2, 6)
_BACKENDS: dict[Form, type[ConvertedBackend]] = {"onnx": OnnxBackend, "openvino": OpenVinoBackend}
_RUN = {
    "onnx": """import numpy as np
import onnxruntime

example = np.load("example.npz")
session = onnxruntime.InferenceSession("network.onnx")
probabilities, disagreement = session.run(None, {"images": example["images"]})
print("largest difference:", np.abs(probabilities - example["probabilities"]).max())
""",
    "openvino": """import numpy as np
import openvino

example = np.load("example.npz")
network = openvino.Core().compile_model("network.xml", "CPU", {"INFERENCE_PRECISION_HINT": "PRECISION"})
probabilities, disagreement = network(example["images"]).values()
print("largest difference:", np.abs(probabilities - example["probabilities"]).max())
""",
}


def exporting(checkpoint: Checkpoint, form: Form, folder: Path) -> Iterator[Event[Path]]:
    """Write a network, its description and an example into ``folder``, complete or not at all.

    The network is checked against PyTorch before (:mod:`metseg.inference.conversion`). An ensemble is one network.

    Parameters
    ----------
    checkpoint : Checkpoint
        The network.
    form : {"onnx", "openvino"}
        ``network.onnx``, or ``network.xml`` with ``network.bin``.
    folder : Path
        New or empty. Beside the network: ``network.json`` (all of the card that is needed to run it), ``README.md``
        (the same for people) and ``example.npz`` (images of a synthetic head, float32 (n, c, height, width), and the
        probabilities that PyTorch gives for them, float32 (n, height, width)).

    Yields
    ------
    Progress, Finished
        The last carries the network's file.

    Raises
    ------
    DataError
        If ``folder`` is not empty.
    ConversionError
        If the network has no such form, or gives other probabilities in it.
    MetsegError
        If what will run it is not installed: it is needed for the check.
    """
    backend = _BACKENDS[form]
    backend.require("cpu")
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder}: is not empty; give a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".metseg-", dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        choice = yield from relay(converting(backend, checkpoint, made / backend.file, "cpu"))
        if not choice.precision:
            raise ConversionError(choice.reason)
        _write_example(checkpoint, made / EXAMPLE)
        description = _description(checkpoint, form, choice.precision, made)
        (made / DESCRIPTION).write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (made / "README.md").write_text(export_readme(checkpoint.card, description), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    yield Finished(folder / backend.file)


export_model = drained(exporting)


def _write_example(checkpoint: Checkpoint, path: Path) -> None:
    from metseg.inference.torch_backend import TorchBackend

    preprocessing = checkpoint.card.preprocessing
    images = head_images(preprocessing.model_copy(update={"size": None}), 0, _EXAMPLE_SLICES)
    probabilities = TorchBackend(checkpoint, "cpu", full_precision=True).probabilities(images)
    np.savez_compressed(path, images=images, probabilities=probabilities)


def _description(checkpoint: Checkpoint, form: Form, precision: str, folder: Path) -> dict[str, Any]:
    card: ModelCard = checkpoint.card
    runtime, _, runtime_version = _BACKENDS[form].runtime().partition(" ")
    return {
        "name": card.name,
        "target": str(card.target),
        "licence": card.licence,
        "intended_use": "research; not a medical device",
        "network": card.network.description,
        "weights_sha256": checkpoint.sha256,
        "form": form,
        "precision": precision,
        "files": {path.name: file_sha256(path) for path in sorted(folder.iterdir())},
        "input": {
            "name": "images",
            "type": "float32",
            "shape": ["slices", card.preprocessing.channels, "height", "width"],
            "channels": input_channels(card.preprocessing),
            "sides_are_multiples_of": card.preprocessing.multiple,
            "consecutive_slices_on_either_side": card.network.margin,
        },
        "outputs": {
            "probabilities": {"type": "float32", "shape": ["slices", "height", "width"]},
            "disagreement": {"type": "float32", "shape": ["slices", "height", "width"]},
        },
        "preprocessing": card.preprocessing.model_dump(mode="json"),
        "inference": card.inference.model_dump(mode="json"),
        "postprocessing": card.postprocessing.model_dump(mode="json"),
        "made_with": {"metseg": __version__, "torch": version("torch"), runtime: runtime_version},
    }


def input_channels(config: PreprocessingConfig) -> list[str]:
    """What each input channel shows, in order; slices count from the one that is outlined, feet first."""
    first = "windowed" if config.append_unenhanced or config.clahe is None else "equalised"
    second = "equalised" if config.clahe is not None else "windowed"
    around = range(-config.neighbours, config.neighbours + 1)
    names = [f"{sequence}, slice {offset:+d}, {first}" for offset in around for sequence in config.sequences]
    return names + [f"{sequence}, slice +0, {second}" for sequence in config.sequences if config.append_unenhanced]


def export_readme(card: ModelCard, description: dict[str, Any]) -> str:
    """The page of a network that ``description``, the content of ``network.json``, is about."""
    files = "\n".join(f"- `{name}`: sha256 `{digest}`" for name, digest in description["files"].items())
    steps = [*_before(card), *_after(card)]
    return "\n".join(
        [
            f"# {card.name}",
            "",
            f"Outlines: **{card.target}**, on {', '.join(card.preprocessing.sequences)}. {card.network.description}.",
            f"Licence of the weights: {card.licence}. For research. Not a medical device; every outline must be",
            "checked by a person.",
            "",
            files,
            "",
            f"Made from weights with the sha256 `{description['weights_sha256']}`; compared with PyTorch on synthetic",
            f"heads in {description['precision']}. `network.json` says all that follows to programs.",
            "",
            "## Run",
            "",
            "```python",
            _RUN[description["form"]].replace('PRECISION"}', f'{description["precision"]}"}}').rstrip(),
            "```",
            "",
            "## From files to mask",
            "",
            *(f"{number}. {step}" for number, step in enumerate(steps, start=1)),
            "",
        ]
    )


def _before(card: ModelCard) -> list[str]:
    """Steps from a volume to the network's probabilities."""
    config = card.preprocessing
    steps = ["Axial slices, feet first, as radiologists see them: the patient's left on the right, the front on top."]
    if (brain := config.brain) is not None:
        bias = " The brightness inside the brain is corrected with N4." if brain.bias_correction == "n4" else ""
        steps.append(
            f"Brain: found with {brain.extraction} {brain.extraction_version}, what is outside becomes 0, its bounding "
            f"box is resampled to {brain.inner} voxels (z, y, x) with a rim of {brain.rim} zeros on either side, y "
            f"from back to front.{bias} The brain's percentile 99.95 becomes 255, of uint8."
        )
    steps.append(f"Window, of each sequence's whole volume: {_window(config)}")
    if config.clahe is not None:
        clahe = config.clahe
        steps.append(
            f"CLAHE of each slice on 256 grey levels: clip limit {clahe.clip_limit:g}, {clahe.tiles[0]} x "
            f"{clahe.tiles[1]} tiles, by {clahe.mode} (OpenCV)."
        )
    if config.normalisation == "zscore":
        steps.append("Zero mean and unit variance over the voxels of the head, those above 0.05 of the window.")
    if config.size is not None:
        steps.append(
            f"Slices are scaled until their longer side is {config.size} pixels (area when shrinking, else linear)."
        )
    steps.append(f"Slices are padded with zeros, centred, to multiples of {config.multiple} pixels.")
    steps.append(
        "Input `images`, float32 (slices, channels, height, width); channels: "
        + "; ".join(input_channels(config))
        + (". The first and last slice stand for those beyond them." if config.neighbours else ".")
    )
    if margin := card.network.margin:
        steps.append(
            f"All slices of one call are consecutive slices of one head. In parts: {margin} further slices on either "
            "side, whose answers are dropped."
        )
    return steps


def _window(config: PreprocessingConfig) -> str:
    if config.normalisation == "unit":
        return "minimum to 0, maximum to 1."
    low, high = config.percentiles
    if config.normalisation == "median":
        return (
            f"percentile {low:g} to 0, the median of the voxels above a tenth of the way from there to percentile "
            f"{high:g} to {config.median_level:g}, clipped to 0 to 1."
        )
    return f"percentile {low:g} to 0, percentile {high:g} to 1, clipped."


def _after(card: ModelCard) -> list[str]:
    """Steps from the network's probabilities to a mask."""
    inference, mask = card.inference, card.postprocessing
    steps = [
        "Outputs, float32 (slices, height, width): `probabilities` of lesion; `disagreement` of an ensemble's members."
    ]
    if inference.mirror:
        steps.append("Mean of the probabilities for the slices and, mirrored back, for those mirrored left to right.")
    if inference.clahe_average:
        steps.append("Mean of the probabilities for equalised slices and for slices without CLAHE.")
    if inference.refinement is not None:
        radius, tolerance = inference.refinement.radius, inference.refinement.tolerance
        steps.append(
            f"Guided filter of the probabilities, radius {radius}, tolerance {tolerance:g}; the guide is the windowed "
            "FLAIR, or else the first sequence."
        )
    if inference.temperature != 1:
        steps.append(f"The logit of the probabilities is divided by {inference.temperature:g}.")
    if inference.slice_propagation is not None:
        steps.append("Slice propagation: lesions go on where the image does (`metseg.lesions.propagate_slices`).")
    steps.append("Padding and scaling are undone (probabilities, linear).")
    steps.append(f"Mask: probability of at least {mask.threshold:g}.")
    if mask.fill_holes:
        steps.append("Holes are filled slice by slice.")
    dropped = [f"of fewer than {mask.min_lesion_voxels} voxels"] * (mask.min_lesion_voxels > 1)
    dropped += [f"nowhere as probable as {mask.peak:g}"] * (mask.peak > mask.threshold)
    if dropped:
        steps.append(f"Lesions (26-connected) {' or '.join(dropped)} are dropped.")
    return steps
