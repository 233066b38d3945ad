"""The studio's texts in the user's language: Qt's ``translate`` with one ``.ts`` file for each language.

A new text is a ``<message>`` in each file; ``test_languages.py`` of the studio names those that are missing. Qt itself
reads only compiled files, for which PyQt has no compiler, so they are read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from qtpy.QtCore import QCoreApplication, QLocale, QTranslator

from metseg.napari_plugin.studio.settings import settings

_SETTING = "language"
_ENGLISH = "en"
_installed: list[Catalogue] = []

translate = QCoreApplication.translate


def title_of(name: str) -> str:
    """The name of a tool, or what a key does, in the user's language: as it stands there, or on a button."""
    known = translate("studio", name)
    return known if known != name else translate("studio", name[:1].upper() + name[1:])


class Catalogue(QTranslator):
    """The finished texts of a ``.ts`` file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._texts: dict[tuple[str, str], str] = {}
        for context in ElementTree.parse(path).iter("context"):  # noqa: S314  # a file of this package
            for message in context.iter("message"):
                translation = message.find("translation")
                if translation is not None and translation.get("type") is None and translation.text:
                    self._texts[context.findtext("name", ""), message.findtext("source", "")] = translation.text

    def isEmpty(self) -> bool:
        """Whether there are no texts."""
        return not self._texts

    def translate(  # type: ignore[override]  # None is Qt's null string: the next translator is asked
        self, context: str | None, source: str | None, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        """A text in this language; ``None`` if there is none, and English is shown."""
        return self._texts.get((context or "", source or ""))


def languages() -> list[str]:
    """The languages that the user wants, best first: the one that was set, else those of the system."""
    chosen = str(settings().value(_SETTING, "") or "")
    return [chosen] if chosen else [str(name) for name in QLocale.system().uiLanguages()]


def install(wanted: Sequence[str]) -> None:
    """Show texts that are made from now on in the first of ``wanted`` languages (``de``, ``de-AT``) that there is."""
    while _installed:
        QCoreApplication.removeTranslator(_installed.pop())
    for name in (name.replace("_", "-").split("-")[0].lower() for name in wanted):
        path = Path(__file__).with_name(f"{name}.ts")
        if path.is_file():
            _installed.append(Catalogue(path))
            QCoreApplication.installTranslator(_installed[-1])
        if path.is_file() or name == _ENGLISH:
            return
