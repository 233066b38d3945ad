"""What every test can rely on: a display if there is one to be had, the real data if there is any, a small model."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from metseg.study import Study

#: Is this a process that pytest-xdist started to run a part of the tests?
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IS_WORKER:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each has a processor, and shall not fight for the others'
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Converting each small untrained network would take longer than what is tested; tests/inference does it for two.
os.environ.setdefault("METSEG_BACKEND", "torch")
#: Folders whose tests share running servers. One worker runs all of a folder's tests; elsewhere it takes whole modules.
FOLDERS_WITH_SERVERS = {"client", "server", "web"}
settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let Qt draw into memory where pytest-xvfb found no X server to start and none is running.

    Workers each start an X server of their own and find out for themselves.
    """
    if config.getoption("numprocesses", None) and not IS_WORKER:
        return
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--slow`` runs the tests that are marked ``slow``, too."""
    parser.addoption("--slow", action="store_true", help="run the tests that are marked slow, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip slow tests unless they are asked for."""
    if not config.getoption("slow"):
        skipped = pytest.mark.skip(reason="slow: make test SLOW=1")
        for item in items:
            if item.get_closest_marker("slow") is not None:
                item.add_marker(skipped)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give workers whole folders and modules, those with most tests first: what fixtures start is started once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFolderOrModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            folder = Path(module).parts[1]
            return folder if folder in FOLDERS_WITH_SERVERS else module

    return ByFolderOrModule(config, log)


@pytest.fixture(scope="session")
def runs_within() -> Callable[[float, Callable[[], object]], None]:
    """Fail unless a call takes less CPU time than that in one of three tries: a shared processor only adds to it."""

    def check(seconds: float, call: Callable[[], object]) -> None:
        taken = []
        for _ in range(3):
            start = time.process_time()
            call()
            taken.append(time.process_time() - start)
            if taken[-1] < seconds:
                return
        pytest.fail(f"took {', '.join(f'{spent:.2f}' for spent in taken)} s of CPU time, not less than {seconds}")

    return check


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """What the keyring holds, by service and user: one in memory, in place of the system's."""
    import keyring

    secrets: dict[tuple[str, str], str] = {}

    def set_password(service: str, user: str, secret: str) -> None:
        secrets[service, user] = secret

    monkeypatch.setattr(keyring, "get_password", lambda service, user: secrets.get((service, user)))
    monkeypatch.setattr(keyring, "set_password", set_password)
    return secrets


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository these tests stand in."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def metseg_data() -> Path:
    """The folder of real data that METSEG_DATA names; the test is skipped where there is none."""
    named = os.environ.get("METSEG_DATA")
    if not named:
        pytest.skip("METSEG_DATA is not set: no real data here")
    folder = Path(named)
    if not (folder / "lgg").is_dir():
        pytest.skip(f"METSEG_DATA has no lgg folder: {folder}")
    return folder


@pytest.fixture(scope="session")
def head() -> Study:
    """A synthetic head of ten small slices."""
    from metseg.synthetic import synthetic_study

    return synthetic_study(seed=3, slices=10, size=64)


@pytest.fixture(scope="session")
def two_targets_folder(tmp_path_factory: pytest.TempPathFactory, write_untrained: Callable[..., Path]) -> Path:
    """Untrained networks under the names that ``auto`` takes: ``best`` and ``metastases``."""
    from metseg.lesions import Target

    folder = tmp_path_factory.mktemp("two_targets")
    write_untrained(folder / "best", seed=1)
    write_untrained(
        folder / "metastases", seed=2, share=0.1, sequences=("post-contrast",), target=Target.ENHANCING_LESION
    )
    return folder


