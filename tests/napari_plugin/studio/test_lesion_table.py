"""The lesion table follows every edit, leads to the lesions, and acts on those that are selected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from metseg.curation import EditKind, Origin, Project, Provenance, lesion_rows, lesion_rows_csv

Wait = Callable[..., None]
SHAPE = (6, 48, 40)
LARGE, SMALL, LONG = (slice(1, 4), slice(4, 14), slice(4, 14)), (slice(2, 3), 30, 30), (slice(0, 6), 40, slice(5, 35))


@pytest.fixture
def table(project: Project, make_studio: Callable[..., Any], model: Any, patiently: Wait) -> Iterator[Any]:
    """The table's panel on case ``ada``: lesion 1 is the network's, 2 and 3 were drawn by hand."""
    from metseg.napari_plugin.studio.lesion_table import LesionPanel

    with project.open_case("ada") as session:
        probabilities = np.zeros(SHAPE, np.float32)
        probabilities[LARGE] = 0.8
        plan = session.plan_prediction(probabilities >= 0.5)
        session.predict(plan, probabilities, Provenance(model="small", weights_sha256="ab" * 32, threshold=0.5))
        labels = session.labels.copy()
        labels[SMALL], labels[LONG] = 2, 3
        session.commit(labels, EditKind.STROKE)
    studio = make_studio(model)
    panel = LesionPanel(studio)
    panel.resize(380, 400)
    panel.show()
    studio.open_case("ada")
    patiently(lambda: not (studio.busy or panel.busy))
    yield panel
    panel.unfollow()
    panel.hide()


def column(panel: Any, title: str) -> list[str]:
    """Texts of a column as shown."""
    shown = panel.table.model()
    titles = [str(shown.headerData(i, Qt.Orientation.Horizontal)).split()[0] for i in range(shown.columnCount())]
    return [shown.index(row, titles.index(title)).data() for row in range(shown.rowCount())]


def click(panel: Any, lesion: int, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Click on the row of a lesion."""
    place = panel.table.visualRect(panel.table.model().index(panel.table.place(lesion), 1)).center()
    QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, keys, place)


def test_it_says_what_is_known_of_every_lesion(table: Any) -> None:
    assert column(table, "No.") == ["1", "2", "3"]
    assert column(table, "Slices") == ["2–4", "3", "1–6"]
    assert column(table, "Volume") == ["225", "1", "135"]
    assert column(table, "Length") == ["6.7", "0.5", "15.0"]
    assert column(table, "Prob.") == ["0.80", "0.00", "0.00"]
    assert column(table, "Edge") == ["", "", "yes"]
    assert column(table, "By") == ["auto", "hand", "hand"]
    assert "mm³" in table.table.model().headerData(2, Qt.Orientation.Horizontal)
    assert table.total.text().split() == ["3", "lesions,", "361", "mm³"]
    assert not table.table.horizontalHeader().isSortIndicatorShown(), "the titles show it"


def test_it_follows_edits_and_who_made_them(table: Any, patiently: Wait) -> None:
    studio = table.studio
    labels = studio.state.case.labels
    labels.brush_size = 3
    labels.paint((3, 20, 20), 7)
    assert "7" not in column(table, "No.")
    patiently(lambda: column(table, "No.") == ["1", "2", "3", "7"])
    labels.paint((2, 8, 13), 1)
    assert studio.flush()
    patiently(lambda: column(table, "By") == ["mixed", "hand", "hand", "hand"] and not table.busy)
    assert int(column(table, "Volume")[0]) > 225
    labels.undo()
    labels.undo()
    assert studio.flush()
    patiently(lambda: column(table, "No.") == ["1", "2", "3"] and column(table, "By")[0] == "auto")
    assert column(table, "Volume")[0] == "225"
    studio.close_case()
    patiently(lambda: not studio.busy)
    assert column(table, "No.") == []


