"""What a network loses, and how much faster it is, in eight-bit integers (NNCF) with OpenVINO.

pip install nncf
python docs/scripts/measure_int8.py attention_unet --data DATA/lgg [--calibrate 3] [--patients 12]

Ranges are calibrated on the first patients, Dice is measured on others. Prints a table in Markdown; f32 and int8
take turns on each patient. Times are of whole studies in memory.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from metseg import read
from metseg.checkpoints import Checkpoint, load_checkpoint
from metseg.inference import Segmentation, Segmenter
from metseg.inference.converted import Planes
from metseg.inference.model_export import export_model
from metseg.inference.openvino_backend import CompiledNetwork, load_openvino
from metseg.metrics import overlap

FORMS = ("f32", "int8")


class OpenVinoFile:
    """A backend that runs one file of OpenVINO in f32, and keeps the slices that it is given if that is wanted."""

    device, remark = "cpu", ""

    def __init__(self, path: Path, kept: list[Planes] | None = None) -> None:
        self.name = path.stem
        self._network = CompiledNetwork(path, "f32")
        self._kept = kept

    def probabilities(self, images: Planes) -> Planes:
        """See :class:`metseg.inference.Backend`."""
        return self.with_disagreement(images)[0]

    def with_disagreement(self, images: Planes) -> tuple[Planes, Planes]:
        """See :class:`metseg.inference.Backend`."""
        if self._kept is not None:
            self._kept.extend(images[:, None])
        outputs = self._network(np.ascontiguousarray(images, np.float32))
        return np.asarray(outputs[0], np.float32), np.asarray(outputs[1], np.float32)

    def close(self) -> None:
        """Nothing is held."""


def quantize(path: Path, slices: list[Planes], written: Path) -> None:
    """Write the network in ``path`` with eight-bit weights and activations."""
    import nncf

    model = load_openvino().Core().read_model(path)
    quantized = nncf.quantize(
        model, nncf.Dataset(slices), preset=nncf.QuantizationPreset.MIXED, subset_size=len(slices)
    )
    load_openvino().save_model(quantized, written)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--calibrate", type=int, default=3)
    parser.add_argument("--patients", type=int, default=12)
    given = parser.parse_args()
    checkpoint = load_checkpoint(given.model)
    folders = sorted(folder for folder in given.data.iterdir() if folder.is_dir())
    chosen = folders[:: max(len(folders) // (given.calibrate + given.patients), 1)]
    with tempfile.TemporaryDirectory() as name:
        exported = export_model(checkpoint, "openvino", Path(name, "f32"))
        paths = {"f32": exported, "int8": exported.with_name("int8.xml")}
        kept: list[Planes] = []
        seen = Segmenter(checkpoint, device="cpu", backend=lambda _checkpoint, _device: OpenVinoFile(exported, kept))
        for folder in chosen[: given.calibrate]:
            seen.segment(read(folder))
        quantize(exported, kept[::2], paths["int8"])
        measure(checkpoint, paths, chosen[given.calibrate :][: given.patients])


def measure(checkpoint: Checkpoint, paths: dict[str, Path], folders: list[Path]) -> None:
    """Segment every patient in both forms, and print what they give."""
    segmenters = {
        form: Segmenter(checkpoint, device="cpu", backend=lambda _checkpoint, _device, path=path: OpenVinoFile(path))
        for form, path in paths.items()
    }
    dices: dict[str, list[float]] = {form: [] for form in FORMS}
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    for folder in folders:
        study = read(folder)
        results: dict[str, Segmentation] = {}
        for form in FORMS:
            start = time.perf_counter()
            results[form] = segmenters[form].segment(study)
            seconds[form].append((time.perf_counter() - start) / study.shape[0])
            dices[form].append(overlap(study.mask, results[form].mask).dice)
    changes = np.subtract(dices["int8"], dices["f32"])
    print(f"{len(folders)} patients: Dice changes by {changes.mean():+.4f}, at worst by {changes.min():+.4f}\n")
    print("| form | Dice | ms a slice |\n| --- | --- | --- |")
    for form in FORMS:
        print(f"| {form} | {np.mean(dices[form]):.4f} | {1000 * statistics.median(seconds[form]):.1f} |")


if __name__ == "__main__":
    main()
