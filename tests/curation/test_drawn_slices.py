"""In which slices a person has drawn is known from the journal."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metseg.curation import EditKind, Project, drawn_slices, reviewed_slices
from metseg.study import read_study, write_tiff


def test_slices_that_a_person_drew_are_known_from_the_journal(tmp_path: Path) -> None:
    write_tiff(tmp_path / "head.tif", np.zeros((9, 12, 12), np.uint8))
    project = Project.create(tmp_path / "project")
    project.add(read_study(tmp_path / "head.tif"))
    with project.open_case("head") as session:
        labels = session.labels.copy()

        def draw(where: slice, lesion: int, kind: EditKind, **detail: object) -> None:
            labels[where, session.summary.records] = lesion
            session.commit(labels, kind, detail=detail)

        draw(slice(0, 9), 1, EditKind.IMPORT)
        draw(slice(2, 3), 1, EditKind.STROKE)
        draw(slice(5, 8), 1, EditKind.TOOL, tool="guided brush", slices=[6])
        draw(slice(4, 5), 2, EditKind.POLYGON)
        draw(slice(3, 4), 1, EditKind.TOOL, tool="grow")
        assert drawn_slices(session.history(), 1) == {2, 6}
        assert drawn_slices(session.history(), 2) == {4}
        draw(slice(3, 7), 1, EditKind.TOOL, tool="interpolate")
        assert drawn_slices(session.history(), 1) == {2}
        imported, *since = (record for record in session.history() if isinstance(record.kind, EditKind))
        assert reviewed_slices([imported]) == set(range(9))
        assert reviewed_slices(since) == {2, 4, 6}
        assert session.reviewed == set(range(9))


def test_what_nobody_need_have_seen_is_not_reviewed(tmp_path: Path) -> None:
    write_tiff(tmp_path / "head.tif", np.zeros((9, 12, 12), np.uint8))
    project = Project.create(tmp_path / "project")
    project.add(read_study(tmp_path / "head.tif"))
    with project.open_case("head") as session:
        labels = session.labels.copy()
        labels[1:4, 2:5, 2:5] = 1
        session.commit(labels, EditKind.FILL)  # in 3D: one slice of three was on the screen
        labels[5, 2:5, 2:5] = 2
        session.commit(labels, EditKind.OTHER)  # by a program
        labels[labels == 1] = 0
        session.commit(labels, EditKind.TOOL, detail={"tool": "delete"})
        assert session.reviewed == set()
        labels[7, 2:5, 2:5] = 3
        session.commit(labels, EditKind.STROKE)
        labels[7] = 0
        session.commit(labels, EditKind.UNDO)
        assert session.reviewed == {7}
