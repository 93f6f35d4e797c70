"""The synthetic dataset: deterministic, true to its own boxes, and shaped as the published one."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image, ImageDraw

from bioscan1m.foundation.archives import list_members, read_members
from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.images import decode
from make_demo_data import make_demo_data, replace_unless_edited
from synthetic.body_plans import PLANS
from synthetic.dataset import plan_chunk
from synthetic.polygons import outlines
from synthetic.records import COLUMNS
from synthetic.taxonomy import NOT_CLASSIFIED, RANKS, forms, plan_specimens, taxa
from synthetic.wells import render_well

SETTINGS = {
    "chunks": 2,
    "images_per_chunk": 40,
    "width": 96,
    "seed": 1,
    "annotated_training": 12,
    "annotated_validation": 10,
}


@pytest.fixture(scope="module")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset."""
    folder = tmp_path_factory.mktemp("demo_data")
    make_demo_data(folder, SETTINGS)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a TSV."""
    with path.open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def metadata_of(folder: Path) -> list[dict[str, str]]:
    """The rows of the metadata."""
    return rows_of(folder / "source/BIOSCAN_Insect_Dataset_metadata.tsv")


def test_a_well_depends_on_its_seed_alone():
    first, again, other = (render_well(np.random.default_rng(seed), taxa()[0], (160, 120)) for seed in (1, 1, 2))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.box == again.box
    assert first.image.tobytes() != other.image.tobytes()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32), taxon=st.sampled_from(taxa()), size=st.sampled_from([(80, 60), (160, 120), (320, 240)])
)
def test_the_box_is_the_extent_of_the_specimen_and_lies_in_the_picture(seed, taxon, size):
    well = render_well(np.random.default_rng(seed), taxon, size)
    rows, columns = np.nonzero(well.mask)
    assert well.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert well.image.size == size == well.mask.shape[::-1]


@pytest.mark.parametrize("form", forms())
def test_a_specimen_of_every_form_changes_the_picture_inside_its_box_and_hardly_outside(form):
    taxon = next(taxon for taxon in taxa() if taxon.form == form)
    well, empty = (render_well(np.random.default_rng(5), which, (320, 240)) for which in (taxon, None))
    difference = np.abs(np.asarray(well.image, dtype=int) - np.asarray(empty.image)).sum(axis=2)
    assert difference[well.mask].mean() > 60
    x_min, y_min, x_max, y_max = map(int, well.box)
    difference[y_min - 8 if y_min > 8 else 0 : y_max + 8, x_min - 8 if x_min > 8 else 0 : x_max + 8] = 0
    assert difference.mean() < 12  # the grain of the sensor


def test_an_empty_well_has_no_box():
    well = render_well(np.random.default_rng(1), None, (96, 72))
    assert well.box is None
    assert not well.mask.any()


@given(st_numpy.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_outlines_cover_just_the_mask_and_its_holes(mask):
    drawn = np.zeros(mask.shape, dtype=bool)
    for polygon in outlines(mask):
        picture = Image.new("L", mask.shape[::-1])
        # Pillow fills the pixels that the outline touches: move it to the middles of the pixels at 8 times the size.
        picture = picture.resize((mask.shape[1] * 8, mask.shape[0] * 8))
        ImageDraw.Draw(picture).polygon([value * 8 for value in polygon], fill=255)
        drawn |= np.asarray(picture)[4::8, 4::8] > 0
    assert drawn[mask].all()
    points = np.array([value for polygon in outlines(mask) for value in polygon]).reshape(-1, 2)
    if mask.any():
        rows, columns = np.nonzero(mask)
        assert points.min(axis=0).tolist() == [columns.min(), rows.min()]
        assert points.max(axis=0).tolist() == [columns.max() + 1, rows.max() + 1]


def test_every_form_of_the_table_has_a_body_plan():
    assert set(forms()) == set(PLANS)


@pytest.mark.parametrize("total", [10, 40, 100, 400])
def test_the_plan_of_a_chunk_has_the_size_asked_for(total):
    assert len(plan_specimens(total)) == total


def test_the_counts_have_a_long_tail_that_can_be_learnt_from():
    specimens = plan_specimens(400) * 3
    orders = Counter(taxon.order for taxon in specimens)
    families = Counter(taxon.family for taxon in specimens if taxon.order == "Diptera")
    assert 0.45 < orders["Diptera"] / len(specimens) < 0.55
    assert len(orders) >= 8
    assert len(families) == 7  # six, and not_classified
    for counts in (orders, families):
        assert min(counts.values()) >= 15
        assert max(counts.values()) >= 4 * min(counts.values())


def test_a_chunk_does_not_depend_on_other_chunks_or_processes():
    plans = [plan_chunk(1, chunk, 40) for chunk in (1, 2)]
    assert plans[0] == plan_chunk(1, 1, 40)
    assert [well.taxon for well in plans[0]] != [well.taxon for well in plans[1]]


def test_the_columns_are_those_of_the_source():
    names = "sampleid processid uri name phylum class order family subfamily tribe genus species subspecies nucraw"
    assert " ".join(COLUMNS) == f"{names} image_file chunk_number"


def test_the_metadata_has_the_published_columns_and_one_row_per_image(demo_data):
    rows = metadata_of(demo_data)
    assert tuple(rows[0]) == COLUMNS
    for column in ("image_file", "sampleid", "processid"):
        assert len({row[column] for row in rows}) == len(rows)
    members = [
        (str(chunk), member.image_file)
        for chunk in (1, 2)
        for member in list_members(demo_data / f"source/bioscan_images_original_full_part{chunk}.zip")
    ]
    assert [(row["chunk_number"], row["image_file"]) for row in rows] == members


def test_a_bin_has_one_taxonomy_and_similar_barcodes(demo_data):
    barcodes, names = defaultdict(list), defaultdict(set)
    for row in metadata_of(demo_data):
        barcodes[row["uri"]].append(np.array(list(row["nucraw"])))
        names[row["uri"]].add((row["name"], *(row[rank] for rank in RANKS)))
    assert all(len(found) == 1 for found in names.values())
    within = [np.mean(a != b) for group in barcodes.values() for a, b in pairwise(group)]
    between = [np.mean(a[0] != b[0]) for a in barcodes.values() for b in barcodes.values() if a is not b]
    assert {len(barcode) for group in barcodes.values() for barcode in group} == {658}
    assert max(within) < 0.02 < min(between)


def test_gaps_lie_below_the_order_and_reach_all_finer_ranks():
    assert all(taxon.order != NOT_CLASSIFIED for taxon in taxa())
    for rank in RANKS[1:]:
        assert {NOT_CLASSIFIED} < {getattr(taxon, rank) for taxon in taxa()}
    for taxon in taxa():
        assert taxon.name in {getattr(taxon, rank) for rank in RANKS} - {NOT_CLASSIFIED}


def test_just_two_files_are_bad_one_cut_off_and_one_no_image(demo_data):
    reasons = []
    for chunk in (1, 2):
        for member, data in read_members(demo_data / f"source/bioscan_images_original_full_part{chunk}.zip"):
            assert member.name == f"part{chunk}/{member.image_file}"
            try:
                assert decode(data).size == (96, 72)
            except UnreadableImage as error:
                reasons.append(str(error))
    assert len(reasons) == 2
    assert "truncated" in reasons[0]
    assert "not an image" in reasons[1]


def test_the_true_boxes_are_written_for_all_but_empty_wells_and_bad_files(demo_data):
    truth = rows_of(demo_data / "source/truth.tsv")
    assert [row["image_file"] for row in truth] == [row["image_file"] for row in metadata_of(demo_data)]
    assert sum(row["x_min"] == "" for row in truth) == 4  # one empty well and one bad file in each chunk


@pytest.mark.parametrize(("role", "images"), [("training", 12), ("validation", 10)])
def test_annotations_are_clean_coco(demo_data, role, images):
    coco = json.loads((demo_data / f"source/annotated_{role}.json").read_text())
    names = {member.image_file for member in list_members(demo_data / f"source/annotated_{role}.zip")}
    assert {image["file_name"] for image in coco["images"]} == names
    assert len(names) == images
    assert len(coco["annotations"]) == images - 1  # one empty well
    for annotation in coco["annotations"]:
        points = np.array([value for polygon in annotation["segmentation"] for value in polygon]).reshape(-1, 2)
        x, y, width, height = annotation["bbox"]
        assert [*points.min(axis=0), *points.max(axis=0)] == [x, y, x + width, y + height]
        assert 0 < annotation["area"] <= width * height


def test_the_same_settings_give_the_same_bytes_and_a_second_call_does_nothing(demo_data, tmp_path, caplog):
    chunks = [f"source/bioscan_images_original_full_part{chunk}.zip" for chunk in (1, 2)]
    before = {path: path.stat().st_mtime_ns for path in demo_data.rglob("*.*")}
    with caplog.at_level("INFO"):
        make_demo_data(demo_data, SETTINGS)
    assert "nothing to do" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in demo_data.rglob("*.*")} == before
    make_demo_data(tmp_path, {**SETTINGS, "chunks": 3})
    assert all((tmp_path / chunk).read_bytes() == (demo_data / chunk).read_bytes() for chunk in chunks)


def test_the_manifest_points_to_the_chunks(demo_data):
    rows = rows_of(demo_data / "chunks.tsv")
    assert [row["chunk"] for row in rows] == ["1", "2"]
    for row in rows:
        path = demo_data / f"source/bioscan_images_original_full_part{row['chunk']}.zip"
        assert row["source"] == path.resolve().as_uri()
        assert int(row["bytes"]) == path.stat().st_size
        assert row["checksum"].startswith("sha256:")


def test_a_damaged_file_is_made_again(demo_data):
    zipped = demo_data / "source/annotated_training.zip"
    good = zipped.read_bytes()
    zipped.write_bytes(good[:100])
    make_demo_data(demo_data, SETTINGS)
    assert zipped.read_bytes() == good


def test_an_edited_manifest_or_config_is_used_and_an_old_copy_is_replaced(demo_data, tmp_path, caplog):
    path = tmp_path / "config.yaml"
    for text in ("old", "new"):
        replace_unless_edited(path, text)
        assert path.read_text() == text
    path.write_text("edited")
    for text in ("newer", "newest"):
        replace_unless_edited(path, text)
        assert path.read_text() == "edited" and "was edited" in caplog.text
    path.unlink()
    replace_unless_edited(path, "newer")
    assert path.read_text() == "newer"
    (tmp_path / "source/config.yaml").write_text("killed before this was written")
    replace_unless_edited(path, "newer")
    (tmp_path / "source/config.yaml").unlink()
    replace_unless_edited(path, "newest")
    assert path.read_text() == "newest" and (tmp_path / "config.yaml.before").read_text() == "newer"
    manifest = demo_data / "chunks.tsv"
    before = manifest.read_text()
    manifest.write_text(before.rpartition("2\t")[0])
    edited = manifest.read_text()
    make_demo_data(demo_data, SETTINGS)
    assert manifest.read_text() == edited
    manifest.unlink()
    make_demo_data(demo_data, SETTINGS)
    assert manifest.read_text() == before
