"""The benchmarks' measuring: figures of real work in processes of their own, one table, and a file for each suite."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark import harness
from benchmark.__main__ import run_suite
from benchmark.harness import (
    Scaling,
    Stage,
    Timed,
    cores,
    header,
    row,
    run_stages,
    scaling_header,
    scaling_row,
    summarise,
)

MEBIBYTE = 2**20
HELD_MEBIBYTES = 300


def prepare(folder: Path, share: float = 1) -> None:
    """Write how many units there are."""
    (folder / "units").write_text(str(int(8 * share)))


def stages() -> list[Stage]:
    """One that scales and has all variants, one with ours alone."""
    variants = {"ours": eightfold, "reference": hundredfold, "limit": partial(once, "!")}
    return [Stage("hash", variants, "units", scales=True), Stage("hold", {"ours": holding}, "blocks")]


def further(folder: Path) -> dict[str, object]:
    """One more figure."""
    return {"units_written": int((folder / "units").read_text())}


def eightfold(folder: Path) -> Callable[[], int]:
    """Hashes each unit eight times."""
    return partial(hash_units, folder, 8)


def hundredfold(folder: Path) -> Callable[[], int]:
    """Hashes each unit a hundred times."""
    return partial(hash_units, folder, 100)


def once(_: str, folder: Path) -> Callable[[], int]:
    """Hashes each unit once."""
    return partial(hash_units, folder, 1)


def hash_units(folder: Path, times: int) -> int:
    """Hash each so many times."""
    units = int((folder / "units").read_text())
    for _ in range(units * times):
        sha256(bytes(MEBIBYTE))
    return units


def holding(_: Path) -> Callable[[], int]:
    """Holds memory."""
    return lambda: len(bytearray(os.urandom(MEBIBYTE) * HELD_MEBIBYTES)) // MEBIBYTE


def failing(_: Path) -> Callable[[], int]:
    """Cannot be prepared."""
    raise ValueError("nothing to measure")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What a run of this suite gives."""
    path = tmp_path_factory.mktemp("bench") / "waiting.json"
    suite = SimpleNamespace(prepare=prepare, stages=stages, further=further)
    scaled, said = run_suite(path, suite, rounds=1)
    return SimpleNamespace(scaled=scaled, said=said, written=json.loads(path.read_text()))


def test_who_does_less_work_for_a_unit_has_the_higher_rate(measured) -> None:
    rates = {variant: timed["rate"] for variant, timed in measured.written["stages"]["hash"].items()}
    assert rates["reference"] < rates["ours"] < rates["limit"]


def test_peak_memory_is_that_of_the_variants_own_process(measured) -> None:
    peak = {stage: variants["ours"]["peak_memory_bytes"] for stage, variants in measured.written["stages"].items()}
    assert peak["hold"] > 2 * HELD_MEBIBYTES * MEBIBYTE > peak["hash"] > 5 * MEBIBYTE


def test_a_stage_that_scales_is_measured_on_one_core_and_on_a_quarter_of_the_data(measured) -> None:
    scaling, written = measured.scaled["hash"], measured.written["scaling"]["hash"]
    assert list(measured.scaled) == ["hash"]
    assert scaling.all_cores == pytest.approx(measured.written["stages"]["hash"]["ours"]["rate"], abs=1e-3)
    assert len({scaling.one_core, scaling.all_cores, scaling.quarter}) == 3
    assert (written["slope"], written["speedup"]) == (scaling.slope, scaling.speedup)


def test_the_file_describes_the_machine_and_the_source(measured) -> None:
    written = measured.written
    assert written["machine"]["cores"] == cores() and written["machine"]["cpu"] and written["machine"]["python"]
    assert written["software"]["numpy"] and "commit" in written["source"] and written["measured"]
    assert written["units_written"] == 8


def test_below_the_table_stands_what_reference_and_limit_are(measured) -> None:
    assert measured.said == [
        "hash, reference: Hashes each unit a hundred times.",
        "hash, limit: Hashes each unit once.",
        "units written: 8",
    ]


def test_a_row_has_rates_ratios_and_memory_under_their_headings() -> None:
    timed = {"ours": Timed("", 3000.0, 2 * 10**9, 3), "limit": Timed("", 4000.0, 5 * 10**8, 3)}
    line = row(Stage("pack", {}, "files"), timed)
    assert line.split() == ["pack", "(files)", "3,000", "-", "4,000", "-", "0.75", "2", "-", "0.5"]
    assert len(line) == len(header()) and header().split()[-2:] == ["limit", "GB"]


@pytest.mark.parametrize(("quarter", "slope"), [(100.0, 1.0), (200.0, 1.5), (400.0, 2.0)])
def test_the_slope_is_the_exponent_of_the_time(quarter: float, slope: float) -> None:
    scaling = Scaling(one_core=50.0, all_cores=100.0, quarter=quarter)
    assert scaling.slope == pytest.approx(slope)
    assert scaling_row("crop", scaling).split() == ["crop", "50", "100", "2", f"{slope:.2f}"]
    assert len(scaling_row("crop", scaling)) == len(scaling_header())


def test_figures_are_medians_of_the_rounds_and_the_largest_peak() -> None:
    assert summarise(eightfold, [(10, 7), (90, 9), (20, 8)]) == Timed("Hashes each unit eight times.", 20, 9, 3)


def test_a_long_stage_has_fewer_rounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepare(tmp_path)
    stage = Stage("hash", {"limit": eightfold, "ours": eightfold})
    assert run_stages([stage], tmp_path, 2)["hash"]["ours"].rounds == 2
    monkeypatch.setattr(harness, "SECONDS_PER_STAGE", 0.01)  # a new process takes longer
    assert run_stages([stage], tmp_path, 2)["hash"]["ours"].rounds == 1


def test_a_variant_that_fails_ends_the_run(tmp_path) -> None:
    with pytest.raises(SystemExit, match="failing"):
        run_stages([Stage("none", {"ours": failing})], tmp_path, 1)
