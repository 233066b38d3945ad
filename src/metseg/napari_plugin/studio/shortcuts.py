"""Keys of the studio: bound on the viewer and on the case's labels, where a layer's own keys would shadow them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app_model.types import KeyBinding

if TYPE_CHECKING:
    from napari.components import ViewerModel


@dataclass(frozen=True)
class Shortcut:
    """A key and what it does.

    Attributes
    ----------
    key : str
        As napari writes keys: ``"N"``, ``"Shift-N"``, ``"Ctrl-Alt-N"``.
    title : str
        What it does, for the list of keys.
    action : callable
        Called without arguments, in the window's thread.
    """

    key: str
    title: str
    action: Callable[[], object]


class Shortcuts:
    """The studio's keys on a viewer and on one labels layer after the other.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._known: dict[KeyBinding, Shortcut] = {}
        self._ours: dict[KeyBinding, Callable[..., object]] = {}

    def __iter__(self) -> Iterator[Shortcut]:
        return iter(self._known.values())

    def add(self, shortcut: Shortcut) -> None:
        """Bind a key.

        Raises
        ------
        ValueError
            If napari, the studio or another plugin uses it already.
        """
        key = KeyBinding.from_str(shortcut.key.replace("-", "+"))
        if key in self._known or key in self._viewer.keymap or key in taken_by_napari():
            raise ValueError(f"the key {shortcut.key} is in use already: {shortcut.title!r} has none here")

        def act(_: object) -> None:
            shortcut.action()

        self._known[key] = shortcut
        self._ours[key] = act
        self._viewer.bind_key(key, act, overwrite=True)
        if self._layer is not None:
            self._layer.bind_key(key, act, overwrite=True)

    def follow(self, layer: Any | None) -> None:
        """Bind the keys on ``layer`` as well, and no longer on the one before."""
        self._unbind(self._layer)
        self._layer = layer
        if layer is not None:
            for key, act in self._ours.items():
                layer.bind_key(key, act, overwrite=True)

    def close(self) -> None:
        """Give all keys back."""
        self.follow(None)
        self._unbind(self._viewer)
        self._known.clear()
        self._ours.clear()

    def _unbind(self, provider: Any) -> None:
        for key, act in self._ours.items():
            if provider is not None and provider.keymap.get(key) is act:
                with contextlib.suppress(KeyError):
                    provider.bind_key(key, None)


def taken_by_napari() -> set[KeyBinding]:
    """Keys that the viewer, labels layers or image layers use; as the user has set them."""
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    providers = {cls for provider in (ViewerModel, Labels, Image) for cls in provider.__mro__}
    return {key for cls in providers for key in getattr(cls, "class_keymap", ())}
