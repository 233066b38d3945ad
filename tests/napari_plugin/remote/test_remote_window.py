"""A server's networks in a real window: what they give, what is shown on the way, and what is said of failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metseg import __version__
from metseg.checkpoints import list_models, load_checkpoint
from metseg.lesions import TargetChoice, mask_from_probabilities
from metseg.napari_plugin.outlines import outline_of
from metseg.napari_plugin.state import Activity
from metseg.napari_plugin.writer import write_tiff
from metseg.study import Study, read_study

pytestmark = pytest.mark.slow

Wait = Callable[..., None]
Connect = Callable[..., None]


@pytest.fixture
def widget(viewer: Any, open_widget: Any, networks: Path, head: Study, add: Any) -> Any:
    """The widget with the head open, and the server's networks on this computer, too."""
    add(viewer, head)
    return open_widget(networks)


def _long(head: Study, times: int) -> Study:
    """A study that takes a while."""
    return Study("long", np.tile(head.voxels, (1, times, 1, 1)), head.sequences, geometry=head.geometry)


def _results(outlines: list[Any], folder: Path) -> dict[str, tuple[Any, ...]]:
    """By layer: labels, probabilities, what the layer looks and lies like, the file it is saved as, its provenance."""
    found: dict[str, tuple[Any, ...]] = {}
    for number, layer in enumerate(outlines):
        _, about, kind = layer.as_layer_data_tuple()
        path = folder / f"{number}.tif"
        write_tiff(str(path), layer.data, about)
        run = outline_of(layer).segmentation
        look = {name: about[name] for name in ("scale", "translate", "units", "axis_labels", "opacity", "name")}
        keys = sorted(about["metadata"])
        said = json.loads(path.with_suffix(".json").read_text())
        arrays = layer.data.tobytes(), run.probabilities.tobytes(), run.device, path.read_bytes()
        found[layer.name] = (*arrays, repr((look, keys, kind)), said, run.provenance)
        path.unlink()
    return found


def test_layers_files_and_provenance_are_those_of_this_computer(
    viewer: Any, widget: Any, served: Any, connect: Connect, run: Any, patiently: Wait, outlines: Any, tmp_path: Path
) -> None:
    widget.state.target = TargetChoice.BOTH
    run(widget, patiently)
    here = _results(outlines(viewer), tmp_path)
    before = len(served.sent)
    connect(widget.input.place, served.url, served.address.token)
    names = [info.name for info in list_models() if info.card is not None]
    assert {"best", "metastases"} < set(names)
    assert widget.input.place.server_hint.text() == f"Connected: CPU, {len(names)} networks"
    assert widget.input.place.server_hint.toolTip() == ", ".join(names)
    assert widget.state.model == "auto"
    run(widget, patiently)
    there = _results(outlines(viewer), tmp_path)
    assert len(served.sent) == before + 2
    assert len(here) == 2
    assert list(there) == list(here)
    for name, (*arrays, said, provenance) in there.items():
        *known, said_here, provenance_here = here[name]
        assert arrays == known
        assert 0 < np.frombuffer(arrays[0], np.uint8).mean() < 1
        assert said.pop("server") == served.url
        assert said == said_here
        assert provenance == provenance_here | {"server": served.url}
    assert served.services.jobs.count == 0


def test_threshold_acts_without_asking_the_server_and_a_run_again_does_too(
    viewer: Any, widget: Any, served: Any, connect: Connect, run: Any, patiently: Wait, outlines: Any
) -> None:
    connect(widget.input.place, served.url, served.address.token)
    widget.state.model = "one"
    run(widget, patiently)
    [layer] = outlines(viewer)
    before = len(served.sent)
    widget.state.threshold = round(widget.state.threshold - 0.02, 3)
    patiently(lambda: not widget.controller.busy)
    renewed = outline_of(layer).segmentation
    assert renewed.postprocessing.threshold == widget.state.threshold
    np.testing.assert_array_equal(layer.data, mask_from_probabilities(renewed.probabilities, renewed.postprocessing))
    run(widget, patiently)
    assert any("are used again" in notice for notice in widget.state.notices)
    assert len(served.sent) == before
    widget.input.place.place.setCurrentIndex(0)  # what a server said is not taken for this computer's answer
    patiently(lambda: not widget.state.searching)
    assert widget.state.model == "one"
    run(widget, patiently)
    assert not any("are used again" in notice for notice in widget.state.notices)
    assert outline_of(widget.state.outline).segmentation.served == {}


