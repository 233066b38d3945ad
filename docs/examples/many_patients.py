"""Segment a folder of patients with one network that is loaded once; what cannot be used is listed.

python many_patients.py FOLDER OUTPUT_FOLDER
"""

import sys
from pathlib import Path

import metseg
from metseg.study import find_studies, load

source, output = map(Path, sys.argv[1:])
refused = []
with metseg.load_model("metastases") as network:
    for files in find_studies(source):
        loaded = load(files)
        refused += [problem for problem in loaded.problems if problem.refused]
        for study in loaded.studies:
            result = network.segment(study)
            result.save(output / f"{study.name}_mask.nii.gz")
            print(f"{study.name}: {len(result.lesions)} lesions")

print(f"{len(refused)} files refused", *refused, sep="\n")
