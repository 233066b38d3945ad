"""From image files to mask files: one study, a folder of them, or a manifest of many on many machines."""

from metseg.prediction.manifest import read_manifest
from metseg.prediction.manifest_run import (
    TABLE,
    NetworkSettings,
    predict_manifest,
    run_here,
)
from metseg.prediction.predictor import PredictedFiles, PredictionSettings, StudyPredictor, output_of, read_ahead
from metseg.prediction.ray_engine import ray_engine
from metseg.prediction.result_files import planned, write_slices

__all__ = [
    "TABLE",
    "NetworkSettings",
    "PredictedFiles",
    "PredictionSettings",
    "StudyPredictor",
    "output_of",
    "planned",
    "predict_manifest",
    "ray_engine",
    "read_ahead",
    "read_manifest",
    "run_here",
    "write_slices",
]
