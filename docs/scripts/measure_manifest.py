"""What Ray costs on one machine: the same table of studies outlined by one process, and by Ray's worker.

python docs/scripts/measure_manifest.py --data DATA/lgg [--studies 500] [--model attention_unet]

Patients are taken again and again until there are so many. Prints a table in Markdown. Let nothing
else run beside it.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--model", default="attention_unet")
    given = parser.parse_args()
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
