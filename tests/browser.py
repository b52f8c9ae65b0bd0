"""The browser of page tests and screenshots: a Chromium without access to other hosts."""

from pathlib import Path

from playwright.sync_api import Browser, Playwright

PATHS = (
    "/usr/bin/chromium-headless-shell",  # needs half the CPU time of the others
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    """The installed Chromium."""
    path = next(path for path in PATHS if Path(path).exists())
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
