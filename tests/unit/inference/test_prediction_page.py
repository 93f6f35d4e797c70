"""The page of predictions in a browser: all that the table has, sorted and filtered, and nothing from elsewhere."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import Page

from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.foundation.user_tables import Dialect, read_user_table
from bioscan1m.inference import prediction_page
from bioscan1m.inference.photograph_predictions import COLUMNS, VERDICTS
from bioscan1m.inference.prediction_page import MEANINGS, as_data, write_prediction_page
from browser import listen_to, open_browser

HOSTILE = ["<script>alert(1)<script>.jpg", "a\"b'c & d.jpg", "$_{$HOME}.jpg", "<img src=x onerror=alert(1)>.jpg"]
HOSTILE_TAXON = '</script><script>alert("taxon")</script>'
COUNT = 120
WIDTHS = (1366, 1920)  # of windows
EDGES = (60, 20, 180, 100)  # of the box, in a photograph of 240x120 pixels


def jpeg(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def row(place: int) -> dict[str, str]:
    """A row of the table; each verdict comes in turn."""
    verdict = list(MEANINGS)[place % len(MEANINGS)]
    name = HOSTILE[place] if place < len(HOSTILE) else f"IMG_{place}.jpg"
    cells = {"image_file": name, "verdict": verdict, "models": "by_family", "recipe": "0123"}
    if verdict in ("named", "coarser", "insect"):
        cells |= dict(zip(("x_min", "y_min", "x_max", "y_max"), map(str, EDGES), strict=True))
        cells |= {"probability": f"{1 - place / 200}", "distance": "0.5", "box_score": "0.9"}
    if verdict == "named":
        cells |= {"taxon": "Apidae", "rank": "family", "prediction_set": "Apidae", "box_flags": "touches_border; tiny"}
    if verdict == "coarser":
        cells |= {"taxon": HOSTILE_TAXON, "rank": "order", "prediction_set": f"{HOSTILE_TAXON}; Apidae"}
    if verdict == "unlike":
        cells |= {"distance": "1.75", "reason": "unlike the training images"}
    if verdict == "unusable":
        cells |= {"reason": "not an image"}
    return cells


def lay_out(folder: Path, rows: list[dict[str, str]]) -> Path:
    """The table of these rows, and the zip with their photographs."""
    write_rows(folder / "predictions.tsv", COLUMNS, [[cells.get(name, "") for name in COLUMNS] for cells in rows])
    photograph = jpeg((240, 120))
    with ZipWriter(folder / "photographs.zip") as archive:
        for cells in rows:
            archive.add(cells["image_file"], b"none" if cells["verdict"] == "unusable" else photograph)
    return folder


def write(folder: Path, name: str = "predictions.html", threads: int = 2) -> str:
    crops = dict.fromkeys(["IMG_6.jpg", HOSTILE[0]], jpeg((80, 160)))
    files = folder / name, folder / "predictions.tsv", folder / "photographs.zip"
    write_prediction_page(*files, crops, "my <photographs>", threads)
    return (folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = lay_out(tmp_path_factory.mktemp("predictions"), [row(place) for place in range(COUNT)])
    write(folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, of which the browser must have nothing to complain in the end, and for which nothing was fetched."""
    page = browser.new_page(viewport={"width": getattr(request, "param", WIDTHS[0]), "height": 768})
    heard = listen_to(page)
    page.on("dialog", lambda dialog: (heard.complaints.append(dialog.message), dialog.dismiss()))
    page.goto((folder / "predictions.html").as_uri())
    yield page
    page.close()
    assert (heard.complaints, heard.fetched) == ([], [])


at_each_width = pytest.mark.parametrize("page", WIDTHS, indirect=True)


def shown(page: Page) -> list[str]:
    return page.locator("#body .file").all_inner_texts()


def numbers(page: Page, column: int) -> list[float]:
    texts = page.locator(f"#body tr td:nth-child({column})").all_inner_texts()
    return [float(text.split()[0]) if text != "–" else math.inf for text in texts]


def test_each_verdict_has_its_meaning_on_the_page():
    assert tuple(MEANINGS) == VERDICTS


@at_each_width
def test_names_are_shown_as_they_are_and_all_fits(page: Page):
    assert shown(page)[: len(HOSTILE)] == HOSTILE
    assert page.locator("#body tr").nth(1).locator(".taxon").inner_text() == HOSTILE_TAXON
    assert page.locator("h1").inner_text() == "Predictions: my <photographs>"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_each_verdict_is_explained(page: Page):
    legend = page.locator(".legend").inner_text()
    for verdict, text in MEANINGS.items():
        assert verdict in legend and text in legend
    assert set(page.locator("#body .badge").all_inner_texts()) == set(MEANINGS)


def test_verdicts_differ_in_colour(page: Page):
    colours = page.locator(".legend .badge").evaluate_all("badges => badges.map(one => getComputedStyle(one).color)")
    assert len(set(colours)) == len(MEANINGS)


