"""The words of a case: what can happen to it, where it stands, where a lesion came from."""

from __future__ import annotations

from enum import StrEnum


class EditKind(StrEnum):
    """What changed the labels."""

    STROKE = "stroke"
    FILL = "fill"
    POLYGON = "polygon"
    UNDO = "undo"
    REDO = "redo"
    TOOL = "tool"
    MODEL = "model"
    IMPORT = "import"
    OTHER = "other"


class ToolName(StrEnum):
    """The correction tools, as ``detail["tool"]`` of a ``TOOL`` record calls them.

    Brush and eraser are led by hand through the slices in ``detail["slices"]``, and *grow*, *shrink* and *copy* may act
    on one slice, which is in ``detail["slices"]`` then; the others act on whole lesions.
    """

    BRUSH = "guided brush"
    ERASER = "guided eraser"
    GROW = "grow"
    SHRINK = "shrink"
    INTERPOLATE = "interpolate"
    SPLIT = "split"
    SEPARATE = "separate"
    MERGE = "merge"
    DELETE = "delete"
    RELABEL = "relabel"
    COPY = "copy to slice"


class EntryKind(StrEnum):
    """What else is written to the journal."""

    BEGIN = "begin"
    SNAPSHOT = "snapshot"
    STATUS = "status"
    RECOVERY = "recovery"
    REVIEWED = "reviewed"
    NOTE = "note"


class Status(StrEnum):
    """Where a case stands. An edit makes it ``CORRECTED``, also after it was approved or rejected."""

    TODO = "todo"
    PREDICTED = "predicted"
    CORRECTED = "corrected"
    APPROVED = "approved"
    REJECTED = "rejected"


#: A case that stands here is finished: nobody needs to look at it again, unless it is reopened.
DONE = (Status.APPROVED, Status.REJECTED)


class Origin(StrEnum):
    """DICOM's word for how a lesion came to be: Segment Algorithm Type (0062,0008), PS3.3 section C.8.20.4."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


class Editor(StrEnum):
    """Who had a hand in a lesion's outline."""

    HAND = "hand"
    TOOL = "tool"
    MODEL = "model"


def editor_of(kind: EditKind) -> Editor:
    """Who makes an edit of this kind; what no tool and no network did counts as done by hand."""
    if kind is EditKind.MODEL:
        return Editor.MODEL
    return Editor.TOOL if kind is EditKind.TOOL else Editor.HAND
