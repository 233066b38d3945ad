"""The studio in another language, as a proof that its texts can be translated."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from metseg.curation import Project
from metseg.napari_plugin import studio as package
from metseg.napari_plugin import translations

SOURCES = Path(package.__file__).parent
GERMAN = Path(translations.__file__).with_name("de.ts")


@pytest.fixture
def german(qapp: Any) -> Iterator[None]:
    from metseg.napari_plugin.studio.settings import settings

    settings().setValue("language", "de")
    yield
    translations.install(["en"])


def test_every_tab_speaks_the_language_that_was_set(
    german: None, viewer: Any, project: Project, patiently: Any
) -> None:
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Correction studio")
    studio = widget.studio
    studio.find_networks = lambda: None
    assert widget.steps.make.text() == "Neues Projekt …"
    assert widget.tabs.tabText(0) == "Prüfen"
    studio.open_project(project.path)
    patiently(lambda: studio.state.project is not None and not studio.busy)
    studio.open_case("ada")
    patiently(lambda: not studio.busy)
    assert widget.project.saved.text.text() == "Alle Änderungen gespeichert"
    assert widget.project.status.text() == "offen"
    assert widget.queue.summary.text() == "Fälle fertig: 0 von 2, Schichten gesehen: 0 von 12"
    assert widget.queue.buttons.next.text() == "Nächste Schicht (J)"
    assert widget.tools.grow.text() == "Wachsen (U)"
    assert widget.proposal.predict.text() == "Diesen Fall vorhersagen (H)"
    assert widget.proposal.predict_all.text() == "Alle 1 unbearbeiteten"
    assert widget.export.export.toolTip() == "Kein Fall ist bereit: geben Sie zuerst einige frei."
    assert widget.retrain.start.text() == "Starten"
    assert widget.minimumSizeHint().width() <= widget.width()
    widget.close_session()


@pytest.mark.slow
def test_tools_and_keys_speak_it(german: None, viewer: Any, project: Project, patiently: Any) -> None:
    _, widget = viewer.window.add_plugin_dock_widget("napari-metseg", "Correction studio")
    studio, message = widget.studio, widget.message
    studio.find_networks = lambda: None
    studio.open_project(project.path)
    patiently(lambda: studio.state.project is not None and not studio.busy)
    studio.open_case("ada")
    patiently(lambda: not studio.busy)
    widget.tools.grow.click()
    assert message.refusal.text() == "Wählen Sie zuerst eine Läsion: klicken Sie in der Tabelle auf sie."
    studio.state.case.labels.data = _square()
    studio.state.lesion = 1
    studio.go_to(2)
    patiently(lambda: not widget.lesions.busy)
    table = widget.lesions.table
    headings = [table.horizontalHeaderItem(place).text().split("\n")[0] for place in range(4)]
    assert headings == ["Nr.", "Schichten", "Volumen", "Länge"]
    assert widget.lesions.total.text().split() == ["1", "Läsion,", "7", "mm³"]
    assert "Von: Hand" in table.item(0, 0).toolTip()
    assert [action.text() for action in widget.lesions.menu().actions()][-1] == "Löschen"
    widget.tools.grow.click()
    assert message.done.text() == "Wachsen: Läsion 1, 12 Voxel mehr."
    widget.keys.search.setText(", geführt")
    shown = [row for row, _ in widget.keys._described if not row.isHidden()]
    assert len(shown) == 2, "brush and eraser are found by their German names"
    widget.close_session()


def _square() -> np.ndarray:
    """One lesion of 9 pixels in slice 2."""
    labels = np.zeros((6, 48, 40), np.uint16)
    labels[2, 10:13, 20:23] = 1
    return labels


@pytest.mark.parametrize(
    ("wanted", "text"),
    [(["de_AT.UTF-8"], "Zurück"), (["fr", "de-DE"], "Zurück"), (["en", "de"], "Back"), (["fr"], "Back"), ([], "Back")],
)
def test_the_first_language_that_there_is_is_taken_else_english(qapp: Any, wanted: list[str], text: str) -> None:
    translations.install(wanted)
    try:
        assert translations.translate("studio", "Back") == text
        assert translations.translate("studio", "not translated") == "not translated"
    finally:
        translations.install(["en"])


def test_german_has_every_text_of_the_sources(tmp_path: Path) -> None:
    pytest.importorskip("PyQt6.lupdate")
    updated = tmp_path / "de.ts"
    shutil.copyfile(GERMAN, updated)
    command = [sys.executable, "-m", "PyQt6.lupdate.pylupdate", "--ts", str(updated)]
    subprocess.run(
        [*command, *map(str, sorted([*SOURCES.glob("*.py"), SOURCES.with_name("place_section.py")]))], check=True
    )
    there, wanted = (
        {source.text for source in ElementTree.parse(path).iter("source")}  # files of this package
        for path in (GERMAN, updated)
    )
    assert wanted - there == set()
    assert "unfinished" not in updated.read_text(encoding="utf-8")
