"""Take ``docs/images/web_*.png``: the page of a running ``metseg ui`` with the synthetic head, in Chromium.

python docs/scripts/screenshot_page.py --url http://127.0.0.1:8501 --second nested_unet
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "images"
_MILLISECONDS = 300_000
#: WebGL2 without a graphics card.
_ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


def main() -> None:
    """Walk through the page and take a picture of each state."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--url", default="http://127.0.0.1:8501")
    options.add_argument("--second", default="nested_unet", help="network to compare with")
    options.add_argument("--chromium", default=shutil.which("chromium"))
    given = options.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.chromium, args=_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(_MILLISECONDS)
        page.goto(given.url)
        page.get_by_role("button", name="Try the sample").wait_for()
        take(page, "upload")
        refuse(page)
        page.get_by_role("button", name="Try the sample").click()
        finish(page)
        take(page, "slice")
        for view, name in (("Four views", "four_views"), ("Three planes", "planes"), ("3-D", "3d")):
            page.get_by_text(view, exact=True).click()
            take(page, name, 12_000 if view == "3-D" else 0)
        compare(page, given.second)
        browser.close()


def refuse(page: Page) -> None:
    """Send something that is no image."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "P17.tif")
        file.write_bytes(b"II*\0 and nothing more")
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_role("button", name="Outline lesions").click()
        page.get_by_test_id("stAlert").wait_for()
    take(page, "unreadable")


def compare(page: Page, second: str) -> None:
    """Two networks, then the page of a telephone, and the networks' cards."""
    page.get_by_label("Compare with").first.click()
    page.get_by_role("option", name=second).click()
    page.get_by_role("button", name="Outline lesions").click()
    finish(page)
    page.get_by_text("Both outlines on both").click()
    take(page, "compare")
    page.get_by_role("button", name="About the networks").click()
    page.get_by_role("dialog").wait_for()
    take(page, "card")
    page.keyboard.press("Escape")
    page.get_by_text("Slice", exact=True).click()
    page.set_viewport_size({"width": 430, "height": 900})
    take(page, "narrow")


def finish(page: Page) -> None:
    """Wait until the networks are done."""
    page.get_by_role("button", name="Cancel").wait_for()
    page.get_by_role("button", name="Cancel").wait_for(state="detached")
    page.get_by_test_id("stPopoverButton").wait_for()


def take(page: Page, name: str, pause: int = 0) -> None:
    """Let the page settle and write ``web_<name>.png``."""
    page.wait_for_timeout(1500 + pause)
    page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')")
    page.wait_for_timeout(500)
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"web_{name}.png", timeout=_MILLISECONDS)


if __name__ == "__main__":
    main()
