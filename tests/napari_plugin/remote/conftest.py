"""A real server in this process, a line to it that can be cut, and a widget that knows neither yet."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QSettings

from metseg.napari_plugin.pipeline import SLICES_AT_ONCE
from metseg.napari_plugin.studio.settings import settings


def _fixtures_of_the_client() -> Any:
    path = Path(__file__).parents[2] / "client/conftest.py"
    spec = importlib.util.spec_from_file_location("fixtures_of_the_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_client = _fixtures_of_the_client()
networks, served, line, other_server = _client.networks, _client.served, _client.line, _client.other_server


@pytest.fixture(scope="session")
def slices_at_once() -> int:
    """As many as the window segments, so that the server rounds alike."""
    return SLICES_AT_ONCE


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the settings of the test are; no token is in the environment, and no server is chosen afterwards."""
    folder = tmp_path / "settings"
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    settings().setValue("language", "en")
    monkeypatch.delenv("METSEG_TOKEN", raising=False)
    yield folder
    settings().setValue("server/chosen", False)


@pytest.fixture(autouse=True)
def kept(kept: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """What the keyring holds: never the system's."""
    return kept


@pytest.fixture
def connect(patiently: Any) -> Callable[..., None]:
    """Choose a server in a widget's section, type its address and a token, press Connect and wait."""

    def press(section: Any, url: str, token: str = "") -> None:
        section.place.setCurrentIndex(1)
        type_into(section.url, url)
        type_into(section.token, token)
        section.connect_button.click()
        assert section.state.searching
        patiently(lambda: not section.state.searching)

    return press


def type_into(field: Any, text: str) -> None:
    """Put a text into a field as a person does."""
    field.setText(text)
    field.textEdited.emit(text)
