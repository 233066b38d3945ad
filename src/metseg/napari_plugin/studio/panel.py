"""What the studio's panels have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metseg.napari_plugin.controls import Section
from metseg.napari_plugin.studio.state import StudioState

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio


class Panel(Section[StudioState]):
    """A titled group of rows that shows the studio's state and asks the studio to act."""

    def __init__(self, title: str, studio: Studio) -> None:
        super().__init__(title, studio.state)
        self.studio = studio