def test_what_a_server_decides_is_disabled_and_says_so(
    widget: Any, served: Any, connect: Connect, patiently: Wait
) -> None:
    parts = widget.input.place.device, widget.input.open_model, widget.enhance.clip_limit
    assert all(part.isEnabled() for part in parts)
    connect(widget.input.place, served.url, served.address.token)
    widget.state.model = "one"
    assert not any(part.isEnabled() for part in parts)
    assert all("server" in part.toolTip() for part in parts)
    assert widget.input.place.device.currentText() == "CPU"
    assert served.url in widget.run.run.toolTip()
    assert "FLAIR abnormality on pre-contrast, flair, post-contrast" in widget.input.summary.text()
    widget.state.preview = True  # the preview is made here, of what the server's card says
    patiently(lambda: not widget.preview.busy)
    assert any("preview" in layer.name for layer in widget._viewer.layers)
    widget.state.preview = False
    widget.input.place.place.setCurrentIndex(0)
    patiently(lambda: not widget.state.searching)
    assert all(part.isEnabled() for part in parts)
    assert not any("server" in part.toolTip() for part in parts[::2])


def test_clahe_is_what_the_box_says(
    viewer: Any, widget: Any, served: Any, connect: Connect, run: Any, patiently: Wait, outlines: Any
) -> None:
    connect(widget.input.place, served.url, served.address.token)
    widget.state.model = "one"
    widget.enhance.clahe.setChecked(False)
    run(widget, patiently)
    [layer] = outlines(viewer)
    assert outline_of(layer).segmentation.preprocessing.clahe is None
    assert "clahe=off" in served.sent[-1]


def test_progress_is_shown_and_cancel_gives_the_study_up_on_the_server(
    viewer: Any, widget: Any, served: Any, connect: Connect, patiently: Wait, at_slice: Any, head: Study, add: Any
) -> None:
    viewer.layers.clear()
    add(viewer, _long(head, 12))
    connect(widget.input.place, served.url, served.address.token)
    texts: set[str] = set()
    widget.state.events.progress.connect(lambda: texts.add(widget.run.progress.format()))
    there: list[int] = []

    def cancel() -> None:
        there.append(served.services.jobs.count)
        widget.run.cancel.click()

    at_slice(widget, 1, cancel)
    before = list(viewer.layers)
    widget.run.run.click()
    patiently(lambda: not widget.controller.busy)
    assert there == [1]
    assert served.services.jobs.count == 0
    assert list(viewer.layers) == before
    assert widget.state.activity is Activity.IDLE
    assert widget.run.run.isEnabled()
    assert any(text.startswith("slice ") and "of 120" in text for text in texts), texts
    assert "packing the images" in texts


def test_a_lost_line_is_told_and_taken_up_again(
    viewer: Any,
    widget: Any,
    served: Any,
    line: Any,
    connect: Connect,
    run: Any,
    patiently: Wait,
    at_slice: Any,
    head: Study,
    add: Any,
    outlines: Any,
) -> None:
    viewer.layers.clear()
    add(viewer, _long(head, 4))
    widget.state.model = "one"
    run(widget, patiently)
    [layer] = outlines(viewer)
    expected = layer.data.copy()
    viewer.layers.remove(layer)
    connect(widget.input.place, f"http://127.0.0.1:{line.port}", served.address.token)
    assert widget.state.model == "one"
    before, said = len(served.sent), []

    def mend_once_it_is_told(progress: Any) -> None:
        if "asking again" in progress.what and not said:
            said.append(widget.run.progress.format())
            line.mend()

    widget.state.events.progress.connect(mend_once_it_is_told)
    at_slice(widget, 1, line.cut)
    run(widget, patiently)
    assert len(said) == 1
    assert "does not answer; asking again in" in said[0]
    assert any("it is asked again for up to 120 s" in notice for notice in widget.state.notices)
    [layer] = outlines(viewer)
    np.testing.assert_array_equal(layer.data, expected)
    assert len(served.sent) == before + 1


