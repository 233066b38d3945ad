"""A person's way through the page, in a real browser."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from metseg.client import JSON, TIFF

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

pytestmark = pytest.mark.slow


_CHROMIUM = os.environ.get("METSEG_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
_MILLISECONDS = 60_000


@pytest.fixture
def tab() -> Iterator[Tab]:
    """A tab of Chromium that notes where it asks."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if _CHROMIUM is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.set_default_timeout(_MILLISECONDS)
        yield tab
        browser.close()


def test_a_tiff_is_sent_looked_at_and_its_mask_downloaded(
    tab: Tab, page: object, stack: bytes, ask: Callable[[bytes, str, str], bytes], tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    expect.set_options(timeout=_MILLISECONDS)
    asked: set[str] = set()
    tab.on("request", lambda request: asked.add(urlsplit(request.url).hostname or ""))
    study = tmp_path / "head.tif"
    study.write_bytes(stack)
    tab.goto(page.url)  # type: ignore[attr-defined]
    tab.locator("input[type=file]").set_input_files(study)
    tab.get_by_role("button", name="Outline lesions").click()

    picture = tab.get_by_alt_text("Axial slice with outlined lesions")
    picture.wait_for()
    first = picture.get_attribute("src")
    slider = tab.get_by_role("slider", name="Axial slice")
    before = int(slider.input_value())
    step = "ArrowLeft" if before > 5 else "ArrowRight"
    slider.press(step)
    there = before + (1 if step == "ArrowRight" else -1)
    tab.get_by_text(f"Axial {there} / 10", exact=True).wait_for()
    expect(picture).not_to_have_attribute("src", first or "")

    picture.hover()
    tab.mouse.wheel(0, 60 if step == "ArrowRight" else -60)
    tab.get_by_text(f"Axial {there + (there - before)} / 10", exact=True).wait_for()

    cells = tab.get_by_test_id("stDataFrame").first.locator("td").all_text_contents()
    largest = max(json.loads(ask(stack, "small", JSON))["lesions"], key=lambda lesion: lesion["voxels"])
    assert cells[0] == str(largest["lesion"])
    assert cells[2] == str(largest["voxels"])

    tab.get_by_test_id("stPopoverButton").click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Mask (TIFF)").click()
    saved = tmp_path / "mask.tif"
    download.value.save_as(saved)
    assert download.value.suggested_filename == "head_small_mask.tif"
    assert saved.read_bytes() == ask(stack, "small", TIFF)
    assert asked - {""} == {"127.0.0.1"}, "the page asks nobody outside"
