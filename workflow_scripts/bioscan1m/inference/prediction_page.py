"""A page beside the table of predictions: each photograph with its box, its crop and what is known of it.

The page is one file that fetches nothing: rows, pictures, style and script are in it. The script sorts, filters and
searches all rows and shows 50 at a time, so that a browser draws no more pictures than that. Text from the table and
names of files reach the page as data in JSON, never as markup.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from PIL import ImageOps

from bioscan1m.boxes.table import CORNERS
from bioscan1m.foundation.archives import Member, ZipReader
from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.images import decode, image_size
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.metadata.table import stream_tsv

PARTS = Path(__file__).with_suffix("")  # the style and the script of the page
SIDE = 176  # pixels of the longer side of a picture
QUALITY = 60  # of WebP: 2 kB for a thumbnail, half of a JPEG that looks the same
# So many photographs have pictures on one page: it then has about 60 MB, which browsers open in a second or two.
MOST_PICTURES = 10_000
NO_MEMBER = UnreadableImage("not in the zip")
# A distance above it is that of an image unlike those of the training.
UNLIKE = 1.0

# In the order in which a reader can rely on them, with what they mean.
MEANINGS = {
    "named": "The prediction set is this taxon alone.",
    "coarser": "The prediction set has several taxa; the name is the deepest taxon that they share.",
    "insect": "The prediction set has taxa of several orders: an insect, and no more is known.",
    "unlike": "Unlike the training images. No name is given, because the classifier does not know such images.",
    "no insect": "The detector found no insect, or none that it is sure enough of.",
    "unusable": "The photograph cannot be used, for the reason that stands below.",
}
COLUMNS = {
    "Set": "The taxa that the photograph may show. It has the true taxon in the stated share of cases, for images like "
    "those of the training.",
    "Probability": "The calibrated probability of the taxon.",
    "Distance": "How far the image lies from the nearest training images, in units of the threshold: above 1 it is "
    "unlike them.",
    "Box": "The red frame is where the detector found the insect. Its score is from 0 to 1; below it stands what is "
    "doubtful about the box.",
    "Correct": "Type the right taxon, of any rank, or press “it is right”. “Save corrections” gives a table for "
    "write_manifest.py --from-predictions; this page itself does not keep what you type.",
}
HEADINGS = {
    "file": "Photograph",
    "": "Crop",
    "verdict": "Verdict",
    "taxon": "Taxon",
    "set": "Set",
    "probability": "Probability",
    "distance": "Distance",
    "found": "Box",
    "correct": "Correct",
}
WIDTHS = {"file": "photograph", "": "crop"}  # classes of the columns where they differ from what sorts them
LISTS = {"prediction_set": "set", "box_flags": "flags"}
NUMBERS = ("probability", "distance", "box_score")
TEXTS = ("image_file", "verdict", "taxon", "rank", "reason", "correct")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass
class _Seen:
    """What the rows up to now have: their number, and the models and recipes, each once."""

    rows: int = 0
    provenance: dict[str, dict[str, None]] = field(default_factory=lambda: {"models": {}, "recipe": {}})


def write_prediction_page(
    path: str | Path,
    predictions: str | Path,
    photographs: str | Path,
    crops: Mapping[str, bytes],
    title: str,
    threads: int,
) -> int:
    """Write the page.

    The memory is that of some photographs per thread, however many there are. About 6 kB are written for a photograph
    with its crop, 250 bytes for each beyond the first MOST_PICTURES, which are shown without pictures.

    Args:
        path: the page to write.
        predictions: the table of predictions, TSV.
        photographs: the zip of the photographs that were predicted.
        crops: image_file -> the image that the classifiers saw; empty where they saw the photograph itself.
        title: the name of the photographs.
        threads: threads that decode and encode.

    Returns:
        The number of photographs.

    Raises:
        InputError: the table has other columns, or a cell that is no number where there must be one.
    """
    seen = _Seen()
    with ZipReader(photographs) as archive, write_aside(path) as part, part.open("w", encoding="utf-8") as page:
        pictures = _Pictures(archive, {one.image_file: one for one in reversed(archive.members)}, crops)
        page.write(_head(title))
        page.write('<script type="application/json" id="rows">[')
        for line in map_in_order(pictures.row, _rows(predictions, seen), threads):
            page.write(line)
        page.write(f"\n]</script>\n{_foot(seen)}")
    return seen.rows


@dataclass(frozen=True)
class _Pictures:
    """Where the pictures of a row come from."""

    archive: ZipReader
    members: Mapping[str, Member]
    crops: Mapping[str, bytes]

    def row(self, numbered: tuple[int, dict[str, Any], list[float]]) -> str:
        """The line of JSON of a row, with its pictures if it is among the first."""
        number, row, corners = numbered
        if number < MOST_PICTURES:
            row |= self._pictures(row["image_file"], corners)
        return ("," if number else "") + f"\n{as_data(row)}"

    def _pictures(self, image_file: str, corners: list[float]) -> dict[str, Any]:
        member = self.members.get(image_file)
        data = self.archive.read(member) if member else NO_MEMBER
        try:
            if isinstance(data, UnreadableImage):
                raise data
            found: dict[str, Any] = {"photograph": _thumbnail(data)}
            if corners:
                found["box"] = _percent(corners, image_size(data))
            if image_file in self.crops:
                found["crop"] = _thumbnail(self.crops[image_file])
        except UnreadableImage:
            return {}  # the table has the reason
        return found


def as_data(value: object) -> str:
    """JSON that can stand in a `script` element: ASCII, without what could end the element or open a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _rows(predictions: str | Path, seen: _Seen) -> Iterator[tuple[int, dict[str, Any], list[float]]]:
    """Each row with its number and the corners of its box, if it has one."""
    columns = [*TEXTS, *LISTS, *NUMBERS, *CORNERS, *seen.provenance]
    progress = Progress(Path(predictions).name, None)
    for piece in stream_tsv(predictions, columns):
        for cells in piece.to_pylist():
            for name, values in seen.provenance.items():
                values[cells[name]] = None
            corners = _numbers(predictions, cells, CORNERS)
            seen.rows += 1
            yield seen.rows - 1, _as_row(predictions, cells), [*corners.values()] if len(corners) == 4 else []
            progress.advance()


