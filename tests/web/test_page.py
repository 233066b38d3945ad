"""The page, run by Streamlit's own test harness against a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from metseg.client import TIFF
from metseg.errors import DataError
from metseg.study import Study
from metseg.web import PAGE, open_page
from metseg.web.session import UserSession
from metseg.web.uploads import pack_study

pytestmark = pytest.mark.slow

_SECONDS = 90


@pytest.fixture
def app(page: object, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("METSEG_SERVER", page.server.url)  # type: ignore[attr-defined]
    monkeypatch.setenv("METSEG_TOKEN", page.server.token)  # type: ignore[attr-defined]
    monkeypatch.setenv("METSEG_UPLOAD_MIB", "4")
    monkeypatch.setattr("metseg.web.views.login.st.get_option", lambda _: "127.0.0.1")
    return AppTest.from_file(str(PAGE), default_timeout=_SECONDS).run()


def send(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, content, "application/octet-stream") for name, content in files]).run()
    return press(app, "Outline lesions")


def press(app: AppTest, label: str) -> AppTest:
    app = next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def session(app: AppTest) -> UserSession:
    known: UserSession = app.session_state["metseg"]
    return known


def test_a_study_is_outlined_turned_through_and_forgotten(
    app: AppTest, head: Study, ask: Callable[[bytes, str, str], bytes]
) -> None:
    upload = pack_study(head)
    app = send(app, ("head.zip", upload.content))
    result = session(app).results["small"]
    assert result.files.mask == ask(upload.content, "small", TIFF)

    table = app.dataframe[0].value
    assert table["Lesion"].tolist() == sorted(
        (lesion.lesion for lesion in result.answer.lesions),
        key=lambda number: (-(result.labels == number).sum(), number),
    )
    assert app.file_uploader[0].value == []

    slider = next(slider for slider in app.slider if slider.label == "Axial slice")
    app = slider.set_value(2).run()
    assert session(app).at[0] == 1

    for view in ("Four views", "Three planes", "3-D", "Slice"):
        control = next(group for group in app.segmented_control if group.label == "View")
        app = control.set_value(view).run()
        assert not app.exception
    app = press(app, "Forget this study")
    assert session(app).results == {}
    assert session(app).upload is None


def test_two_networks_are_compared(app: AppTest, stack: bytes) -> None:
    app = app.selectbox(key="second").set_value("other").run()
    app = send(app, ("head.tif", stack))
    first, second = session(app).shown
    assert (first.model, second.model) == ("small", "other")
    shown = {metric.label: metric.value for metric in app.metric}
    common = int((first.mask & second.mask).sum())
    assert shown["In both"] == f"{common:,}"
    assert shown["Agreement (Dice)"] == f"{2 * common / int(first.mask.sum() + second.mask.sum()):.3f}"
    assert len(app.dataframe) == 2


def test_bad_files_are_named_and_the_page_goes_on(app: AppTest) -> None:
    app = send(app, ("notes.tif", b"plain text"))
    assert "not a format that is taken" in app.error[0].value
    app = send(app, ("large.tif", bytes(5 << 20)))
    assert "too large" in app.error[0].value
    app = send(app, ("a_1.tif", b"x"), ("b.zip", b"y"))
    assert "these are not" in app.error[0].value
    app = send(app, ("a_1.tif", b"x"), ("b.png", b"y"))
    assert "a\\_1.tif\\: not a TIFF file" in app.error[0].value
    assert session(app).results == {}


def test_the_cards_of_the_networks_are_shown(app: AppTest) -> None:
    app = press(app, "About the networks")
    words = " ".join(block.value for block in app.markdown)
    assert "never trained" in words
    assert "0.250" in words


def test_without_a_server_the_page_says_so_and_can_be_asked_again(
    monkeypatch: pytest.MonkeyPatch, page: object
) -> None:
    monkeypatch.setenv("METSEG_SERVER", "http://127.0.0.1:9")
    monkeypatch.setattr("metseg.web.views.login.st.get_option", lambda _: "127.0.0.1")
    app = AppTest.from_file(str(PAGE), default_timeout=_SECONDS).run()
    assert "does not answer" in app.error[0].value
    monkeypatch.setenv("METSEG_SERVER", page.server.url)  # type: ignore[attr-defined]
    monkeypatch.setenv("METSEG_TOKEN", page.server.token)  # type: ignore[attr-defined]
    app = press(app, "Try again")
    assert not app.error
    assert len(app.file_uploader) == 1


def test_a_page_that_others_can_reach_asks_for_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METSEG_SERVER", "http://127.0.0.1:9")
    monkeypatch.setattr("metseg.web.views.login.st.get_option", lambda _: "0.0.0.0")
    monkeypatch.setattr("metseg.web.views.login._PENALTY_SECONDS", 0.0)
    monkeypatch.delenv("METSEG_TOKEN", raising=False)
    app = AppTest.from_file(str(PAGE), default_timeout=_SECONDS).run()
    assert "no token" in app.error[0].value
    assert not app.file_uploader

    monkeypatch.setenv("METSEG_TOKEN", "right")
    app = app.run()
    app.text_input[0].set_value("wrong")
    app = press(app, "Open")
    assert "not the token" in app.error[0].value
    app.text_input[0].set_value("right")
    app = press(app, "Open")
    assert "does not answer" in app.error[0].value

    monkeypatch.delenv("METSEG_TOKEN")
    with pytest.raises(DataError, match="set METSEG_TOKEN"):
        open_page(None, "0.0.0.0", 8501, "small")
