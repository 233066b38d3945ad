"""Examinations of one patient: registered, lesions matched, what changed."""

from metseg.follow_up.changes import (
    FollowedLesion,
    FollowUpChange,
    Response,
    Thresholds,
    judge_response,
    signed_percent,
)
from metseg.follow_up.comparing import FollowUp, common_sequence, following
from metseg.follow_up.course_page import write_course_page
from metseg.follow_up.matching import Group, match_lesions
from metseg.follow_up.page import write_follow_up_page
from metseg.follow_up.registration import Rigid, register, registering
from metseg.follow_up.tables import (
    carried_provenance,
    change_table_csv,
    follow_up_document,
    tracked_document,
    tracked_table_csv,
)
from metseg.follow_up.tracking import TrackedExaminations, TrackedLesion, tracking

__all__ = [
    "FollowUpChange",
    "FollowUp",
    "FollowedLesion",
    "Group",
    "Response",
    "Rigid",
    "Thresholds",
    "TrackedExaminations",
    "TrackedLesion",
    "carried_provenance",
    "change_table_csv",
    "common_sequence",
    "follow_up_document",
    "following",
    "judge_response",
    "match_lesions",
    "register",
    "registering",
    "signed_percent",
    "tracked_document",
    "tracked_table_csv",
    "tracking",
    "write_course_page",
    "write_follow_up_page",
]
