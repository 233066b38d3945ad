"""The studio's keys: on the canvas and on the labels, changeable, none taken from napari."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from app_model.types import KeyBinding
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from metseg.curation import Status
from metseg.napari_plugin.studio.shortcuts import Shortcut, Shortcuts, taken_by_napari
from metseg.napari_plugin.studio.state import Tab

pytestmark = pytest.mark.slow


Wait = Callable[..., None]


def test_keys_work_on_the_labels_too_and_are_given_back(widget: Any, viewer: Any, patiently: Wait) -> None:
    studio = widget.studio
    layer = studio.state.case.labels
    key = KeyBinding.from_str("N")
    assert key in viewer.keymap
    assert key in layer.keymap
    layer.keymap[key](layer)
    assert layer.mode == "paint"
    keys = [shortcut.key for shortcut in studio.shortcuts]
    assert len(set(keys)) == len(keys)
    assert set(keys) >= {"A", "J", "H", "G", "R", "S", "T", "N", "K"}
    studio.open_case("bob")
    patiently(lambda: not studio.busy)
    assert key in studio.state.case.labels.keymap
    widget.close_session()
    assert key not in viewer.keymap
    assert not layer.keymap
    assert tuple(studio.shortcuts) == ()


def test_a_key_that_decides_turns_to_review_first(widget: Any, patiently: Wait) -> None:
    studio = widget.studio
    press = {shortcut.key: shortcut.action for shortcut in studio.shortcuts}
    studio.state.case.labels.paint((1, 10, 10), 1)
    assert studio.flush()
    studio.state.lesion = 1
    widget.tabs.setCurrentIndex(list(Tab).index(Tab.EXPORT))
    press["Delete"]()
    assert studio.state.tab is Tab.REVIEW
    assert widget.tabs.currentIndex() == 0
    assert studio.state.case.labels.data.any()
    for key in ("A", "Shift-A", "Shift-X"):
        widget.tabs.setCurrentIndex(list(Tab).index(Tab.RETRAIN))
        press[key]()
        assert studio.state.tab is Tab.REVIEW
        assert widget.queue.buttons.unseen.isHidden()
        assert widget.queue.buttons.question.isHidden()
    assert studio.flush()
    assert studio.state.status is Status.CORRECTED
    press["K"]()
    assert widget.tabs.tabText(widget.tabs.currentIndex()) == "Keys"


def test_no_key_of_napari_is_taken(model: Any) -> None:
    keys = Shortcuts(model)
    for key in ("B", "Ctrl-Z", "Left", "V", "Shift-V", "1", "Escape"):
        assert KeyBinding.from_str(key.replace("-", "+")) in taken_by_napari()
        with pytest.raises(ValueError, match="in use"):
            keys.add(Shortcut(key, "something else", lambda: None))
    keys.add(Shortcut("F9", "free", lambda: None))
    with pytest.raises(ValueError, match="in use"):
        keys.add(Shortcut("F9", "twice", lambda: None))


def test_a_key_can_be_changed_is_remembered_and_stands_on_its_button(widget: Any, viewer: Any) -> None:
    studio, old, new = widget.studio, KeyBinding.from_str("Shift+D"), KeyBinding.from_str("F9")
    button = widget.keys.buttons["grow"]
    assert widget.tools.grow.text() == "Grow (U)"
    button.click()
    QTest.keyClick(button, Qt.Key.Key_F9)
    assert (widget.tools.grow.text(), button.text()) == ("Grow (F9)", "F9")
    assert new in viewer.keymap
    assert new in studio.state.case.labels.keymap
    assert KeyBinding.from_str("U") not in viewer.keymap
    button.click()
    QTest.keyClick(button, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    assert "in use" in widget.keys.refusal.text()
    assert old in viewer.keymap
    assert Shortcuts(viewer).stored("grow", "U") == "F9"
    button.click()
    QTest.keyClick(button, Qt.Key.Key_Backspace)
    assert widget.tools.grow.text() == "Grow (U)"


def test_keys_are_found_by_what_they_do(widget: Any) -> None:
    def shown() -> int:
        return sum(not row.isHidden() for row, _ in widget.keys._described)

    everything = shown()
    widget.keys.search.setText("brush thick")
    assert 0 < shown() < 5
    widget.keys.search.setText("")
    assert shown() == everything


def test_no_key_of_the_studio_needs_altgr(widget: Any) -> None:
    needed = set("[]{}@\\|~€#^")
    assert not [one.key for one in widget.studio.shortcuts if needed & set(one.key)]
