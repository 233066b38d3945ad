"""A network on a server answers as the same network here does, and a lost connection loses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import numpy as np
import pytest
from keyring.backend import KeyringBackend

import metseg
from metseg.cli import main
from metseg.client import Address, Client, RefusedError, packed, server_at
from metseg.errors import CheckpointError, DataError, MetsegError, ServerDownError
from metseg.events import Finished, Notice, Progress, Warned, drain
from metseg.inference import Segmenters, open_segmenter
from metseg.inference.remote import RemoteSegmenter
from metseg.lesions import Target
from metseg.study import Geometry, Sequence, Study, read_study, write_tiff

pytestmark = pytest.mark.slow


@pytest.fixture
def predict(known: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``metseg predict`` in this process; its exit status."""

    def run(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["metseg", "predict", *map(str, arguments)])
        try:
            main()
        except SystemExit as leaving:
            return leaving.code if isinstance(leaving.code, int) else 0
        return 0

    return run


@pytest.fixture
def patients(head: Study, one_head: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """Slices of three channels as TIFF, and an oblique volume as NIfTI whose voxels lie in another order."""
    folder = tmp_path / "in/P7"
    folder.mkdir(parents=True)
    for z in range(3, 8):
        write_tiff(folder / f"P7_{z}.tif", np.ascontiguousarray(head.voxels[:, z].transpose(1, 2, 0)))
    return {"TIFF": folder, "NIfTI": one_head["NIfTI ASL"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("TIFF", ("--probabilities",)),
        ("TIFF", ("--threshold", "0.4", "--clahe", "average")),
        ("TIFF", ("--target", "both", "--smallest", "30")),
        ("NIfTI", ("--probabilities", "--smallest", "9", "--clahe", "on")),
        ("NIfTI", ("--model", "metastases", "--sequences", "post-contrast")),
    ],
)
def test_files_are_byte_for_byte_those_of_this_computer(
    predict: Callable[..., int],
    served: Any,
    patients: dict[str, Path],
    tmp_path: Path,
    kind: str,
    options: tuple[str, ...],
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert predict("--input", patients[kind], "--output", here, *options) == 0
    assert predict("--input", patients[kind], "--output", there, "--server", served.url, *options) == 0
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    images = [name for name in files if name.suffix != ".json"]
    assert len(images) >= 1
    for name in images:
        assert (here / name).read_bytes() == (there / name).read_bytes(), name
        said = json.loads((there / name).with_name(name.name.partition(".")[0] + ".json").read_text())
        assert said.pop("server") == served.url
        assert said == json.loads((here / name).with_name(name.name.partition(".")[0] + ".json").read_text())
    assert served.services.jobs.count == 0


@pytest.mark.slow
def test_the_studies_of_a_manifest_are_outlined_by_the_server(
    predict: Callable[..., int], served: Any, patients: dict[str, Path], tmp_path: Path
) -> None:
    table, before = tmp_path / "studies.csv", len(served.sent)
    table.write_text(f"path,output\n{patients['TIFF']},P7\n")
    for _ in range(2):  # the second time nothing is left to do
        assert predict("--manifest", table, "--output", tmp_path / "out", "--model", "one", "--server", served.url) == 0
    assert len(served.sent) == before + 1
    (mask,) = (tmp_path / "out/P7").rglob("P7_5_mask.json")
    assert json.loads(mask.read_text())["server"] == served.url


def test_probabilities_disagreement_and_measures_are_those_of_this_computer(
    served: Any, known: Path, head: Study, oblique: Any
) -> None:
    study = Study(
        "P7",
        head.voxels[[2, 1]].astype(np.float32) * 1.37 - 20,
        (Sequence.POST, Sequence.FLAIR),
        geometry=Geometry.placed(oblique),
    )
    threshold = float(np.quantile(metseg.segment(study).probabilities, 0.9))
    here = metseg.segment(study, threshold=threshold)
    there = metseg.segment(study, threshold=threshold, server=served.address)
    np.testing.assert_array_equal(there.mask, here.mask)
    assert 0 < there.mask.mean() < 1
    assert there.probabilities.dtype == np.float32
    np.testing.assert_array_equal(there.probabilities, here.probabilities)
    assert here.disagreement is not None
    assert there.disagreement is not None
    np.testing.assert_array_equal(there.disagreement, here.disagreement)
    assert there.measured == here.measured
    assert here.measured[0].side is not None
    assert there.target == here.target
    assert (there.preprocessing, there.postprocessing) == (here.preprocessing, here.postprocessing)
    assert there.provenance == here.provenance | {"server": served.url}
    assert "torch" in there.provenance["backend"]


def test_notices_and_warnings_come_while_the_study_is_outlined(served: Any, known: Path, head: Study) -> None:
    with open_segmenter("metastases", server=served.address) as there, open_segmenter("metastases") as here:
        assert there.card.training.patients == ()
        assert (there.card.name, there.card.target, there.sha256) == (here.card.name, here.card.target, here.sha256)
        flair = head.only(Sequence.FLAIR)
        said = [[event for event in one.stream(flair) if isinstance(event, Notice)] for one in (here, there)]
        assert said[0] == said[1]
        assert isinstance(said[0][0], Warned)
        events = list(there.stream(head))
    assert isinstance(events[-1], Finished)
    assert Progress(10, 10, head.name) in events


def test_what_is_sent_is_read_with_the_same_voxels_in_the_same_order(head: Study, tmp_path: Path) -> None:
    flat = np.random.default_rng(0).integers(-300, 300, (4, 1, 7, 5)).astype(np.int16)
    names = (Sequence.T2, Sequence.PRE, Sequence.FLAIR, Sequence.UNKNOWN)
    turned = Geometry.placed([[0, 0, 1.3, 4], [0, 2.1, 0, 5], [-0.7, 0, 0, 6], [0, 0, 0, 1]])
    for study in (
        head,
        head.only(Sequence.FLAIR).with_geometry(turned),
        Study("flat", flat, names),
        Study("real", flat[:2].astype(np.float16) / 7, names[:2], geometry=Geometry.spaced((5.1, 0.7, 0.3))),
    ):
        path = tmp_path / f"{study.name}.nii.gz"
        path.write_bytes(packed(study))
        found = read_study(path, study.sequences)
        np.testing.assert_array_equal(found.voxels, study.voxels)
        assert found.sequences == study.sequences
        assert found.geometry.spacing == study.geometry.spacing
        assert study.name.encode() not in packed(study)


def test_a_lost_connection_is_taken_up_again_where_it_was(served: Any, known: Path, line: Any, head: Study) -> None:
    long = Study("long", np.tile(head.voxels, (1, 12, 1, 1)), head.sequences)
    with open_segmenter("best") as segmenter:
        expected = segmenter.segment(long).mask
    before = len(served.sent)
    with RemoteSegmenter("best", Address(f"http://127.0.0.1:{line.port}", served.address.token)) as segmenter:
        said: list[str] = []
        for event in segmenter.stream(long):
            if isinstance(event, Progress) and event.what == "long" and event.done and not said:
                line.cut()
            if isinstance(event, Notice):
                said.append(event.text)
                line.mend()
    assert isinstance(event, Finished)
    np.testing.assert_array_equal(event.result.mask, expected)
    assert len(said) == 1
    assert "does not answer; it is asked again for up to 120 s" in said[0]
    assert len(served.sent) == before + 1
    assert served.services.jobs.count == 0


def test_a_study_whose_arrival_was_not_heard_of_is_not_sent_again(served: Any, line: Any, head: Study) -> None:
    before = len(served.sent)
    with RemoteSegmenter("best", Address(f"http://127.0.0.1:{line.port}", served.address.token)) as segmenter:
        line.loses_next_answer = True
        assert segmenter.segment(head).mask.any()
    assert not line.loses_next_answer
    assert len(served.sent) == before + 1


@pytest.mark.slow
def test_a_study_that_the_server_has_forgotten_is_sent_again(served: Any, head: Study) -> None:
    before = len(served.sent)
    with RemoteSegmenter("best", served.address) as segmenter:
        forgotten = []
        for event in segmenter.stream(head):
            if isinstance(event, Progress) and event.what == head.name and not forgotten:
                forgotten = list(served.services.jobs._jobs)
                served.services.jobs.close()
            if isinstance(event, Notice):
                assert "does not know the study any more" in event.text
    assert isinstance(event, Finished)
    assert len(forgotten) == 1
    assert len(served.sent) == before + 2


def test_a_server_that_stays_away_is_given_up(
    served: Any, line: Any, head: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metseg.inference.remote.LOST_SECONDS", 1.5)
    with RemoteSegmenter("best", Address(f"http://127.0.0.1:{line.port}", served.address.token)) as segmenter:
        line.cut()
        with pytest.raises(ServerDownError, match="does not answer"):
            segmenter.segment(head)


def test_a_closed_stream_leaves_nothing_on_the_server(served: Any, head: Study) -> None:
    long = Study("long", np.tile(head.voxels, (1, 12, 1, 1)), head.sequences)
    with RemoteSegmenter("best", served.address) as segmenter:
        stream = segmenter.stream(long)
        next(event for event in stream if isinstance(event, Progress) and event.what == "long")
        assert served.services.jobs.count == 1
        stream.close()  # type: ignore[attr-defined]
        assert served.services.jobs.count == 0


def test_both_targets_are_outlined_by_the_servers_networks(served: Any, head: Study) -> None:
    with Segmenters("auto", tuple(Target), server=served.address) as segmenters:
        assert [one.card.name for one in segmenters.of(head.sequences)] == ["best", "metastases"]
    with pytest.raises(CheckpointError, match=f"{served.url}: best outlines the FLAIR abnormality, not enhancing"):
        Segmenters("best", (Target.ENHANCING_LESION,), server=served.address)


def test_what_is_wrong_is_said_in_a_sentence(
    served: Any, known: Path, head: Study, other_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        CheckpointError, match=r"the server at .*: no model is called 'worst'; there are: .*best, .*metast"
    ):
        metseg.load_model("worst", server=served.url)
    with pytest.raises(MetsegError, match="the server decides"):
        Segmenters(device="cuda", server=served.url)
    with pytest.raises(MetsegError, match="the server decides"):
        metseg.load_model("best", server=served.url, device="cpu")
    with pytest.raises(MetsegError, match="leave the backend away"):
        open_segmenter("best", server=served.url, backend="onnx")
    with pytest.raises(ServerDownError, match=r"^the server at 127\.0\.0\.1:9 does not answer$"):
        metseg.segment(head, server="http://127.0.0.1:9")
    with other_server(b"<html>hello</html>") as port, pytest.raises(ServerDownError, match="is no metseg server"):
        metseg.segment(head, server=f"http://127.0.0.1:{port}")
    old = {"name": "best", "usable": True, "default": True, "loaded": True, "architecture": "U-Net", "target": "x"}
    old |= {"sequences": [], "threshold": 0.5, "smallest": 1, "clahe": "on", "created": "", "notes": "", "scores": {}}
    answer = json.dumps({"automatic": True, "models": [old]}).encode()
    with other_server(answer) as port, pytest.raises(MetsegError, match="is older than metseg .* here: update it"):
        metseg.segment(head, server=f"http://127.0.0.1:{port}")
    noise = np.random.default_rng(0).integers(0, 1 << 16, (1, 30, 300, 300)).astype(np.uint16)
    with pytest.raises(RefusedError, match="at most 4 MiB are taken"):
        metseg.segment(noise, server=served.url)
    monkeypatch.setenv("METSEG_TOKEN", "wrong")
    with pytest.raises(MetsegError, match="wants another token; set METSEG_TOKEN to the server's"):
        metseg.segment(head, server=served.url)


@pytest.mark.parametrize("url", ["gpu.example.org", "ftp://gpu", "https://me@gpu.example.org", "http://gpu:port"])
def test_an_address_must_be_a_whole_url(url: str) -> None:
    with pytest.raises(DataError, match="is no URL of a metseg server"):
        server_at(url)


def test_a_token_is_never_sent_readable_over_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METSEG_TOKEN", "secret")
    with pytest.raises(DataError, match="over http anybody could read"):
        server_at("http://gpu.example.org:8000")
    assert server_at("https://gpu.example.org/ ").token == "secret"
    assert server_at("http://[::1]:8000").url == "http://[::1]:8000"
    assert "secret" not in repr(server_at("http://localhost:8000"))


class _Keyring(KeyringBackend):
    """A keyring that knows one server."""

    priority = 1  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        return {("napari-metseg server", "https://gpu.example.org"): "kept"}.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


def test_a_token_is_that_of_the_environment_else_of_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(_Keyring())
    try:
        monkeypatch.delenv("METSEG_TOKEN", raising=False)
        assert server_at("https://gpu.example.org/").token == "kept"
        assert server_at("https://other.example.org").token is None
        monkeypatch.setenv("METSEG_TOKEN", "stated")
        assert server_at("https://gpu.example.org").token == "stated"
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize("asked", ["--device", "--backend"])
def test_what_the_server_decides_cannot_be_asked_for(
    predict: Callable[..., int], served: Any, patients: dict[str, Path], capsys: Any, asked: str
) -> None:
    where = ("--input", patients["TIFF"], "--output", patients["TIFF"].parent / "out")
    value = {"--device": "cpu", "--backend": "onnx"}[asked]
    for options in ((asked, value, "--server", served.url), ("--server", served.url, asked, value)):
        assert predict(*where, *options) == 2
        said = f"the server decides on what its networks run: leave the {asked[2:]} away"
        assert capsys.readouterr().err == f"metseg: {said}\n"
    assert not (patients["TIFF"].parent / "out").exists()


@pytest.mark.parametrize("backend", ["torch", "onnx", ""])
def test_the_backend_of_the_environment_is_that_of_this_computer(
    predict: Callable[..., int],
    served: Any,
    patients: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
) -> None:
    monkeypatch.setenv("METSEG_BACKEND", backend) if backend else monkeypatch.delenv("METSEG_BACKEND")
    out = patients["TIFF"].parent / "out"
    arguments = ("--input", patients["TIFF"], "--output", out, "--model", "one", "--server", served.url)
    assert predict(*arguments) == 0
    said = [json.loads(path.read_text())["server"] for path in out.rglob("*_mask.json")]
    assert said == [served.url] * 5


def test_a_server_that_is_gone_ends_the_run(
    predict: Callable[..., int], patients: dict[str, Path], capsys: Any
) -> None:
    where = ("--input", patients["TIFF"], "--output", patients["TIFF"].parent / "out")
    assert predict(*where, "--server", "http://127.0.0.1:9") == 2
    assert capsys.readouterr().err == "metseg: the server at 127.0.0.1:9 does not answer\n"


@pytest.mark.slow
def test_a_client_needs_no_torch(served: Any, known: Path, patients: dict[str, Path], tmp_path: Path) -> None:
    arguments = ["predict", "--input", patients["NIfTI"], "--output", tmp_path / "out", "--report", "--probabilities"]
    code = (
        f"import sys\nsys.argv[1:] = {[*map(str, arguments), '--server', served.url]!r}\n"
        "from metseg.cli import main\n"
        "try: main()\nfinally: print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/head_mask.nii.gz").exists()
    loaded = set(done.stdout.split())
    assert "httpx" in loaded
    assert loaded.isdisjoint({"torch", "timm", "segmentation_models_pytorch", "openvino", "deepbet"})


def test_a_job_can_be_asked_for_by_the_name_that_it_was_given(served: Any, head: Study) -> None:
    from metseg.client import JobRequest

    request = JobRequest(packed(head), "x", ",".join(head.sequences), "best")
    with Client(served.address) as client:
        first, again = (client.start(request, "a-name-of-my-own-1") for _ in range(2))
        assert first.id == again.id == "a-name-of-my-own-1"
        assert served.services.jobs.count == 1
        client.forget("a-name-of-my-own-1")
        with pytest.raises(RefusedError, match="no such job"):
            client.job("a-name-of-my-own-1")


def test_the_stream_is_a_generator_that_drains(served: Any, head: Study) -> None:
    with RemoteSegmenter("one", served.address, clahe="off") as segmenter:
        result = drain(segmenter.stream(head))
    assert result.preprocessing.clahe is None
    assert result.disagreement is None
