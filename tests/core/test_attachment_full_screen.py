from __future__ import annotations

import pytest

from cloudtui.core.full_screen import Keys, leader_byte


@pytest.mark.parametrize(
    ("typed", "passed", "left"),
    [
        ([b"ls\r"], b"ls\r", False),
        ([b"a\x1d", b"d", b"b"], b"a", True),
        ([b"a\x1dfb"], b"a", True),
        ([b"\x1d\x1d"], b"\x1d", False),
        ([b"\x1dx"], b"\x1dx", False),
    ],
)
def test_the_leader_is_taken_out_of_what_is_typed(
    typed: list[bytes], passed: bytes, left: bool
) -> None:
    keys = Keys(b"\x1d")
    assert b"".join(keys.passed(data) for data in typed) == passed
    assert keys.left is left


def test_without_a_leader_every_byte_passes() -> None:
    assert Keys(b"").passed(b"\x1dd\x00") == b"\x1dd\x00"


@pytest.mark.parametrize(
    ("key", "byte"),
    [
        ("ctrl+]", b"\x1d"),
        ("ctrl+right_square_bracket", b"\x1d"),
        ("ctrl+b", b"\x02"),
        ("f12", b""),
    ],
)
def test_the_leader_is_a_byte_in_a_terminal(key: str, byte: bytes) -> None:
    assert leader_byte(key) == byte
