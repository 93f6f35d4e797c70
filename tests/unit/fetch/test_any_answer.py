"""Whatever a server answers, a file is right and whole or there is one message, soon, and without secrets."""

from __future__ import annotations

import hashlib
import io
import logging
import random
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from answers_by_chance import Chance
from loopback import serving

from bioscan1m.fetch import answers, verified
from bioscan1m.fetch.content import check_zip
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.errors import InputError

TRIED = 100  # files of each kind, each in two jobs of several answers
ATTEMPTS = 3
TIMEOUT = 0.2
LONGEST = ATTEMPTS * 3 * 10 * TIMEOUT + 5  # seconds: of each request the opening may take ten timeouts
ANSWERS_PER_ATTEMPT = 3  # one that goes on, one from the start, one to compare


def random_zip(chance: random.Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(chance.randrange(1, 4)):
            archive.writestr(f"{number}.jpg", chance.randbytes(chance.randrange(2000, 9000)))
    return buffer.getvalue()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(verified, "LONGEST_PAUSE", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def fetched_or_refused(chance: Chance, address: str, path: Path, checksum: str | None, is_zip: bool) -> str:
    """What became of it: `right`, `wrong`, or the message."""
    begun, before = time.monotonic(), chance.served
    source = address.replace("http://", "HTTP://me:s3cret@") + "?token=s3cret"
    try:
        check = check_zip if is_zip else None
        fetch(source, path, None, checksum, attempts=ATTEMPTS, timeout=TIMEOUT, first_pause=0, check=check)
        data = path.read_bytes()
        right = [hashlib.sha256(data).hexdigest() == checksum[7:]] if checksum else [data in chance.versions]
        outcome = "right" if all(right) else "wrong"
    except InputError as error:
        assert not path.exists()
        outcome = str(error)
    assert time.monotonic() - begun < LONGEST
    assert chance.served - before <= ATTEMPTS * ANSWERS_PER_ATTEMPT
    return outcome


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("proof", ["checksum", "zip", "nothing"])
def test_any_answers_give_the_right_file_or_one_message(tmp_path, caplog, proof):
    caplog.set_level(logging.DEBUG)
    outcomes, kinds = Counter(), Counter()
    for seed in range(TRIED):
        drawn = random.Random(f"{proof} {seed}")
        versions = [random_zip(drawn) for _ in range(2)]
        chance = Chance(drawn, versions, framing_lies=proof != "nothing", patience=TIMEOUT)
        checksum = f"sha256:{hashlib.sha256(versions[0]).hexdigest()}" if proof == "checksum" else None
        path = tmp_path / f"{seed}.zip"
        with serving(chance) as server:
            for _ in range(2):  # the second job finds what the first has left
                outcome = fetched_or_refused(chance, server.address, path, checksum, is_zip=proof == "zip")
                assert outcome != "wrong", f"{proof}, seed {seed}: a wrong file got its name"
                assert "\n" not in outcome and "s3cret" not in outcome, f"{proof}, seed {seed}: {outcome}"
                outcomes["right" if outcome == "right" else "message"] += 1
                path.unlink(missing_ok=True)
        kinds.update(chance.kinds)
    assert "s3cret" not in caplog.text and "Traceback" not in caplog.text
    print(proof, dict(outcomes), dict(kinds))
    assert sum(kinds.values()) >= 2 * TRIED
    assert outcomes["right"] >= TRIED / 4 and outcomes["message"] >= TRIED / 4
