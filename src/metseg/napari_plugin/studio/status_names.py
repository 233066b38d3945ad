"""Where a case stands, in words."""

from __future__ import annotations

from metseg.curation import Status
from metseg.napari_plugin.translations import translate


def status_name(status: Status) -> str:
    """A status in the user's language."""
    return {
        Status.TODO: translate("studio", "to do"),
        Status.PREDICTED: translate("studio", "predicted"),
        Status.CORRECTED: translate("studio", "corrected"),
        Status.APPROVED: translate("studio", "approved"),
        Status.REJECTED: translate("studio", "rejected"),
    }[status]
