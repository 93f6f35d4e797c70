"""Tables of other people are read as they meant them, or refused with the row and what to do."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.chart import BarChart

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.name_matching import match_names
from bioscan1m.foundation.user_tables import Dialect, read_user_table
from bioscan1m.plan.own_images import plan_chunks
from bioscan1m.plan.own_labels import read_labels, write_own_metadata
from write_manifest import experiments_of

CASES = Path(__file__).parents[2] / "cases"
COLUMNS = ["image_file", "order", "Fundort, Land"]
ROWS = [["a.jpg", "Diptera", "Zürich"], ["b.jpg", "001", "NA"], ["c.jpg", "True", "1,5"]]
SNIFFED = Dialect()


def cells(path: Path, dialect: Dialect = SNIFFED) -> list[list[str]]:
    table = read_user_table(path, dialect)
    return [table.columns, *(list(row.values()) for _, row in table.rows)]


def written(path: Path, delimiter: str, line_end: str, encoding: str) -> Path:
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in row] for row in [COLUMNS, *ROWS]]
    path.write_bytes("".join(delimiter.join(row) + line_end for row in quoted).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", ["\t", ";", ",", "|"])
def test_every_dialect_gives_the_same_text(tmp_path, delimiter, line_end, encoding, caplog):
    caplog.set_level("INFO")
    assert cells(written(tmp_path / "labels.csv", delimiter, line_end, encoding)) == [COLUMNS, *ROWS]
    assert "read as" in caplog.text and "separated by" in caplog.text


@pytest.mark.parametrize(("stated", "encoding"), [("utf-8", "utf-8-sig"), ("utf-16-le", "utf-16"), ("UTF8", "utf-8")])
def test_a_byte_order_mark_is_no_letter_of_the_first_name_where_the_encoding_is_stated(tmp_path, stated, encoding):
    path = written(tmp_path / "labels.csv", ";", "\n", encoding)
    assert cells(path, Dialect(encoding=stated)) == [COLUMNS, *ROWS]


def test_a_workbook_gives_text_as_it_is_shown(tmp_path, caplog):
    workbook = openpyxl.Workbook()
    for row in [COLUMNS, ["a.jpg", 1, None], ["b.jpg", "001", 2.5], [None, None, None], ["c.jpg", True, "NA"]]:
        workbook.active.append(row)
    workbook.create_sheet("notes").append(["of the curator"])
    workbook.save(tmp_path / "labels.xlsx")
    expected = [COLUMNS, ["a.jpg", "1", ""], ["b.jpg", "001", "2.5"], ["c.jpg", "True", "NA"]]
    assert cells(tmp_path / "labels.xlsx") == expected
    assert "only the sheet Sheet is read, of Sheet, notes" in caplog.text


def test_a_hidden_sheet_is_no_table_where_another_one_is(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(["Apidae"])
    workbook.active.sheet_state = "hidden"
    shown = workbook.create_sheet("data")
    for row in [COLUMNS, *ROWS]:
        shown.append(row)
    workbook.active = shown
    workbook.save(tmp_path / "labels.xlsx")
    assert cells(tmp_path / "labels.xlsx") == [COLUMNS, *ROWS]


def test_a_number_of_a_workbook_keeps_the_leading_zeros_that_it_is_shown_with(tmp_path):
    workbook = openpyxl.Workbook()
    for row in [["image_file", "sampleid"], [7, 123456], [12.0, -5]]:
        workbook.active.append(row)
    for cell in ("A2", "A3", "B2"):
        workbook.active[cell].number_format = "0000"
    workbook.save(tmp_path / "labels.xlsx")
    assert cells(tmp_path / "labels.xlsx")[1:] == [["0007", "123456"], ["0012", "-5"]]


def test_a_separator_that_excel_was_told_is_taken(tmp_path):
    (tmp_path / "labels.csv").write_text("sep=;\nimage_file;order\na.jpg;x,y\n")
    assert cells(tmp_path / "labels.csv") == [["image_file", "order"], ["a.jpg", "x,y"]]


def test_cells_that_are_missing_or_empty_at_the_end_change_nothing(tmp_path):
    (tmp_path / "labels.tsv").write_text("image_file\torder\t\t\na.jpg\n\nb.jpg\tx\t\t\t\n")
    assert cells(tmp_path / "labels.tsv") == [["image_file", "order"], ["a.jpg", ""], ["b.jpg", "x"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_title_above_the_header_is_left_out_and_logged(tmp_path, delimiter, caplog):
    rows = ["Collection 2024", "", "image_file,order", "a.jpg,x", "b.jpg,y", "c.jpg"]
    (tmp_path / "labels.csv").write_text("\n".join(rows).replace(",", delimiter))
    assert cells(tmp_path / "labels.csv") == [["image_file", "order"], ["a.jpg", "x"], ["b.jpg", "y"], ["c.jpg", ""]]
    assert "row 1, 'Collection 2024', is a title above the header and is left out" in caplog.text
    assert [number for number, _ in read_user_table(tmp_path / "labels.csv", SNIFFED).rows] == [4, 5, 6]


def test_a_title_with_delimiters_is_refused_with_the_remedy(tmp_path):
    rows = ["Collection, of 2024", "image_file,order,family", *(f"{name}.jpg,x,y" for name in "abcd")]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    with pytest.raises(InputError, match=r"5 of 5 rows have values beyond the 2 columns .*remove what is above these"):
        read_user_table(tmp_path / "labels.csv", SNIFFED)


def test_a_table_of_one_column_has_no_title(tmp_path):
    (tmp_path / "labels.csv").write_text("image_file\na.jpg\nb.jpg\n")
    assert cells(tmp_path / "labels.csv") == [["image_file"], ["a.jpg"], ["b.jpg"]]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "the table is empty"),
        (b"image_file\torder\n", "a header, image_file, order, and no row"),
        (b"image_file\t\torder\na\tb\tc\n", "row 1: column 2 has no name"),
        (b"image_file\torder\na\tb\tc\td\ne\tf\tg\n", "row 2 has 4 cells, 'c' .*; row 3 has 3 cells"),
        (b'image_file,order\na.jpg,"x\nb.jpg,y\n', "row 2: a quote is not closed"),
        (b"image_file\0\0order", "no text"),
    ],
)
def test_what_is_no_table_is_refused_with_its_rows(tmp_path, data, fault):
    (tmp_path / "labels.tsv").write_bytes(data)
    with pytest.raises(InputError, match=f"labels.tsv.*{fault}"):
        read_user_table(tmp_path / "labels.tsv", SNIFFED)


@pytest.mark.parametrize("stated", ["A1", "A1:B2", "A1:A4"])
def test_a_workbook_is_read_whole_though_it_states_fewer_cells_than_it_has(tmp_path, stated):
    workbook = openpyxl.Workbook()
    for row in [COLUMNS, *ROWS]:
        workbook.active.append(row)
    workbook.save(tmp_path / "made.xlsx")
    with zipfile.ZipFile(tmp_path / "made.xlsx") as made, zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as changed:
        for name in made.namelist():
            text = re.sub(rb'(<dimension ref=")[^"]*', rb"\g<1>" + stated.encode(), made.read(name))
            changed.writestr(name, text)
    assert cells(tmp_path / "labels.xlsx") == [COLUMNS, *ROWS]


def test_empty_cells_at_the_end_of_a_row_of_a_workbook_are_no_finding(tmp_path, caplog):
    workbook = openpyxl.Workbook()
    for row in [["image_file", "family"], ["a.jpg"], ["b.jpg", "Apidae"]]:
        workbook.active.append(row)
    workbook.save(tmp_path / "labels.xlsx")
    assert cells(tmp_path / "labels.xlsx")[1:] == [["a.jpg", ""], ["b.jpg", "Apidae"]]
    assert "fewer cells" not in caplog.text


def test_merged_cells_are_refused_for_only_the_first_of_them_has_the_value(tmp_path):
    workbook = openpyxl.Workbook()
    for row in [["image_file", "family", "notes"], ["a.jpg", "Apidae"], ["b.jpg"], ["c.jpg", "Vespidae"]]:
        workbook.active.append(row)
    workbook.active.merge_cells("C2:C4")  # without a value: a matter of looks
    workbook.save(tmp_path / "labels.xlsx")
    assert len(cells(tmp_path / "labels.xlsx")) == 4
    workbook.active.append([])
    workbook.active["A5"] = "a title, which here is a row"
    workbook.active.merge_cells("A5:C5")
    workbook.save(tmp_path / "labels.xlsx")
    assert cells(tmp_path / "labels.xlsx")[4] == ["a title, which here is a row", "", ""]
    workbook.active.merge_cells("B2:B3")
    workbook.save(tmp_path / "labels.xlsx")
    with pytest.raises(InputError, match=r"labels\.xlsx: cells B2:B3 are merged; unmerge them"):
        read_user_table(tmp_path / "labels.xlsx", SNIFFED)


def test_a_workbook_with_merged_cells_and_a_drawing_that_is_gone_is_refused(tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(COLUMNS)
    workbook.active.merge_cells("B2:B3")
    workbook.active.add_chart(BarChart(), "D5")
    workbook.save(tmp_path / "made.xlsx")
    with zipfile.ZipFile(tmp_path / "made.xlsx") as made, zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as changed:
        for name in made.namelist():
            if not name.startswith("xl/drawings/drawing"):
                changed.writestr(name, made.read(name))
    with pytest.raises(InputError, match=r"labels\.xlsx: no Excel workbook .*drawing1.*save the table as"):
        read_user_table(tmp_path / "labels.xlsx", SNIFFED)


def test_a_damaged_workbook_is_refused(tmp_path):
    (tmp_path / "labels.xlsx").write_bytes(b"PK no workbook")
    with pytest.raises(InputError, match="no Excel workbook"):
        read_user_table(tmp_path / "labels.xlsx", SNIFFED)


def test_the_case_of_gbif_names_the_row_and_is_read_where_quotes_are_data():
    path = CASES / "labels_gbif_quotes.tsv"
    with pytest.raises(InputError, match=r"row [23]: a quote is not closed.*--quotes data"):
        read_user_table(path, SNIFFED)
    rows = cells(path, Dialect(quotes_enclose=False))
    assert rows[1][2] == '"Candidatus Pelagibacter" Rappé, 2002' and rows[2][2] == '"Teich bei Wald'


def test_the_case_with_line_ends_of_old_macs_is_read():
    assert cells(CASES / "labels_cr_only.tsv") == [
        ["image_file", "order"],
        ["a.jpg", "Diptera"],
        ["b.jpg", "Coleoptera"],
    ]


def test_na_in_a_rank_is_no_taxon_and_counted_and_elsewhere_a_name(caplog):
    labels = read_labels(CASES / "labels_from_r.tsv", "image_file")
    orders = [row["order"] for _, row in labels.rows]
    assert "NA" not in orders and orders.count("") > 0
    assert f"{orders.count('')} of {len(orders)} rows have no order (NA)" in caplog.text
    kinds = read_labels(CASES / "labels_with_sampleid.tsv", "image_file", ["kind"])
    assert {"NA", "None", "001", "1"} <= {row["kind"] for _, row in kinds.rows}
    stated = read_labels(CASES / "labels_with_sampleid.tsv", "image_file", ["kind"], missing=["NA"])
    assert {row["kind"] for _, row in stated.rows} >= {"", "None"}


def test_experiments_of_one_name_are_refused_with_both_columns():
    columns = read_user_table(CASES / "labels_same_experiment_name.tsv", SNIFFED).columns
    with pytest.raises(InputError, match="'by rank' and 'by_rank' both give the experiment by_by_rank"):
        experiments_of(columns[1:])


def test_all_columns_of_the_table_are_kept(tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(1, 6):
        (photographs / f"img_{number:03}.jpg").write_bytes(b"x")
    labels = read_labels(CASES / "labels_with_sampleid.tsv", "image_file", ["family"])
    write_own_metadata(plan_chunks([photographs], 100), labels, tmp_path)
    metadata = read_user_table(tmp_path / "metadata.tsv", SNIFFED)
    assert [row["sampleid"] for _, row in metadata.rows] == ["S0", "S1", "S1", "S2", "S2"]
    assert {row["kind"] for _, row in metadata.rows} == {"NA"}


def test_the_case_without_suffixes_matches_and_it_is_logged(caplog):
    caplog.set_level("INFO")
    table = read_labels(CASES / "labels_without_suffix.tsv", "processid")
    found = match_names(table.path, ["BIOUG1.jpg", "x/BIOUG2.JPG"], table.rows)
    assert found["BIOUG1.jpg"]["order"] == "Diptera"
    assert "1 rows found by name without suffix" in caplog.text


@pytest.mark.parametrize(
    ("image", "name", "words"),
    [
        ("ants/a.jpg", "a.jpg", "1 rows found by name"),
        ("a.jpg", "C:/photographs/a.jpg", "1 rows found by name"),
        ("K\u00e4fer.jpg", "Ka\u0308fer.jpg", "another Unicode form"),
        ("IMG_1.JPG", "img_1.jpg", "upper and lower case"),
        ("IMG_1.JPG", "img_1", "without suffix"),
        ("a.jpg", "a.tif", "without suffix"),
    ],
)
def test_names_are_compared_from_strict_to_lenient(image, name, words, caplog):
    caplog.set_level("INFO")
    assert match_names(Path("labels.tsv"), [image, "other.jpg"], [(name, 1), ("none.jpg", 2)]) == {image: 1}
    assert words in caplog.text


def test_a_strict_match_is_never_given_up_for_a_lenient_one():
    rows = [("a.JPG", "upper"), ("a.jpg", "lower")]
    assert match_names(Path("t"), ["a.jpg", "a.JPG"], rows) == {"a.jpg": "lower", "a.JPG": "upper"}


def test_what_is_ambiguous_is_refused_with_both_names():
    with pytest.raises(InputError, match=r"two rows name the same image, IMG\.jpg: 'img\.jpg' and 'Img\.jpg'"):
        match_names(Path("t"), ["IMG.jpg"], [("img.jpg", 1), ("Img.jpg", 2)])
    with pytest.raises(InputError, match=r"'a' is the name of two images, a\.jpg and a\.png"):
        match_names(Path("t"), ["a.jpg", "a.png"], [("a", 1)])
    with pytest.raises(InputError, match=r"no row names an image. Rows: x, y; images: a\.jpg"):
        match_names(Path("t"), ["a.jpg"], [("x", 1), ("y", 2)])


names = st.text("aAbB\u00e4._ ", min_size=1, max_size=4).map(lambda name: f"{name}.jpg")


@settings(deadline=None)
@given(images=st.lists(names, unique=True, min_size=1), data=st.data())
def test_every_image_whose_name_a_row_has_gets_that_row(images, data):
    named = data.draw(st.lists(st.sampled_from(images), unique=True, min_size=1))
    assert match_names(Path("t"), images, [(name, name) for name in named]).items() >= {(name, name) for name in named}


@pytest.mark.parametrize(
    ("lines", "row"),
    [
        (["image_file,note,order", 'a.jpg,"5,Diptera', "b.jpg,ok,Diptera", 'c.jpg,5",Coleoptera', "d.jpg,x,x"], 2),
        (["image_file,note,order", 'a.jpg,"5,Diptera', "b.jpg,ok", 'c.jpg,5",Coleoptera'], 2),
        (["", "image_file,order", 'a.jpg,"Dip', "", 'c.jpg,Dip"'], 3),
        (["image_file;note;order", "z.jpg;x;y", 'a.jpg;"5;Diptera', 'c.jpg;5";Coleoptera'], 3),
        (["image_file\torder\t", 'a.jpg\t"Diptera\t', "b.jpg\tDiptera\t", 'c.jpg\tDiptera"\t'], 2),
        (["image_file,order", '"a.jpg,Diptera', 'b.jpg",Diptera'], 2),
        (["Collection", "image_file,order", '"a.jpg,Diptera', 'b.jpg",Diptera'], 3),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_two_stray_quotes_swallow_no_rows(tmp_path, lines, row, line_end):
    (tmp_path / "labels.csv").write_bytes(line_end.join([*lines, ""]).encode())
    with pytest.raises(InputError, match=rf"labels.csv: row {row}: .* is one cell in quotes.*--quotes data"):
        read_user_table(tmp_path / "labels.csv", SNIFFED)


def test_line_ends_and_tabs_in_cells_become_blanks_and_are_counted_once(tmp_path, caplog):
    text = 'image_file,order,note\na.jpg,"Dip\ntera","one, two\r\n three"\nb.jpg,Dip\ttera,"\nx\n"\n'
    (tmp_path / "labels.csv").write_bytes(text.encode())
    assert cells(tmp_path / "labels.csv")[1:] == [["a.jpg", "Dip tera", "one, two three"], ["b.jpg", "Dip tera", "x"]]
    assert [one for one in caplog.messages if "line ends" in one] == [
        f"{tmp_path / 'labels.csv'}: 3 cells have line ends or tabs, the first is in row 2; each is read as a blank"
    ]


def workbook_with_formulas(path: Path, cached: bytes) -> Path:
    """A workbook with formulas in C2 and C3, of which that in C3 has a value."""
    made = io.BytesIO()
    workbook = openpyxl.Workbook()
    for row in [["image_file", "note", "order"], ["a.jpg", 1, '="Dip"&"tera"'], ["b.jpg", None, "=D1"]]:
        workbook.active.append(row)
    workbook.save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b'"C3"><f>D1</f><v />', b'"C3" t="str"><f>D1</f>' + cached))
    return path


@pytest.mark.parametrize("cached", [b"<v></v>", b"<v>Diptera</v>"])
def test_formulas_without_values_are_refused_by_cell(tmp_path, cached):
    path = workbook_with_formulas(tmp_path / "labels.xlsx", cached)
    with pytest.raises(InputError, match=r"cell C2: the formula there has no value in the file; open") as raised:
        read_user_table(path, SNIFFED)
    assert "C3" not in str(raised.value)
