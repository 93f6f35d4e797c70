"""Whatever is done to one file of a run, its records or its ledger, the audit names that file."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bioscan1m.audit.findings import audit
from bioscan1m.foundation.digests import describe_files
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.ledger import HEAD, LEDGER
from bioscan1m.jobs.records import RECORDS, write_record
from seal_records import seal_records

CHANGES = 200
UNHARMED = {"intact", "stale", "superseded"}


def run_job(rule: str, part: int, inputs: list[str], outputs: list[str], day: int) -> None:
    """Write the outputs of a job, which depend on the day, and its record."""
    for path in outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(random.Random(f"{path} {day}").randbytes(300))
    content = {
        "rule": rule,
        "wildcards": {"chunk": str(part)},
        "inputs": describe_files(inputs),
        "outputs": describe_files(outputs),
        "parameters": {"crop": {"ratio": 1.4}},
        "code": code_digest(rule),
        "started": f"2026-01-{day:02}T10:00:00+00:00",
        "ended": f"2026-01-{day:02}T10:00:01+00:00",
    }
    write_record(Path(RECORDS) / rule / f"part{part}.json", content)


@pytest.fixture(scope="module")
def sealed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two jobs for each of four chunks, run on two days, sealed after each; `older/` has the files of the first day."""
    run, start = tmp_path_factory.mktemp("run with Ä"), Path.cwd()
    os.chdir(run)
    try:
        for day in (1, 2):
            for part in range(4):
                chunk, crops = f"data/chunks/part{part}.zip", f"results/cropped/part{part}.zip"
                run_job("fetch_chunk", part, [], [chunk], day)
                run_job("crop_chunk", part, [chunk], [crops, f"results/quarantine/crop/part{part}.tsv"], day)
            seal_records(HEAD, None)
            if day == 1:
                for folder in ("data", "results"):
                    shutil.copytree(folder, Path("older") / folder)
        assert {finding.state for finding in audit(".")} == {"intact"}
    finally:
        os.chdir(start)
    return run


def change_byte(path: Path, _: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def truncate(path: Path, _: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def swap(path: Path, other: Path, _: random.Random) -> None:
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)


def put_back(path: Path, _: Path, __: random.Random) -> None:
    shutil.copy(Path("older") / path, path)


def delete(path: Path, _: Path, __: random.Random) -> None:
    path.unlink()


def edit(path: Path, _: Path, chance: random.Random) -> None:
    """Change one value of a record, as one would who wants it to say something else."""
    content = json.loads(path.read_text())
    key = chance.choice(["rule", "code", "started", "ended", "digest"])
    content[key] = content[key][:-1] + chance.choice("0123456789")
    content["parameters"]["crop"]["ratio"] += chance.random()
    path.write_text(json.dumps(content, indent=2))


CHANGERS: tuple[Callable[[Path, Path, random.Random], None], ...] = (change_byte, truncate, swap, put_back, delete)


@pytest.mark.parametrize("seed", range(10))
def test_the_audit_names_the_file_each_time(seed: int, sealed_run: Path, tmp_path: Path, monkeypatch) -> None:
    for number in range(CHANGES // 10):
        chance = random.Random(1000 * seed + number)
        run = Path(shutil.copytree(sealed_run, tmp_path / str(number)))
        monkeypatch.chdir(run)
        made = [path for folder in ("data", "results") for path in Path(folder).rglob("*") if path.is_file()]
        records = [path for path in made if path.is_relative_to(RECORDS)]
        files = [path for path in made if not path.is_relative_to("results/provenance")]
        kind = chance.choice([files, records])
        path, other = chance.sample(sorted(kind), 2)
        change = chance.choice(CHANGERS if kind is files else (*CHANGERS, edit))
        change(path, other, chance)
        named = {finding.path for finding in audit(".") if finding.state not in UNHARMED}
        assert path.as_posix() in named, f"{change.__name__} of {path}"
        if change is swap:
            assert other.as_posix() in named


@pytest.mark.parametrize("seed", range(20))
def test_a_changed_ledger_is_named(seed: int, sealed_run: Path, tmp_path: Path, monkeypatch) -> None:
    chance = random.Random(seed)
    monkeypatch.chdir(shutil.copytree(sealed_run, tmp_path / "run"))
    lines = Path(LEDGER).read_bytes().splitlines(keepends=True)
    place = chance.randrange(len(lines))
    changed = {
        0: lambda: lines.pop(place),
        1: lambda: lines.insert(place, lines[place - 1]),
        2: lambda: lines.__setitem__(place, lines[place].replace(b"1.4", b"1.5", 1)),
        3: lambda: lines.__setitem__(slice(place, None), []),
    }
    changed[seed % 4]()
    Path(LEDGER).write_bytes(b"".join(lines))
    assert LEDGER in {finding.path for finding in audit(".") if finding.state == "changed"}


def test_an_older_ledger_put_back_does_not_fit_its_head(sealed_run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(shutil.copytree(sealed_run, tmp_path / "run"))
    shutil.copy(Path("older") / LEDGER, LEDGER)
    assert "it has 8 lines, and had 16" in {finding.detail for finding in audit(".")}
