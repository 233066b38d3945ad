"""The page beside an exported network: what to do before and after it, step by step."""

from __future__ import annotations

from typing import Any

from metseg.checkpoints import ModelCard
from metseg.preprocessing import PreprocessingConfig

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


def input_channels(config: PreprocessingConfig) -> list[str]:
    """What each input channel shows, in order; slices count from the one that is outlined, feet first."""
    first = "windowed" if config.keep_plain or config.clahe is None else "equalised"
    second = "equalised" if config.clahe is not None else "windowed"
    around = range(-config.neighbours, config.neighbours + 1)
    names = [f"{sequence}, slice {offset:+d}, {first}" for offset in around for sequence in config.sequences]
    return names + [f"{sequence}, slice +0, {second}" for sequence in config.sequences if config.keep_plain]


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
    """Steps from a volume to the network's answer."""
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
    """Steps from the network's answer to a mask."""
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
    dropped = [f"of fewer than {mask.smallest} voxels"] * (mask.smallest > 1)
    dropped += [f"nowhere as probable as {mask.peak:g}"] * (mask.peak > mask.threshold)
    if dropped:
        steps.append(f"Lesions (26-connected) {' or '.join(dropped)} are dropped.")
    return steps
