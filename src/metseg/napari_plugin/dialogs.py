"""The few questions asked in windows of their own."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget


def ask_folder(parent: QWidget | None, title: str = "Export training pairs to", start: str = "") -> Path | None:
    """A folder, asked for by ``title``; ``None`` if the user changed their mind."""
    chosen = QFileDialog.getExistingDirectory(parent, title, start)
    return Path(chosen) if chosen else None


def ask_model_file(parent: QWidget | None) -> str:
    """A checkpoint or ensemble file; empty if the user changed their mind."""
    chosen, _ = QFileDialog.getOpenFileName(parent, "Open a network", "", "Networks (*.safetensors ensemble.json)")
    return str(chosen)


def confirm_replacement(parent: QWidget | None, there: list[Path], described: str) -> bool:
    """Whether files that exist may be replaced by what is ``described``."""
    question = (
        f"{len(there)} of these files exist already in\n{there[0].parent}\n\nReplace them by slices of {described}?"
    )
    buttons = QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel
    answer = QMessageBox.question(parent, "Replace files?", question, buttons, QMessageBox.StandardButton.Cancel)
    return bool(answer == QMessageBox.StandardButton.Yes)
