"""Labels in doubt are listed beside the name that they resemble, and other names are not."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.metadata.suspicions import FEW_IMAGES, find_suspicions
from bioscan1m.metadata.table import NOT_CLASSIFIED


@pytest.mark.parametrize(
    ("name", "other", "reason"),
    [
        ("diptera", "Diptera", "upper and lower case"),
        ("Apis\u00a0mellifera", "Apis mellifera", "white space"),
        ("Apis  mellifera", "Apis mellifera", "white space"),
        (" Apis", "Apis", "white space"),
        ("Dip\u00adtera", "Diptera", "white space"),
        ("Ka\u0308fer", "Käfer", "Unicode form"),
        ("ﬁg", "fig", "Unicode form"),
        ("Apis_mellifera", "Apis mellifera", "separators"),
        ("1", "001", "the same number"),
        ("1.0", "1", "the same number"),
        ("1e5", "100000", "the same number"),
        ("Diptra", "Diptera", "one letter"),
        ("Dipttera", "Diptera", "one letter"),
        ("Dipetra", "Diptera", "one letter"),
        ("Rombus", "Bombus", "one letter"),
        ("Apis melifera", "Apis mellifera", "one letter"),
        ("KÃ¤fer", "Käfer", "letters of a wrong encoding"),
        ("Apidae?", "Apidae", "an uncertain identification"),
        ("Apidae ?", "Apidae", "an uncertain identification"),
        ("?Apidae", "Apidae", "an uncertain identification"),
        ("Apis cf. mellifera", "Apis mellifera", "an uncertain identification"),
        ("Apis aff. mellifera", "Apis mellifera", "an uncertain identification"),
        ("NA", NOT_CLASSIFIED, "may stand for no label"),
        ("#N/A", NOT_CLASSIFIED, "may stand for no label"),
        ("???", NOT_CLASSIFIED, "may stand for no label"),
        ("Not Classified", NOT_CLASSIFIED, "may stand for no label"),
    ],
)
def test_a_name_in_doubt_is_listed_beside_what_it_resembles(name, other, reason):
    (found,) = find_suspicions({name: 2, other: 30, "Hymenoptera": 12})
    assert (found.name, found.images, found.resembles, found.its_images, found.reason) == (name, 2, other, 30, reason)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Phora sp. 12", "Phora sp. 13"),
        ("Phora sp. A", "Phora sp. B"),
        ("BOLD:AAA1234", "BOLD:AAA1235"),
        ("ant", "art"),
        ("1", "10"),
        ("1_000", "1000"),
        ("True", "1"),
        ("inf", "1e999"),
        ("Nabis", "Nabicula"),
        ("Cfaffa", "Affinia"),
    ],
)
def test_other_names_are_none(one, other):
    assert [found.reason for found in find_suspicions({one: 2, other: 30}) if found.resembles == other] == []


def test_a_name_with_many_images_is_no_slip():
    assert find_suspicions({"Aphis fabae": FEW_IMAGES + 1, "Aphis fabaa": 900}) == []


names = st.text("abcdeABCDE", min_size=8, max_size=12)


@given(name=names, data=st.data())
def test_every_other_way_of_writing_a_name_is_found(name, data):
    blank = data.draw(st.sampled_from(["  ", "\u00a0", "\u2009", " \t"]))
    place = data.draw(st.integers(1, len(name) - 1))
    images = {f"{name[:place]} {name[place:]}": 30, f"{name[:place]}{blank}{name[place:]}": 2, f"{name} x": 9}
    assert {one.reason for one in find_suspicions(images)} >= {"white space"}
    assert {one.reason for one in find_suspicions({name: 30, name.swapcase(): 2})} == {"upper and lower case"}
    shorter = name[:place] + name[place + 1 :]
    found = find_suspicions({name: 30, shorter: 1})
    assert [(one.name, one.resembles, one.reason) for one in found] == [(shorter, name, "one letter")]


@pytest.mark.parametrize(
    "code",
    [
        lambda draw: (
            "BOLD:" + "".join(draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=3)) + f"{draw.randrange(10_000):04}"
        ),
        lambda draw: f"BIOUG{draw.randrange(100_000):05}-{draw.choice('ABCDEFGH')}{draw.randrange(1, 13):02}",
        lambda draw: "".join(draw.choices("0123456789abcdef", k=8)),
        lambda draw: f"Chironomidae sp. {draw.choice('ABCDEF')}{draw.choice('ABCDEF')}C{draw.randrange(100)}",
    ],
)
def test_random_codes_with_digits_are_no_slips(code):
    draw = random.Random(0)
    codes = {name: 1 for name in (code(draw) for _ in range(5000)) if any(map(str.isdigit, name))}
    assert [found.name for found in find_suspicions(codes) if found.reason == "one letter"] == []


def test_ten_thousand_names_take_seconds():
    letters = random.Random(0)
    words = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(500)]
    species = {f"{genus.capitalize()} {word}": 1 for genus in words[:22] for word in words}
    codes = {f"BOLD:AAA{number:04}": 1 for number in range(10_000)}
    start = time.process_time()
    assert len(species) > 10_952 - 500 and len(find_suspicions(species)) + len(find_suspicions(codes)) == 0
    assert time.process_time() - start < 20
