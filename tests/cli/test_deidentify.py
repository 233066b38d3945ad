"""``metseg deidentify``: what names a patient is nowhere in what is written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from metseg.study import Sequence, Study, read_study, writer_of

pytest.importorskip("dicomanonymizer")
CANARY = "CanaryBird"
#: Attributes that may hold a name, of all sorts of value, and what is in them.
TAGS = {
    **dict.fromkeys(["PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"], CANARY),
    **dict.fromkeys(["ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"], CANARY),
    **dict.fromkeys(["NameOfPhysiciansReadingStudy", "RequestingPhysician", "PhysiciansOfRecord"], CANARY),
    **dict.fromkeys(["PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "AdmissionID"], CANARY),
    **dict.fromkeys(["PatientAddress", "PatientTelephoneNumbers", "PatientComments", "ImageComments"], CANARY),
    **dict.fromkeys(["InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"], CANARY),
    **dict.fromkeys(["StudyDescription", "SeriesDescription", "ProtocolName", "DerivationDescription"], CANARY),
    **dict.fromkeys(["RequestedProcedureDescription", "RequestedProcedureID"], CANARY),
    **dict.fromkeys(["AdditionalPatientHistory", "Occupation", "MedicalAlerts"], CANARY),
    **dict.fromkeys(
        ["Allergies", "EthnicGroup", "PatientReligiousPreference", "CurrentPatientLocation"],
        CANARY,
    ),
    **dict.fromkeys(["DeviceSerialNumber", "RegionOfResidence", "CountryOfResidence", "MilitaryRank"], CANARY),
    **dict.fromkeys(["PerformedProcedureStepDescription", "AdmittingDiagnosesDescription"], CANARY),
    **dict.fromkeys(["ScheduledStationName", "PerformedStationName", "PerformedLocation", "IssuerOfPatientID"], CANARY),
}


@pytest.fixture
def named(head: Study, oblique: Any, save_head_as: Callable[..., dict[str, Path]], tmp_path: Path) -> Path:
    """A series and its SEG with canaries in attributes, items, private attributes, preambles and names of files."""
    source = save_head_as(tmp_path / "s", head.voxels[1].astype(np.uint16) * 37, oblique)["DICOM"]
    folder = tmp_path / CANARY
    folder.mkdir()
    for path in sorted(source.iterdir()):
        data = pydicom.dcmread(path)
        for name, value in TAGS.items():
            setattr(data, name, value)
        data.SeriesDescription = f"{CANARY} t2 flair"
        data.PatientBirthDate, data.StudyDate, data.SeriesDate = "19610203", "20240301", "20240301"
        item = Dataset()
        item.PatientID, item.RequestedProcedureDescription, item.ReferencedSOPInstanceUID = CANARY, CANARY, "1.2.3.4.1"
        data.ReferencedStudySequence, data.RequestAttributesSequence, data.SourceImageSequence = [item], [item], [item]
        data.private_block(0x0011, CANARY, create=True).add_new(1, "LO", CANARY)
        data.preamble = CANARY.encode().ljust(128, b"\0")
        data.save_as(folder / f"{CANARY}_{path.name}")
    study = read_study(folder)
    mask = np.zeros(study.shape, np.uint8)
    mask[3:6, 20:30, 20:30] = 1
    writer_of(Path("a.dcm")).write(folder / "seg.dcm", mask, study, mask=True, about=None)
    (folder / "seg.json").unlink(missing_ok=True)
    return folder


def test_no_canary_is_left_and_the_study_is_still_one(metseg: Any, named: Path, tmp_path: Path) -> None:
    assert len(TAGS) >= 40
    done = metseg("deidentify", named, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert CANARY not in done.out.replace(str(named), "")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == 11
    for path in files:
        assert CANARY not in str(path.relative_to(tmp_path))
        content = path.read_bytes()
        assert CANARY.encode() not in content
        assert b"ANONYMI" not in content.upper()
    [folder] = (tmp_path / "out").iterdir()
    before, after = read_study(named), read_study(folder)
    assert np.array_equal(before.voxels, after.voxels)
    assert after.mask is not None
    assert np.array_equal(after.mask, before.mask)
    assert after.sequences == (Sequence.FLAIR,)
    assert after.geometry.is_same(before.geometry, before.shape)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_a_segmentation_stays_in_order_and_names_its_images(metseg: Any, named: Path, tmp_path: Path) -> None:
    def errors(path: Path) -> set[str]:
        done = subprocess.run(["dciodvfy", str(path)], check=False, capture_output=True, text=True)
        return {line for line in done.stderr.splitlines() if line.startswith("Error")}

    assert metseg("deidentify", named, "--out", tmp_path / "out").status == 0
    files = {path: pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")}
    [(path, segmentation)] = [one for one in files.items() if one[1].Modality == "SEG"]
    assert errors(path) <= errors(named / "seg.dcm")
    images = {data.SOPInstanceUID for data in files.values() if data.Modality == "MR"}
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        [image] = frame.DerivationImageSequence[0].SourceImageSequence
        assert image.ReferencedSOPInstanceUID in images


def test_dates_and_identifiers_are_replaced_alike_and_options_recorded(
    metseg: Any, named: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METSEG_DEIDENTIFICATION_KEY", "a key")
    for name in ("one", "two"):
        assert metseg("deidentify", named, "--out", tmp_path / name).status == 0
    one, two = (sorted((tmp_path / name).rglob("*.dcm")) for name in ("one", "two"))
    for first, second in zip(one, two, strict=True):
        assert pydicom.dcmread(first).SOPInstanceUID == pydicom.dcmread(second).SOPInstanceUID
    datasets = [pydicom.dcmread(path) for path in one]
    assert len({data.StudyInstanceUID for data in datasets}) == len({data.PatientID for data in datasets}) == 1
    assert {data.StudyInstanceUID for data in datasets} != {"1.2.3"}
    for data in datasets:
        assert data.PatientIdentityRemoved == "YES"
        codes = [code.CodeValue for code in data.DeidentificationMethodCodeSequence]
        assert codes == ["113100", "113107"]
        assert not any(Tag(element.tag).is_private for element in data)
    image = next(data for data in datasets if data.Modality == "MR")
    assert image.StudyDate == image.SeriesDate != "20240301"
    shifted = date.fromisoformat(image.StudyDate)
    assert 0 < (date(2024, 3, 1) - shifted).days <= 3650


def test_what_may_show_a_name_is_refused(metseg: Any, named: Path, tmp_path: Path) -> None:
    paths = sorted(path for path in named.iterdir() if path.name != "seg.dcm")
    burned = pydicom.dcmread(paths[0])
    burned.BurnedInAnnotation = "YES"
    burned.save_as(paths[0])
    capture = pydicom.dcmread(paths[1])
    capture.SOPClassUID = capture.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    capture.save_as(paths[1])
    done = metseg("deidentify", named, "--out", tmp_path / "out")
    assert done.status == 1
    assert "Burned In Annotation" in done.err
    assert "Secondary Capture" in done.err
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 9
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "something").touch()
    assert "is not empty" in metseg("deidentify", named, "--out", tmp_path / "out").err
