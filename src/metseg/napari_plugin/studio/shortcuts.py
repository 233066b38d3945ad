"""Keys of the studio: bound on the viewer and on the case's labels, where a layer's own keys would shadow them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app_model.types import KeyBinding
from psygnal import Signal

from metseg.napari_plugin.studio.settings import settings

if TYPE_CHECKING:
    from napari.components import ViewerModel

_GROUP = "keys"


@dataclass(frozen=True)
class Shortcut:
    """A key as napari writes it (``"Shift-N"``), and what it does.

    ``title`` is for the list of keys; no two are the same. ``released`` is called when the key is let go.
    """

    key: str
    title: str
    action: Callable[[], object]
    released: Callable[[], object] | None = None

    @property
    def short(self) -> str:
        """The key as it stands on buttons."""
        return self.key.replace("Shift-", "⇧").replace("Delete", "Del")


class Shortcuts:
    """The studio's keys on a viewer and on one labels layer after the other; ``changed`` tells of another key."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._known: dict[KeyBinding, Shortcut] = {}
        self._usual: dict[str, str] = {}
        self._ours: dict[KeyBinding, Callable[..., object]] = {}

    def __iter__(self) -> Iterator[Shortcut]:
        return iter(self._known.values())

    def add(self, shortcut: Shortcut) -> None:
        """Bind a key, or the one that the user has chosen in its place.

        Raises
        ------
        ValueError
            If napari, the studio or another plugin uses it already.
        """
        self._usual[shortcut.title] = shortcut.key
        chosen = self.stored(shortcut.title, shortcut.key)
        try:
            self._bind(replace(shortcut, key=chosen))
        except ValueError:
            if chosen == shortcut.key:
                raise
            self._bind(shortcut)
        self.changed.emit()

    def stored(self, title: str, usual: str) -> str:
        """The key that the user has chosen for what ``title`` says; ``usual`` if none."""
        return str(settings().value(_entry(title), usual))

    def key(self, title: str) -> str:
        """The key that does what ``title`` says, as on buttons; empty if none does."""
        return next((known.short for known in self if known.title == title), "")

    def change(self, title: str, key: str) -> None:
        """Bind another key in the place of the present one, and remember it; the usual one if ``key`` is empty.

        Raises
        ------
        ValueError
            If it is no key, or napari, the studio or another plugin uses it already.
        """
        old, shortcut = next(pair for pair in self._known.items() if pair[1].title == title)
        wanted = key or self._usual[title]
        if _binding(wanted) == old:
            return
        order = list(self._known)
        self._bind(replace(shortcut, key=wanted))
        for provider in (self._layer, self._viewer):
            self._unbind(provider, old)
        del self._known[old], self._ours[old]
        order[order.index(old)] = _binding(wanted)
        self._known = {one: self._known[one] for one in order}
        if wanted == self._usual[title]:
            settings().remove(_entry(title))
        else:
            settings().setValue(_entry(title), wanted)
        self.changed.emit()

    def follow(self, layer: Any | None) -> None:
        """Bind the keys on ``layer`` as well, and no longer on the one before."""
        for key in self._ours:
            self._unbind(self._layer, key)
        self._layer = layer
        if layer is not None:
            for key, act in self._ours.items():
                layer.bind_key(key, act, overwrite=True)

    def close(self) -> None:
        """Give all keys back."""
        self.follow(None)
        for key in self._ours:
            self._unbind(self._viewer, key)
        self._known.clear()
        self._ours.clear()

    def _bind(self, shortcut: Shortcut) -> None:
        key = _binding(shortcut.key)
        if key in self._known or key in self._viewer.keymap or key in taken_by_napari():
            raise ValueError(f"the key {shortcut.key} is in use already: {shortcut.title!r} cannot have it")
        act = _act(shortcut)
        self._known[key] = shortcut
        self._ours[key] = act
        self._viewer.bind_key(key, act, overwrite=True)
        if self._layer is not None:
            self._layer.bind_key(key, act, overwrite=True)

    def _unbind(self, provider: Any, key: KeyBinding) -> None:
        if provider is not None and provider.keymap.get(key) is self._ours[key]:
            with contextlib.suppress(KeyError):
                provider.bind_key(key, None)


def _act(shortcut: Shortcut) -> Callable[..., object]:
    """What napari calls; it runs a generator on when the key is let go."""

    def act(_: object) -> None:
        shortcut.action()

    def hold(_: object) -> Iterator[None]:
        shortcut.action()
        yield
        if shortcut.released is not None:
            shortcut.released()

    return act if shortcut.released is None else hold


def _binding(key: str) -> KeyBinding:
    if not key.strip():
        raise ValueError("no key was given")
    whole = "-" if key.endswith("-") else ""
    return KeyBinding.from_str(key.removesuffix("-").replace("-", "+") + whole)


def _entry(title: str) -> str:
    return f"{_GROUP}/{title.replace('/', ' ')}"


def taken_by_napari() -> set[KeyBinding]:
    """Keys that the viewer, labels layers or image layers use; as the user has set them."""
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    providers = {cls for provider in (ViewerModel, Labels, Image) for cls in provider.__mro__}
    return {key for cls in providers for key in getattr(cls, "class_keymap", ())}