def test_a_click_leads_to_the_lesion_and_selects_its_label(table: Any) -> None:
    studio = table.studio
    labels = studio.state.case.labels
    before = tuple(studio.viewer.scene.camera.center)
    click(table, 1)
    assert (studio.state.lesion, labels.selected_label, studio.shown_slice) == (1, 1, 2)
    assert tuple(studio.viewer.scene.camera.center) == before, "it is seen already: nothing jumps"
    labels.selected_label = 3
    assert table.table.chosen == (3,)
    assert studio.shown_slice == 2
    QTest.keyClick(table.table, Qt.Key.Key_Up)
    assert studio.state.lesion == 2


def test_next_and_previous_go_down_and_up_as_sorted(table: Any) -> None:
    volume = 2
    table.table.sortByColumn(volume, Qt.SortOrder.DescendingOrder)
    assert column(table, "No.") == ["1", "3", "2"]
    assert "▾" in table.table.model().headerData(volume, Qt.Orientation.Horizontal)
    keys = {shortcut.key: shortcut.action for shortcut in table.studio.shortcuts}
    seen = []
    for key in ("T", "T", "T", "T", "Shift-T"):
        keys[key]()
        seen.append(table.studio.state.lesion)
    assert seen == [1, 3, 2, 1, 2]
    assert table.studio.shown_slice == 2


def test_several_are_merged_and_deleted_from_the_menu(table: Any, patiently: Wait) -> None:
    studio = table.studio
    before = np.array(studio.state.case.labels.data)
    click(table, 3)
    click(table, 1, Qt.KeyboardModifier.ControlModifier)
    assert table.tools.state.chosen == (1, 3)
    actions = {action.text(): action for action in table.menu().actions()}
    assert not actions["Separate pieces"].isEnabled()
    actions["Merge"].trigger()
    patiently(lambda: column(table, "No.") == ["1", "2"] and not table.busy)
    assert table.table.chosen == (1,)
    actions = {action.text(): action for action in table.menu().actions()}
    actions["Separate pieces"].trigger()
    patiently(lambda: column(table, "No.") == ["1", "2", "4"])
    table.table.selectAll()
    actions["Delete"].trigger()
    patiently(lambda: column(table, "No.") == [])
    for _ in range(3):
        studio.state.case.labels.undo()
    np.testing.assert_array_equal(studio.state.case.labels.data, before)


def test_the_exported_table_is_that_of_curation(table: Any, tmp_path: Path, patiently: Wait) -> None:
    case = table.studio.state.case
    table.write(tmp_path / "lesions.csv")
    patiently(lambda: not table.busy)
    rows = lesion_rows(
        case.labels.data,
        spacing=(3.0, 0.5, 0.5),
        probabilities=case.prediction.probabilities,
        origins={1: Origin.AUTOMATIC, 2: Origin.MANUAL, 3: Origin.MANUAL},
        slice_numbers=range(1, 7),
    )
    assert (tmp_path / "lesions.csv").read_text() == lesion_rows_csv(rows, "FLAIR abnormality")
    assert table.tools.state.message == "3 lesions written to lesions.csv."
    table.write(tmp_path / "nowhere" / "lesions.csv")
    patiently(lambda: not table.busy)
    assert table.tools.state.refused
    assert "nowhere" in table.tools.state.message


def test_all_columns_can_be_read_in_a_narrow_window(table: Any) -> None:
    bar = table.table.horizontalScrollBar()
    assert table.width() == 380
    assert bar.maximum() == 0
    for index in range(table.table.model().columnCount()):
        if table.table.isColumnHidden(index):
            continue
        text = table.table.model().index(0, index).data()
        assert table.table.columnWidth(index) > table.table.fontMetrics().horizontalAdvance(text)


def test_keys_that_are_not_the_tables_go_to_napari(table: Any, qtbot: Any) -> None:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QKeyEvent

    for key, eaten in ((Qt.Key.Key_G, False), (Qt.Key.Key_Delete, False), (Qt.Key.Key_Down, True)):
        event = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, chr(key) if key < 128 else "")
        table.table.keyPressEvent(event)
        assert event.isAccepted() is eaten
