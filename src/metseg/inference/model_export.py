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
from metseg.inference.converted import ConvertedBackend
from metseg.inference.export_readme import export_readme, input_channels
from metseg.inference.onnx_backend import OnnxBackend
from metseg.inference.openvino_backend import OpenVinoBackend
from metseg.preprocessing import Preprocessor
from metseg.study import Sequence, file_sha256
from metseg.synthetic import synthetic_study

Form = Literal["onnx", "openvino"]

DESCRIPTION, EXAMPLE = "network.json", "example.npz"
#: Slices of the example head that are shown, and their side in pixels.
_EXAMPLE_SLICES, _EXAMPLE_SIDE = range(2, 6), 128
_BACKENDS: dict[Form, type[ConvertedBackend]] = {"onnx": OnnxBackend, "openvino": OpenVinoBackend}


def exporting(checkpoint: Checkpoint, form: Form, folder: Path) -> Iterator[Event[Path]]:
    """Write a network, its description and an example into ``folder``, complete or not at all.

    The network is checked against PyTorch before (:mod:`metseg.inference.agreement`). An ensemble is one network.

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
        If the network has no such form, or does not answer in it as the original does.
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
        choice = yield from relay(backend.converting(checkpoint, made / backend.file, "cpu"))
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
    study = synthetic_study(0, slices=8, size=_EXAMPLE_SIDE)
    voxels = study.select([Sequence(name) for name in preprocessing.sequences])
    small = preprocessing.model_copy(update={"size": None})
    images = Preprocessor(small, voxels).images(_EXAMPLE_SLICES)
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
