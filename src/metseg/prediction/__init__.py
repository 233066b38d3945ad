"""From image files to mask files: one study, a folder of them, or a manifest of many on many machines."""

from metseg.prediction.manifest import ManifestRow, read_manifest
from metseg.prediction.manifest_run import (
    RUN_FOLDER,
    TABLE,
    Engine,
    LocalEngine,
    ManifestWorker,
    NetworkSettings,
    RowResult,
    predict_manifest,
)
from metseg.prediction.predictor import PredictedFiles, PredictionSettings, StudyPredictor, output_of
from metseg.prediction.ray_engine import RayEngine
from metseg.prediction.result_files import targets, write_slices

__all__ = [
    "RUN_FOLDER",
    "TABLE",
    "Engine",
    "LocalEngine",
    "ManifestRow",
    "ManifestWorker",
    "NetworkSettings",
    "PredictedFiles",
    "PredictionSettings",
    "RayEngine",
    "RowResult",
    "StudyPredictor",
    "output_of",
    "predict_manifest",
    "read_manifest",
    "targets",
    "write_slices",
]
