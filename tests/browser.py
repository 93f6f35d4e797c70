"""A real browser for pages of results; where none is installed the test is skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
LOCAL = ("file:", "data:", "blob:")


@dataclass
class Heard:
    """Errors and dialogs of a page, and the addresses beyond this machine that it asked for."""

    complaints: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The first of BROWSERS that is installed."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


def listen_to(page: Page) -> Heard:
    """What will be heard of the page from now on."""
    heard = Heard()
    page.on("console", lambda message: heard.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(LOCAL) else heard.fetched.append(request.url))
    return heard