def _listed(folder: Path, changed: dict[str, Any] | None) -> bytes:
    """What a server of other times says of the network in a folder: nothing, or its card with some changes."""
    card = load_checkpoint(folder).card.model_dump(mode="json", exclude={"training"})
    document = {"name": "best", "usable": True, "default": True, "loaded": True, "architecture": "", "target": ""}
    document |= {"sequences": [], "threshold": 0.5, "smallest": 1, "clahe": "on", "created": "", "notes": ""}
    document |= {"scores": {}, "card": None if changed is None else card | changed}
    return json.dumps({"automatic": True, "models": [document], "metseg": "9.1", "device": "cuda"}).encode()


def test_each_failure_is_said_in_a_sentence_where_the_address_is(
    widget: Any, served: Any, connect: Connect, networks: Path, other_server: Any, tmp_path: Path
) -> None:
    place = widget.input.place

    def said(url: str, token: str = "") -> str:
        connect(place, url, token)
        assert place.server_hint.text() == widget.state.server_problem == widget.run.run.toolTip()
        assert not widget.run.run.isEnabled()
        assert not place.token.isHidden()
        return str(place.server_hint.text())

    assert said("http://127.0.0.1:9") == "the server at 127.0.0.1:9 does not answer"
    assert said(served.url) == f"{served.url} wants a token; type its own below"
    assert said(served.url, "guessed") == f"{served.url} does not accept this token; type its own below"
    assert "is no URL of a metseg server such as https://" in said("gpu.example.org")
    assert "over http anybody could read the token and the images; use https" in said("http://gpu.example.org", "a")
    with other_server(b"<html>hello</html>") as port:
        assert said(f"http://127.0.0.1:{port}") == f"what answers at 127.0.0.1:{port} is no metseg server"
        assert "does not speak https; check the port" in said(f"https://127.0.0.1:{port}")
    with other_server(_listed(networks / "one", None)) as port:
        assert f"is older than metseg {__version__} here: update it" in said(f"http://127.0.0.1:{port}")
    made = tmp_path / "made.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*command, "-keyout", made, "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (tmp_path / "cert.pem").read_bytes())
    with other_server(certificate=made) as port:
        assert "has a certificate not to trust; if its authority is your hospital's" in said(
            f"https://localhost:{port}"
        )


def test_a_server_of_another_version_says_which(
    widget: Any, connect: Connect, networks: Path, other_server: Any
) -> None:
    with other_server(_listed(networks / "one", {})) as port:
        connect(widget.input.place, f"http://127.0.0.1:{port}")
    lines = widget.input.place.server_hint.text().splitlines()
    assert lines[0] == "Connected: GPU (CUDA), 1 network"
    assert lines[1] == f"It has metseg 9.1, this computer {__version__}: update the older one."
    with other_server(_listed(networks / "one", {"network": {"architecture": "of the future"}})) as port:
        connect(widget.input.place, f"http://127.0.0.1:{port}")
    expected = f"has metseg 9.1, whose networks metseg {__version__} here does not understand"
    assert expected in widget.input.summary.text()
    assert not widget.run.run.isEnabled()


