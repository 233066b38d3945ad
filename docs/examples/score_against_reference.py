"""Score a network against reference masks, lesion by lesion, with intervals over patients.

python score_against_reference.py FOLDER_OF_PATIENTS
"""

import sys

import metseg
from metseg.metrics import as_table, score_scan, summarise
from metseg.study import find_studies, load

scores = []
with metseg.load_model("metastases") as network:
    for files in find_studies(sys.argv[1]):
        for study in load(files).studies:
            if study.mask is not None:
                predicted = network.segment(study).mask
                scores.append(score_scan(study.name, study.mask, predicted, study.geometry.spacing))

print(as_table({"metastases": summarise(scores)}))
