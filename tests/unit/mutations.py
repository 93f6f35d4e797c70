"""Damage as disks, networks and attackers do it: the same damage for the same number."""

from __future__ import annotations

import random
from collections.abc import Callable

# What breaks readers of lengths and offsets: zero, all bits, the largest signed and unsigned numbers.
NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\0\0")
MOST_CHANGES = 4


def mutated(data: bytes, number: int) -> bytes:
    """The data with one to four changes, at random places."""
    chance = random.Random(number)
    for _ in range(chance.randint(1, MOST_CHANGES)):
        data = chance.choice(CHANGES)(data, chance)
    return data


def _flip_a_bit(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) or 1)
    return (
        data[:place] + bytes(byte ^ (1 << chance.randrange(8)) for byte in data[place : place + 1]) + data[place + 1 :]
    )


def _overwrite_a_number(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) or 1)
    return data[:place] + chance.choice(NUMBERS) + data[place + 4 :]


def _overwrite_with_noise(data: bytes, chance: random.Random) -> bytes:
    place, length = chance.randrange(len(data) or 1), chance.randint(1, 64)
    return data[:place] + chance.randbytes(length) + data[place + length :]


def _lose_a_piece(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) or 1)
    return data[:place] + data[place + chance.randint(1, 512) :]


def _repeat_a_piece(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) or 1)
    end = place + chance.randint(1, 512)
    return data[:end] + data[place:]


def _end_too_soon(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) or 1)]


def _zero_a_block(data: bytes, chance: random.Random) -> bytes:
    place, length = chance.randrange(len(data) or 1), chance.choice((16, 512, 4096))
    return data[:place] + bytes(len(data[place : place + length])) + data[place + length :]


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip_a_bit,
    _overwrite_a_number,
    _overwrite_with_noise,
    _lose_a_piece,
    _repeat_a_piece,
    _end_too_soon,
    _zero_a_block,
)