def test_the_address_is_remembered_and_the_token_only_by_the_keyring(
    viewer: Any,
    widget: Any,
    served: Any,
    connect: Connect,
    kept: Any,
    settings_folder: Path,
    open_widget: Any,
    networks: Path,
) -> None:
    from metseg.napari_plugin.studio.settings import settings

    place = widget.input.place
    connect(place, served.url, served.address.token)
    assert kept == {}
    assert place.token.isHidden()
    assert not place.remember.isVisibleTo(widget)
    viewer.window.remove_dock_widget(widget)
    connected = open_widget(networks)
    assert connected.state.remote
    assert "wants a token" in connected.input.place.server_hint.text()
    connected.input.place.remember.setChecked(True)
    connect(connected.input.place, served.url, served.address.token)
    assert kept == {("napari-metseg server", served.url): served.address.token}
    settings().sync()
    written = [path.read_text() for path in settings_folder.rglob("*") if path.is_file()]
    assert any(served.url in text for text in written)
    assert not any(served.address.token in text for text in written)
    viewer.window.remove_dock_widget(connected)
    again = open_widget(networks)
    assert again.input.place.place.currentText() == "A metseg server"
    assert again.input.place.url.text() == served.url
    assert again.state.server.address == served.address
    again.input.place.place.setCurrentIndex(0)
    viewer.window.remove_dock_widget(again)
    assert not open_widget(networks).state.remote


def test_another_address_is_not_taken_for_the_server_that_answered(
    widget: Any, served: Any, connect: Connect, qtbot: Any
) -> None:
    connect(widget.input.place, served.url, served.address.token)
    assert widget.run.run.isEnabled()
    qtbot.keyClicks(widget.input.place.url, "9")
    assert widget.state.server is None
    assert widget.run.run.toolTip() == "Connect to a server first."
    assert "nothing that names the patient" in widget.input.place.server_hint.text()


_SESSION = """
import sys
import napari
import numpy as np
from pathlib import Path
from qtpy.QtWidgets import QApplication
from metseg.napari_plugin.studio.settings import settings

url, title, image, project = sys.argv[1:]
settings().setValue("server/chosen", True)
settings().setValue("server/url", url)
viewer = napari.Viewer(show_welcome_screen=False)

def until(condition):
    while not condition():
        QApplication.processEvents()

def outlined():
    viewer.open(image, plugin="napari-metseg")
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", title)
    until(lambda: not widget.state.searching)
    widget.run.run.click()
    until(lambda: not widget.controller.busy)
    return np.asarray(widget.state.outline.data)

def predicted():
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", title)
    studio = widget.studio
    studio.open_project(Path(project))
    until(lambda: studio.state.project is not None and not studio.busy)
    studio.open_case("head")
    until(lambda: studio.state.case is not None and not studio.busy)
    widget.proposal.predict.click()
    until(lambda: not studio.busy and not widget.proposal.proposing.busy and studio.state.case.prediction is not None)
    return np.asarray(studio.state.case.labels.data)

found = predicted() if project else outlined()
print(int((found > 0).sum()), *sorted({name.partition(".")[0] for name in sys.modules}))
viewer.close()
"""


@pytest.mark.parametrize("title", ["Segment lesions", "Correction studio"])
def test_a_window_that_was_on_a_server_asks_it_again_and_outlines_without_torch(
    viewer: object, served: Any, title: str, one_head: dict[str, Path], tmp_path: Path
) -> None:
    """``viewer`` is asked for as the display."""
    from metseg.curation import Project

    project = ""
    if title == "Correction studio":
        project = str(tmp_path / "project")
        Project.create(Path(project)).add(read_study(one_head["NIfTI ASL"]))
    before = len(served.sent)
    environment = os.environ | {"METSEG_TOKEN": served.address.token, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(
        [sys.executable, "-c", _SESSION, served.url, title, str(one_head["NIfTI ASL"]), project],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    voxels, *loaded = done.stdout.split()
    assert int(voxels) > 0
    assert {"napari", "httpx"} <= set(loaded)
    assert len(served.sent) == before + 1
    assert set(loaded).isdisjoint({"torch", "timm", "segmentation_models_pytorch", "openvino", "triton", "deepbet"})
