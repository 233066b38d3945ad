"""What a manifest and Ray cost on one machine, beside the network.

python docs/scripts/measure_manifest.py --data DATA/lgg [--studies 500] [--model attention_unet]
python docs/scripts/measure_manifest.py --small 5000

The first outlines the same table of studies in one process and in Ray's worker; patients are taken again and again
until there are so many. The second outlines studies of one slice of 32 x 32, and runs again over what is done:
nearly all of it is files and records. Prints tables in Markdown. Let nothing else run beside it.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from metseg.events import drain
from metseg.prediction.manifest import ManifestRow
from metseg.prediction.manifest_run import NetworkSettings, predict_manifest, run_here
from metseg.prediction.predictor import PredictionSettings
from metseg.study import write_tiff

ENGINES = ("local", "ray")


def write_manifest(data: Path, studies: int, file: Path) -> None:
    """A table of ``studies`` rows, each with an output folder of its own."""
    patients = sorted(folder for folder in data.iterdir() if folder.is_dir())
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "output"])
        for number, patient in enumerate(islice(cycle(patients), studies)):
            rows.writerow([patient, f"{number:05d}"])


def seconds(manifest: Path, output: Path, model: str, engine: str) -> float:
    """How long ``metseg predict`` takes."""
    command = [sys.executable, "-m", "metseg.cli", "predict", "--manifest", str(manifest), "--output", str(output)]
    start = time.perf_counter()
    subprocess.run(  # noqa: S603
        [*command, "--model", model, "--device", "cpu", "--engine", engine], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def small_studies(count: int, model: str, folder: Path) -> None:
    """Outline ``count`` studies of one small slice, and go over them again; prints a table."""
    image = folder / "slice.tif"
    write_tiff(image, np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), dtype=np.uint8))
    rows = [ManifestRow(path=image, output=Path(f"{number % 1000:03d}/{number:07d}")) for number in range(count)]
    print("| run | rows | s | ms a row | largest size, MB |\n| --- | --- | --- | --- | --- |")
    for run in ("first", "again, all done"):
        start = time.perf_counter()
        networks = NetworkSettings(model=model, device="cpu")
        results = drain(predict_manifest(rows, folder / "masks", networks, PredictionSettings(), run_here))
        seconds = time.perf_counter() - start
        if failed := [result for result in results if len(result.masks) != 1]:
            raise SystemExit(f"not outlined: {failed[0]}")
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {run} | {count:,} | {seconds:.1f} | {1000 * seconds / count:.2f} | {size:,.0f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path)
    what.add_argument("--small", type=int, metavar="STUDIES")
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--model", default="attention_unet")
    given = parser.parse_args()
    if given.small:
        with tempfile.TemporaryDirectory() as name:
            small_studies(given.small, given.model, Path(name))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, all_studies = folder / "few.csv", folder / "all.csv"
        write_manifest(given.data, 1, few)
        write_manifest(given.data, given.studies, all_studies)
        print(f"| engine | 1 study, s | {given.studies:,} studies, s | beyond one process |\n| --- | --- | --- | --- |")
        alone = 0.0
        for engine in ENGINES:
            seconds(few, folder / f"{engine}_warm", given.model, engine)  # converts the network
            one = seconds(few, folder / f"{engine}_one", given.model, engine)
            many = seconds(all_studies, folder / f"{engine}_all", given.model, engine)
            alone = alone or many
            print(f"| {engine} | {one:.1f} | {many:.1f} | {many / alone - 1:+.1%} |", flush=True)


if __name__ == "__main__":
    main()
