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
    """The studio's keys on a viewer and on one labels layer after the other; ``changed`` reports another key."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Any = None
        self._known: dict[str, Shortcut] = {}
        self._usual: dict[str, str] = {}
        self._acts: dict[str, Callable[..., object]] = {}

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
        """The key that the user has chosen for the action ``title``; ``usual`` if none."""
        return str(settings().value(_entry(title), usual))

    def key(self, title: str) -> str:
        """The key of the action ``title``, as on buttons; empty if none does."""
        return self._known[title].short if title in self._known else ""

    def change(self, title: str, key: str) -> None:
        """Bind another key in the place of the present one, and remember it; the usual one if ``key`` is empty.

        Raises
        ------
        ValueError
            If it is no key, or napari, the studio or another plugin uses it already.
        """
        old, wanted = self._known[title], key or self._usual[title]
        if _binding(wanted) == _binding(old.key):
            return
        act = self._acts[title]
        self._bind(replace(old, key=wanted))
        for provider in (self._layer, self._viewer):
            _unbind(provider, _binding(old.key), act)
        if wanted == self._usual[title]:
            settings().remove(_entry(title))
        else:
            settings().setValue(_entry(title), wanted)
        self.changed.emit()

    def follow(self, layer: Any | None) -> None:
        """Bind the keys on ``layer`` as well, and no longer on the one before."""
        before, self._layer = self._layer, layer
        for shortcut in self:
            key, act = _binding(shortcut.key), self._acts[shortcut.title]
            _unbind(before, key, act)
            if layer is not None:
                layer.bind_key(key, act, overwrite=True)

    def close(self) -> None:
        """Give all keys back."""
        self.follow(None)
        for shortcut in self:
            _unbind(self._viewer, _binding(shortcut.key), self._acts[shortcut.title])
        self._known.clear()

    def _bind(self, shortcut: Shortcut) -> None:
        key = _binding(shortcut.key)
        ours = any(_binding(known.key) == key for known in self)
        if ours or key in self._viewer.keymap or key in taken_by_napari():
            raise ValueError(f"the key {shortcut.key} is in use already: {shortcut.title!r} cannot have it")
        act = _act(shortcut)
        self._known[shortcut.title], self._acts[shortcut.title] = shortcut, act
        for provider in (self._viewer, self._layer):
            if provider is not None:
                provider.bind_key(key, act, overwrite=True)


def _unbind(provider: Any, key: KeyBinding, act: Callable[..., object]) -> None:
    if provider is not None and provider.keymap.get(key) is act:
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