def test_rows_come_by_the_page(page: Page):
    read = shown(page)
    for _ in range(2):
        page.click("#next")
        read += shown(page)
    assert page.locator("#next").is_disabled()
    assert read == [row(place)["image_file"] for place in range(COUNT)]
    assert page.locator("#status").inner_text() == "101 to 120 of 120"


def test_rows_are_sorted_and_those_without_a_value_come_last(page: Page):
    page.click("th[data-sort=probability] button")
    rising = numbers(page, 6)
    assert rising == sorted(rising) and math.isfinite(rising[0])
    page.click("th[data-sort=probability] button")
    assert numbers(page, 6)[0] == 100.0
    page.click("#next")
    assert numbers(page, 6)[-1] == math.inf
    page.click("th[data-sort=file] button")
    assert [name for name in shown(page) if name.startswith("IMG")][:8] == [
        f"IMG_{number}.jpg" for number in range(4, 12)
    ]


def test_rows_are_filtered_and_searched(page: Page):
    page.get_by_role("button", name=re.compile("^named 20")).click()
    assert "named" not in page.locator("#body .badge").all_inner_texts()
    page.click("#clear")
    page.select_option("#taxon", "Apidae")
    assert set(page.locator("#body .taxon").all_inner_texts()) == {"Apidae"}
    page.fill("#search", "img_6 TINY")
    assert shown(page) == ["IMG_6.jpg", "IMG_60.jpg", "IMG_66.jpg"]
    page.fill("#search", "nowhere")
    assert page.locator("#none").is_visible() and not page.locator("#table").is_visible()
    page.click("#clear")
    assert page.locator("#status").inner_text() == "1 to 50 of 120"


@at_each_width
def test_the_box_lies_on_the_photograph_where_the_table_has_it(page: Page):
    picture, outline = (
        page.locator("#body tr").first.locator(f"td:first-child {name}").bounding_box() for name in ("img", ".box")
    )
    scale = picture["width"] / 240
    found = [outline["x"] - picture["x"], outline["y"] - picture["y"], outline["width"], outline["height"]]
    expected = [EDGES[0] * scale, EDGES[1] * scale, (EDGES[2] - EDGES[0]) * scale, (EDGES[3] - EDGES[1]) * scale]
    assert found == pytest.approx(expected, abs=1.5)


@at_each_width
def test_pictures_are_drawn_where_there_are_any(page: Page):
    sizes = page.locator("#body img").evaluate_all("all => all.map(one => [one.naturalWidth, one.naturalHeight])")
    unusable = page.locator("#body tr[data-verdict=unusable]")
    assert sizes.count([88, 176]) == 2  # the crops
    assert all(width > 0 for width, _ in sizes)
    assert unusable.first.locator(".without").count() == 2


def test_corrections_are_saved_as_a_table_that_can_be_read(page: Page, tmp_path: Path):
    page.locator("#body tr").first.get_by_role("button", name="it is right").click()
    page.locator("#body tr").nth(1).locator("input").fill(' of "genus" Bombus ')
    page.locator("#body tr").nth(1).locator("input").blur()
    page.click("#next")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save 2 corrections").click()
    saving.value.save_as(tmp_path / "corrections.tsv")
    rows = [cells for _, cells in read_user_table(tmp_path / "corrections.tsv", Dialect()).rows]
    assert [(cells["image_file"], cells["correct"]) for cells in rows] == [
        (HOSTILE[0], "ok"),
        (HOSTILE[1], 'of "genus" Bombus'),
    ]
    assert [cells["taxon"] for cells in rows] == ["Apidae", HOSTILE_TAXON]


def rows_of(text: str) -> list[dict]:
    return json.loads(re.search(r'id="rows">(.*?)</script>', text, flags=re.DOTALL)[1])


def test_the_bytes_do_not_depend_on_the_threads(folder: Path):
    assert write(folder, "one.html", threads=1) == write(folder, "three.html", threads=3)


def test_photographs_beyond_the_most_have_rows_alone(folder: Path, monkeypatch):
    monkeypatch.setattr(prediction_page, "MOST_PICTURES", 3)
    text = write(folder, "few.html")
    assert ["photograph" in one for one in rows_of(text)] == [True] * 3 + [False] * (COUNT - 3)
    assert "The first 3 of 120 photographs have pictures here." in text


def test_a_cell_that_is_no_number_is_refused(tmp_path: Path):
    lay_out(tmp_path, [row(0) | {"probability": "high"}])
    with pytest.raises(InputError, match=r"probability of .* is 'high'"):
        write(tmp_path)
    assert not (tmp_path / "predictions.html").exists()


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_data_come_back_from_the_page_and_end_no_element(value):
    text = as_data(value)
    assert json.loads(text) == value
    assert text.isascii() and not set("<>&") & set(text)
