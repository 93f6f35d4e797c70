"""The report of a run in a browser: all of it can be reached and seen, and it fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from browser import Heard, listen_to, open_browser

pytestmark = pytest.mark.workflow

RULES = Path(__file__).parents[2] / "rules"
DESKTOP = {"width": 1440, "height": 900}
# The navigation, its rows of results, and in each of them the buttons that show a result and its caption.
NAVIGATION, ROWS, SHOW, EXPLAIN = "nav >> nth=0", "nav tbody tr", "a >> nth=0", "a >> nth=1"
CONTENT = "#app div.grow.h-screen"


@dataclass(frozen=True)
class Shown:
    """A result as the browser shows it."""

    category: str
    caption: str
    is_cut: bool
    width: int | None = None  # of an image, in its own pixels; 0 where it is broken
    rows: int | None = None  # of the tables of a page
    words: str = ""


@dataclass
class Walk:
    """What a visitor of all pages of the report has seen, and what the browser had to say."""

    heard: Heard
    shown: dict[str, Shown] = field(default_factory=dict)
    landing: str = ""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """An empty page at desktop width."""
    with open_browser() as browser:
        yield browser.new_page(viewport=DESKTOP)


@pytest.fixture(scope="module")
def walk(page: Page, small_run) -> Walk:
    """The report of the small run, all of it visited."""
    return visit(page, small_run / "results/report.html")


def visit(page: Page, report: Path) -> Walk:
    """Open the report and every result in each of its categories, with the links that a reader has."""
    walk = Walk(listen_to(page))
    page.goto(report.as_uri())
    page.add_style_tag(content="* { transition: none !important; }")  # a click waits until nothing moves
    page.locator("#rulegraph canvas, #rulegraph svg").first.wait_for()
    walk.landing = page.locator(f"{CONTENT} .prose").inner_text()
    for category in page.evaluate("Object.keys(categories)"):
        for subcategory in page.evaluate("category => Object.keys(categories[category])", category):
            walk.shown |= _visit_results(page, category, subcategory)
    return walk


def _visit_results(page: Page, category: str, subcategory: str) -> dict[str, Shown]:
    """Path -> what the browser shows of it, for the results of one subcategory."""
    _open(page, category, subcategory)
    shown = {}
    for number in range(page.locator(ROWS).count()):
        path, sizes = _show(page, page.locator(ROWS).nth(number))
        page.locator(ROWS).nth(number).locator(EXPLAIN).click()
        caption = page.locator("nav li.prose")
        shown[path] = Shown(category, caption.inner_text() if caption.count() else "", **sizes)
        _open(page, category, subcategory)
    return shown


def _open(page: Page, category: str, subcategory: str) -> None:
    page.locator("nav nav a").first.click()
    page.locator(NAVIGATION).get_by_role("link", name=category, exact=True).click()
    link = page.locator(f"{NAVIGATION} >> ul").get_by_role("link", name=subcategory, exact=True)
    expect(page.locator(ROWS).first.or_(link)).to_be_visible()
    if link.count():
        link.click()
    page.locator(ROWS).first.wait_for()


def _show(page: Page, row: Locator) -> tuple[str, dict]:
    """The path of a result, and what can be seen of it once it has loaded."""
    button = row.locator(SHOW)
    if name := button.get_attribute("download"):
        return name, {"is_cut": False, "words": button.get_attribute("href") or ""}
    button.click()
    path = page.evaluate("app.state.resultPath")
    if path.endswith(".html"):
        return path, _read_table(page)
    image = page.locator(f"{CONTENT} img")
    page.wait_for_function("image => image.complete", arg=image.element_handle())
    return path, {"is_cut": _is_cut(page, image), "width": image.evaluate("image => image.naturalWidth")}


def _read_table(page: Page) -> dict:
    body = page.frame_locator("iframe").locator("body")
    body.locator("h1").wait_for()
    return {
        "is_cut": _is_cut(page, page.locator("iframe")) or body.evaluate("body => body.scrollWidth > innerWidth"),
        "rows": body.locator("tbody tr").count(),
        "words": body.inner_text(),
    }


def _is_cut(page: Page, element: Locator) -> bool:
    """Whether the top or the left side lies where nobody can scroll to, or the right side beyond the window."""
    page.locator(CONTENT).evaluate("content => content.scrollTo(0, 0)")
    box, content = element.bounding_box(), page.locator(CONTENT).bounding_box()
    return box["y"] < 0 or box["x"] < content["x"] or box["x"] + box["width"] > DESKTOP["width"] + 1


def declared_categories() -> set[str]:
    """The numbered names of the report's parts in the rules."""
    return {name for file in RULES.glob("*.smk") for name in re.findall(r'"(\d [A-Z]\w+)"', file.read_text())}


def test_the_browser_has_nothing_to_complain_of(walk: Walk) -> None:
    assert walk.heard.complaints == []


def test_the_report_fetches_nothing(walk: Walk) -> None:
    assert walk.heard.fetched == []


def test_it_has_the_categories_of_the_rules_and_every_result_can_be_reached(page: Page, walk: Walk) -> None:
    assert {shown.category for shown in walk.shown.values()} == declared_categories()
    assert len(walk.shown) == page.evaluate("Object.keys(results).length")


def test_every_image_is_there_and_none_is_cut(walk: Walk) -> None:
    images = {path: shown for path, shown in walk.shown.items() if path.endswith((".png", ".svg"))}
    assert len(images) > 10
    assert [path for path, shown in images.items() if not shown.width] == []
    assert [path for path, shown in walk.shown.items() if shown.is_cut] == []


def test_every_table_has_its_rows(walk: Walk, small_run) -> None:
    tables = {path: shown for path, shown in walk.shown.items() if path.startswith("results/report/")}
    assert len(tables) > 10
    for path, shown in tables.items():
        folder, _, name = Path(path).stem.partition("_")
        table = pd.read_csv(small_run / f"results/{folder}/{name}.tsv", sep="\t", dtype=str)
        assert bool(shown.rows) == bool(len(table)), path
        assert "None." not in shown.words, path  # a page without rows has a sentence instead
        assert [first for first in table.iloc[:, 0] if first not in shown.words] == [], path
    assert walk.shown["results/provenance/audit.html"].rows


def test_every_result_has_a_caption(walk: Walk) -> None:
    assert [path for path, shown in walk.shown.items() if len(shown.caption.split()) < 8] == []


def test_the_landing_page_says_what_the_run_did(walk: Walk) -> None:
    assert len(walk.landing.split()) > 50
    assert "{{" not in walk.landing


def test_the_statistics_of_the_run_are_drawn(page: Page, walk: Walk) -> None:  # noqa: ARG001, the report is open then
    page.locator("nav nav a").first.click()
    page.locator(NAVIGATION).get_by_role("link", name="Statistics", exact=True).click()
    for name in ("#runtimes", "#timeline"):
        figure = page.locator(f"{name} canvas, {name} svg").first
        figure.wait_for()
        assert not _is_cut(page, figure), name
