"""What a user has chosen on this computer, beyond one project."""

from __future__ import annotations

from qtpy.QtCore import QSettings

_ORGANISATION, _APPLICATION = "napari-metseg", "studio"


def settings() -> QSettings:
    """The user's settings, in a file of their own."""
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, _ORGANISATION, _APPLICATION)