def _as_row(predictions: str | Path, cells: dict[str, str]) -> dict[str, Any]:
    """The cells as the script reads them; empty ones are left out."""
    texts = {name: cells[name] for name in TEXTS if cells[name]}
    lists = {
        name: [part.strip() for part in cells[column].split(";")] for column, name in LISTS.items() if cells[column]
    }
    numbers = _numbers(predictions, cells, NUMBERS)
    return texts | lists | {name: round(value, 4) for name, value in numbers.items()}


def _numbers(predictions: str | Path, cells: dict[str, str], names: Sequence[str]) -> dict[str, float]:
    """The numbers in the cells of these names that are not empty. Raises InputError."""
    return {name: _number(predictions, cells, name) for name in names if cells[name]}


def _number(predictions: str | Path, cells: dict[str, str], name: str) -> float:
    try:
        value = float(cells[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{predictions}: {name} of {cells['image_file']} is '{cells[name]}', which is no number")
    return value


def _thumbnail(data: bytes) -> str:
    """The image within SIDE pixels, as WebP in base 64. Raises UnreadableImage."""
    small = ImageOps.contain(decode(data, SIDE), (SIDE, SIDE))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode()


def _percent(corners: list[float], size: tuple[int, int]) -> list[float]:
    """Left, top, width and height of a box as shares of the photograph in percent, without what lies outside."""
    x_min, y_min, x_max, y_max = (
        100 * min(max(corner / side, 0), 1) for corner, side in zip(corners, (*size, *size), strict=True)
    )
    return [round(share, 2) for share in (x_min, y_min, x_max - x_min, y_max - y_min)]


def _head(title: str) -> str:
    """All that comes before the rows; the place for the table is filled by the script."""
    columns = "".join(f'<col class="{WIDTHS.get(name, name)}">' for name in HEADINGS)
    headings = "".join(_heading(name, text) for name, text in HEADINGS.items())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>Predictions: {escape(title)}</title>
<style>{_part("page.css")}</style></head>
<body><div class="head"><h1>Predictions: {escape(title)}</h1>
<noscript><p>This page needs JavaScript. predictions.tsv beside it has the same rows.</p></noscript>
<details open><summary>What the words and colours mean</summary>{_legend()}</details></div>
<div class="controls" id="controls"><span id="verdicts"></span>
<select id="taxon" aria-label="taxon"><option value="">all taxa</option></select>
<input type="search" id="search" placeholder="search names, taxa, reasons" aria-label="search">
<button type="button" id="clear">Clear</button>
<button type="button" id="download" disabled></button>
<span class="pages"><span id="status" role="status"></span>
<button type="button" id="previous">Previous</button><button type="button" id="next">Next</button></span></div>
<main><table class="predictions" id="table"><colgroup>{columns}</colgroup>
<thead><tr>{headings}</tr></thead><tbody id="body"></tbody></table>
<p class="none" id="none" hidden>No photograph fits what is chosen above.</p></main>
<datalist id="names"></datalist>
<script type="application/json" id="settings">{as_data({"verdicts": list(MEANINGS), "unlike": UNLIKE})}</script>
"""


def _heading(name: str, text: str) -> str:
    if not name:
        return f"<th><span>{text}</span></th>"
    return f'<th data-sort="{name}"><button type="button" title="sort">{text}</button></th>'


def _legend() -> str:
    badge = '<span class="badge" data-verdict="{0}">{0}</span>'
    entries = {badge.format(name): text for name, text in MEANINGS.items()} | COLUMNS
    described = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in entries.items())
    return f'<dl class="legend">{described}</dl>'


def _foot(seen: _Seen) -> str:
    """What comes after the rows: where they come from, and the script."""
    beyond = seen.rows > MOST_PICTURES
    without = f"<p>The first {MOST_PICTURES:,} of {seen.rows:,} photographs have pictures here.</p>" if beyond else ""
    named = {name: [value for value in values if value] for name, values in seen.provenance.items()}
    provenance = "".join(
        f'<p class="provenance">{name}: {escape(" | ".join(values))}</p>' for name, values in named.items() if values
    )
    return (
        f'<div class="head">{without}{provenance}<p>predictions.tsv beside this page has the same rows.</p></div>\n'
        f"<script>{_part('page.js')}</script>\n</body></html>\n"
    )


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
