"""The documentation is a site without a link that leads nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_link_leads_somewhere_and_commands_and_functions_are_described(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="extra docs is not installed")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml")]
    built = subprocess.run(
        [*command, "--site-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert built.returncode == 0, built.stderr
    pages = {name: (tmp_path / "reference" / name / "index.html").read_text() for name in ("command_line", "python")}
    assert "--resume" in pages["command_line"]
    assert "sum_of_target_diameters" in pages["python"]
