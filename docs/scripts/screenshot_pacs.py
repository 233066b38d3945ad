"""Take ``docs/images/pacs_search.png`` and ``pacs_opened.png``: synthetic patients in a real Orthanc, in a real window.

xvfb-run -s "-screen 0 1366x768x24" python docs/scripts/screenshot_pacs.py
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import napari
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from qtpy.QtCore import Qt
from window import PLUGIN, settle, wait_until

from metseg.study import Sequence, Study, read_study, writer_of
from metseg.synthetic import synthetic_study

IMAGES = Path(__file__).resolve().parents[1] / "images"
TITLES = {Sequence.PRE: "t1_mprage_sag pre", Sequence.FLAIR: "t2_flair_tra", Sequence.POST: "t1_mprage_sag Gd"}
EARLIER = (("MR-2041", "Synthetic^Bea", "20260902"), ("MR-1977", "Synthetic^Ada", "20260714"))


def main() -> None:
    """Store, search, take the picture; open, take the other."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--output", type=Path, default=IMAGES)
    output = options.parse_args().output
    head = synthetic_study(seed=7, slices=24, size=192)
    with tempfile.TemporaryDirectory() as folder, orthanc(Path(folder)) as address:
        for number, (patient, name, date) in enumerate((("MR-2041", "Synthetic^Bea", "20261127"), *EARLIER)):
            series = Path(folder) / str(number)
            series.mkdir()
            write(head, series, patient, name, date, brief=number > 0)
            for path in sorted(series.iterdir()):
                urllib.request.urlopen(f"{address}/instances", data=path.read_bytes()).close()  # noqa: S310
        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.window.resize(1366, 768)
        _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Open from PACS")
        widget.connection.address.setText(f"{address}/dicom-web")
        widget.search.button.click()
        wait_until(lambda: not widget.controller.busy, "searching")
        widget.result.studies.setCurrentItem(widget.result.studies.topLevelItem(0))
        wait_until(lambda: not widget.controller.busy, "listing")
        settle()
        viewer.window.screenshot(str(output / "pacs_search.png"), flash=False, canvas_only=False)
        tick(widget, "SEG")
        widget.result.open.click()
        wait_until(lambda: not widget.controller.busy, "opening")
        viewer.dims.set_current_step(0, int(np.argmax((head.mask > 0).sum(axis=(1, 2)))))
        viewer.reset_view(margin=0.02)
        viewer.help = ""  # napari's keys for the selected layer
        settle()
        viewer.window.screenshot(str(output / "pacs_opened.png"), flash=False, canvas_only=False)
        viewer.close()


def tick(widget: object, modality: str) -> None:
    """Tick the series of a modality."""
    table = widget.result.series
    for number in range(table.topLevelItemCount()):
        if table.topLevelItem(number).text(2) == modality:
            table.topLevelItem(number).setCheckState(0, Qt.CheckState.Checked)


def write(head: Study, folder: Path, patient: str, name: str, date: str, *, brief: bool) -> None:
    """An examination as DICOM files, with its mask as SEG unless it is ``brief``: one slice of each series then."""
    study, frame = generate_uid(), generate_uid()
    for number, (sequence, title) in enumerate(TITLES.items(), start=2):
        series = generate_uid()
        for z, plane in enumerate(head.voxels[head.channel(sequence)][: 1 if brief else None]):
            data = Dataset()
            data.file_meta = FileMetaDataset()
            data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MRImageStorage
            data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
            data.PatientID, data.PatientName, data.StudyDate, data.Modality = patient, name, date, "MR"
            data.StudyDescription, data.SeriesDescription, data.SeriesNumber = "MRI brain with contrast", title, number
            data.Rows, data.Columns = plane.shape
            data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
            data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
            data.ImagePositionPatient, data.ImageOrientationPatient = [-86.4, -86.4, 5.0 * z], [1, 0, 0, 0, 1, 0]
            data.PixelSpacing, data.SliceThickness, data.InstanceNumber = [0.9, 0.9], 5, z + 1
            data.PixelData = plane.astype("<u2").tobytes()
            data.save_as(folder / f"{data.SOPInstanceUID}.dcm", enforce_file_format=True)
    if not brief:
        segmentation = folder / "segmentation.dcm"
        writer_of(segmentation).write(segmentation, head.mask, read_study(folder), mask=True, about={"model": "best"})
        data = pydicom.dcmread(segmentation)
        data.SeriesDescription = "metseg lesions (research use)"
        data.save_as(segmentation)
        segmentation.with_suffix(".json").unlink()


@contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """A PACS that answers this computer alone; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    command = ["Orthanc", str(folder / "orthanc.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:  # noqa: S603
        any("Orthanc has started" in line for line in server.stdout)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


if __name__ == "__main__":
    main()