@pytest.fixture
def two_targets(two_targets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let ``auto`` find the two untrained networks first."""
    monkeypatch.setenv("METSEG_WEIGHTS", str(two_targets_folder))
    return two_targets_folder


@pytest.fixture(scope="session")
def write_untrained(head: Study) -> Callable[..., Path]:
    """Write a real checkpoint of a network with random weights, whose threshold calls a share of the head a lesion."""
    import numpy as np
    import torch

    from metseg.checkpoints import ModelCard, load_checkpoint, save_checkpoint
    from metseg.inference import Segmenter
    from metseg.lesions import PostprocessingConfig
    from metseg.networks import NetworkSpec, build_network
    from metseg.preprocessing import PreprocessingConfig

    def write(
        folder: Path,
        *,
        seed: int = 0,
        share: float = 0.5,
        smallest: int = 0,
        sequences: tuple[str, ...] = ("pre-contrast", "flair", "post-contrast"),
        **about: Any,
    ) -> Path:
        torch.manual_seed(seed)
        preprocessing = PreprocessingConfig(size=64, sequences=sequences)
        spec = NetworkSpec.of("attention_unet", in_channels=preprocessing.channels)
        card = ModelCard(name=folder.name, network=spec, preprocessing=preprocessing, **about)
        network = build_network(spec)
        with Segmenter(load_checkpoint(save_checkpoint(folder, network, card))) as segmenter:
            probabilities = np.sort(segmenter.segment(head).probabilities, axis=None)
        # In the widest gap near that share: no voxel is so close to it that batches or threads could turn it.
        near = slice(round(probabilities.size * (0.98 - share)), round(probabilities.size * (1.02 - share)))
        place = near.start + int(np.diff(probabilities[near]).argmax())
        threshold = float(probabilities[place : place + 2].mean())
        fitting = PostprocessingConfig(threshold=threshold, fill_holes=False, min_lesion_voxels=smallest)
        return save_checkpoint(folder, network, card.model_copy(update={"postprocessing": fitting}))

    return write


@pytest.fixture(scope="session")
def save_head_as() -> Callable[..., dict[str, Path]]:
    """Save a volume in many formats and orders of voxels, all at the same place in the patient."""
    return _save_everywhere


def _save_everywhere(folder: Path, voxels: Any, affine: Any, name: str = "head") -> dict[str, Path]:
    """Files or folders by what they are; voxels (z, y, x) of uint16, affine (4, 4) from (x, y, z) in RAS+."""
    import nibabel
    import numpy as np
    import SimpleITK as sitk

    def nifti(kind: str, codes: str, dtype: Any, layout: Any = nibabel.Nifti1Image, ending: str = ".nii.gz") -> None:
        image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0).astype(dtype), affine)
        wanted = nibabel.orientations.axcodes2ornt(codes)
        turned = image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), wanted))
        image = layout(np.asarray(turned.dataobj).astype(dtype), turned.affine)
        image.header.set_xyzt_units("mm")
        image.set_sform(turned.affine, 1)
        image.set_qform(turned.affine, 1)
        path = folder / kind / f"{name}{ending}"
        path.parent.mkdir(parents=True)
        nibabel.save(image, path)
        saved[kind] = path

    saved: dict[str, Path] = {}
    for codes in ("LPS", "RAS", "ASL", "PIR", "SAL", "IPR"):
        nifti(f"NIfTI {codes}", codes, np.uint16)
    nifti("NIfTI-2", "LPS", np.uint16, nibabel.Nifti2Image, ".nii")
    nifti("NIfTI int16", "RAS", np.int16)
    nifti("NIfTI float32", "RAS", np.float32)
    image = sitk.GetImageFromArray(voxels)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    steps = np.linalg.norm(to_lps[:3, :3], axis=0)
    image.SetOrigin(to_lps[:3, 3].tolist())
    image.SetSpacing(steps.tolist())
    image.SetDirection((to_lps[:3, :3] / steps).ravel().tolist())
    for kind, ending in (("NRRD", "nrrd"), ("MetaImage", "mha")):
        saved[kind] = folder / kind / f"{name}.{ending}"
        saved[kind].parent.mkdir(parents=True)
        sitk.WriteImage(image, str(saved[kind]))
    saved["DICOM"] = folder / "DICOM" / name
    saved["DICOM"].mkdir(parents=True)
    order = np.random.default_rng(1).permutation(len(voxels))
    for z, plane in enumerate(voxels):
        position = (to_lps @ (0, 0, z, 1))[:3]
        data = _dicom_slice(plane, position, (to_lps[:3, :3] / steps).T[:2], steps, int(order[z]))
        data.save_as(saved["DICOM"] / f"IM{order[z]:05d}", enforce_file_format=True)
    return saved


def _dicom_slice(plane: Any, position: Any, directions: Any, steps: Any, number: int) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MRImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number + 1}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.3", "1.2.3.4", "MR"
    data.FrameOfReferenceUID = "1.2.3.5"
    data.PatientID, data.StudyDate, data.SeriesDescription = "P1", "20200102", "T2 FLAIR tra"
    data.Rows, data.Columns = plane.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.ImagePositionPatient = [f"{value:.9f}"[:16] for value in position]
    data.ImageOrientationPatient = [f"{value:.12f}"[:16] for value in directions.ravel()]
    data.PixelSpacing, data.SliceThickness = [f"{steps[1]:.9f}", f"{steps[0]:.9f}"], 3
    data.InstanceNumber = number + 1
    data.PixelData = plane.astype("<u2").tobytes()
    return data


@pytest.fixture(scope="session")
def flair(head: Study) -> Any:
    """FLAIR of the synthetic head in 16 bits, shape (z, y, x)."""
    return head.voxels[1].astype("uint16") * 37


@pytest.fixture(scope="session")
def one_head(tmp_path_factory: pytest.TempPathFactory, flair: Any, oblique: Any) -> dict[str, Path]:
    """FLAIR of one head in every format and order of voxels, as files or folders by what they are, called ``head``."""
    from metseg.study import Geometry, write_tiff

    folder = tmp_path_factory.mktemp("one_head")
    saved = _save_everywhere(folder, flair, oblique)
    spacing = Geometry.placed(oblique).spacing
    saved["TIFF stack"] = folder / "TIFF stack" / "head.tif"
    saved["TIFF slices"] = folder / "TIFF slices" / "head"
    saved["TIFF slices"].mkdir(parents=True)
    saved["TIFF stack"].parent.mkdir()
    write_tiff(saved["TIFF stack"], flair, channels=False, spacing=spacing)
    for z, plane in enumerate(flair, start=1):
        write_tiff(saved["TIFF slices"] / f"head_{z}.tif", plane, spacing=spacing)
    return saved


@pytest.fixture(scope="session")
def oblique() -> Any:
    """Affine (4, 4) of slices that are tilted and turned, RAS+."""
    import numpy as np

    first, second = 0.3, -0.2
    turn = np.array([[np.cos(first), -np.sin(first), 0], [np.sin(first), np.cos(first), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(second), -np.sin(second)], [0, np.sin(second), np.cos(second)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([-0.9, -0.8, 4.0])
    affine[:3, 3] = 71, 83, -42
    return affine


class Orthanc:
    """A real PACS that wants a password and answers this computer alone.

    Parameters
    ----------
    folder : Path
        Where it keeps what is stored.
    **settings
        Further ones of its own.
    """

    PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    USER, PASSWORD, HEADER = "metseg", "secret", "Basic bWV0c2VnOnNlY3JldA=="

    def __init__(self, folder: Path, **settings: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.url = f"{self.address}/dicom-web"
        self._configuration = folder / "orthanc.json"
        usual = {
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "HttpPort": port,
            "RemoteAccessAllowed": False,
            "DicomServerEnabled": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {self.USER: self.PASSWORD},
            "Plugins": [str(self.PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        self._configuration.write_text(json.dumps(usual | settings), encoding="utf-8")
        self._server: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it says that it has."""
        command = ["Orthanc", str(self._configuration)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._server.stdout is not None
        said = []
        for line in self._server.stdout:
            said.append(line)
            if "Orthanc has started" in line:
                return
        pytest.fail("".join(said))

    def stop(self) -> None:
        """Kill it in the middle of whatever it does."""
        if self._server is not None:
            self._server.kill()
            self._server.communicate(timeout=60)
            self._server = None

    def ask(self, path: str, data: bytes | None = None) -> Any:
        """Ask Orthanc's own interface, which is not DICOMweb."""
        request = urllib.request.Request(f"{self.address}{path}", data=data, headers={"Authorization": self.HEADER})
        with urllib.request.urlopen(request) as answer:
            content = answer.read()
        return json.loads(content) if answer.headers.get_content_type() == "application/json" else content

    def put(self, folder: Path) -> None:
        """Store every file of a folder."""
        for path in sorted(folder.iterdir()):
            self.ask("/instances", path.read_bytes())

    def series(self) -> dict[str, list[bytes]]:
        """The files of all series by their modality."""
        found: dict[str, list[bytes]] = {}
        for one in self.ask("/series?expand"):
            files = [self.ask(f"/instances/{instance}/file") for instance in one["Instances"]]
            found.setdefault(one["MainDicomTags"]["Modality"], []).extend(files)
        return found


@pytest.fixture(scope="session")
def start_orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Orthanc]]:
    """Start a new, empty Orthanc with further settings; the test is skipped where it is not installed."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Orthanc:
            if shutil.which("Orthanc") is None or not Orthanc.PLUGIN.exists():
                pytest.skip("Orthanc is not installed")
            server = Orthanc(tmp_path_factory.mktemp("orthanc"), **settings)
            stack.callback(server.stop)
            server.start()
            return server

        yield start


@pytest.fixture(scope="module")
def orthanc(start_orthanc: Callable[..., Orthanc]) -> Orthanc:
    """An empty Orthanc of the module's own."""
    return start_orthanc()
