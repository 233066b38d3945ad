"""A process that paints in a real window is killed: what had ended is there. The script does it as often as wanted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


KILLS = 3


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked and killed as on POSIX systems")
def test_strokes_that_ended_survive(window: object, repository: Path) -> None:
    """``window`` is asked for so that there is a display. Strokes follow each other at once: a few may be in flight."""
    script = repository / "docs" / "scripts" / "kill_while_painting.py"
    result = subprocess.run(
        [sys.executable, str(script), "--kills", str(KILLS), "--strokes", "4"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    counts = json.loads(result.stdout.splitlines()[-1])
    assert (counts["kills"], counts["reopened"]) == (KILLS, KILLS)
    assert (counts["unknown"], counts["damaged"]) == (0, 0)
    assert counts["strokes"] > 0
    assert counts["lost"] <= 3
