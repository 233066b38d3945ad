"""An examination in a real PACS (Orthanc), and the window on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from qtpy.QtCore import QSettings

from metseg.napari_plugin.pacs.state import SignInKind

PATIENT = "P1"
SERIES = {"1.2.3.1": "t1 tra", "1.2.3.2": "T2 FLAIR tra", "1.2.3.3": "t1 tra Gd"}


@pytest.fixture(autouse=True)
def settings_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings"))
    for name in ("AUTHORIZATION", "CERT", "KEY"):
        monkeypatch.delenv(f"METSEG_DICOMWEB_{name}", raising=False)


@pytest.fixture(scope="session")
def examination(
    tmp_path_factory: pytest.TempPathFactory, save_head_as: Callable[..., dict[str, Path]], oblique: Any
) -> Path:
    """Three MR series of a head with a lesion, as files in one folder."""
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[:6, :64, :64]
    lesion = (z - 3) ** 2 * 9 + (y - 26) ** 2 + (x - 38) ** 2 < 60
    flair = 40 + 80.0 * ((y - 32) ** 2 + (x - 32) ** 2 < 700) + 90.0 * lesion + rng.normal(0, 4, (6, 64, 64))
    folder = tmp_path_factory.mktemp("examination")
    for factor, (series, description) in zip((0.7, 1.0, 1.2), SERIES.items(), strict=True):
        voxels = np.clip(flair * factor, 0, 255).astype(np.uint16) * 9
        for path in save_head_as(tmp_path_factory.mktemp("one"), voxels, oblique)["DICOM"].iterdir():
            data = pydicom.dcmread(path)
            data.SeriesInstanceUID, data.SeriesDescription = series, description
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{series}.{data.InstanceNumber}"
            data.SeriesNumber, data.StudyDescription = int(series[-1]), "Brain"
            data.save_as(folder / f"{data.SOPInstanceUID}.dcm", enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def pacs(orthanc: Any, examination: Path) -> Any:
    orthanc.put(examination)
    return orthanc


@pytest.fixture
def open_pacs(viewer: Any) -> Callable[[str], Any]:
    """Open the widget from napari's menu of plugins, and type address, user and password."""

    def open_one(address: str, password: str = "secret") -> Any:
        _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Open from PACS")
        widget.connection.address.setText(address)
        widget.connection.kind.setCurrentIndex(list(SignInKind).index(SignInKind.PASSWORD))
        widget.connection.user.setText("metseg")
        widget.connection.secret.setText(password)
        return widget

    return open_one


@pytest.fixture
def find(patiently: Callable[..., None]) -> Callable[..., None]:
    """Search for a patient; the series of a single study are listed then."""

    def search(widget: Any, patient: str = PATIENT) -> None:
        widget.search.patient.setText(patient)
        widget.search.button.click()
        patiently(lambda: not widget.controller.busy)

    return search
