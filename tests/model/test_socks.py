"""The greeting of a SOCKS proxy, in whatever pieces it comes."""

from __future__ import annotations

import ipaddress
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.socks import LONGEST, NO_METHOD, Greeting, NotSocks

PORTS = st.integers(1, 65_535)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,60}", fullmatch=True)
REST = st.binary(max_size=40)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def told(data: bytes, cuts: list[int]) -> tuple[Greeting, bytes]:
    greeting, answer, late = Greeting(), b"", b""
    for piece in pieces(data, cuts):
        if greeting.target:
            late += piece
        else:
            answer += greeting.feed(piece)
    greeting.rest += late
    return greeting, answer


def five(kind: int, address: bytes, port: int) -> bytes:
    return b"\x05\x02\x00\x02" + bytes((5, 1, 0, kind)) + address + struct.pack(">H", port)


@given(NAMES, PORTS, REST, st.lists(st.integers(0, 90)))
def test_version_5_with_a_name(name: str, port: int, rest: bytes, cuts: list[int]) -> None:
    said = five(3, bytes([len(name)]) + name.encode(), port) + rest
    greeting, answer = told(said, cuts)
    assert (greeting.target, greeting.rest, answer) == ((name, port), rest, b"\x05\x00")
    assert greeting.granted()[:2] == b"\x05\x00"
    assert greeting.refused()[:2] == b"\x05\x05"


@given(st.ip_addresses(), PORTS, REST, st.lists(st.integers(0, 40)))
def test_version_5_with_an_address(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, rest: bytes, cuts: list[int]
) -> None:
    said = five(1 if address.version == 4 else 4, address.packed, port) + rest
    greeting, _ = told(said, cuts)
    assert (greeting.target, greeting.rest) == ((str(address), port), rest)


@given(st.ip_addresses(v=4), PORTS, st.binary(max_size=9), REST, st.lists(st.integers(0, 40)))
def test_version_4(
    address: ipaddress.IPv4Address, port: int, user: bytes, rest: bytes, cuts: list[int]
) -> None:
    user = user.replace(b"\0", b"")
    if address.packed[:3] == bytes(3):
        return
    said = b"\x04\x01" + struct.pack(">H", port) + address.packed + user + b"\0" + rest
    greeting, answer = told(said, cuts)
    assert (greeting.target, greeting.rest, answer) == ((str(address), port), rest, b"")
    assert greeting.granted() == b"\x00\x5a" + bytes(6)


@given(NAMES, PORTS, REST, st.lists(st.integers(0, 80)))
def test_version_4a(name: str, port: int, rest: bytes, cuts: list[int]) -> None:
    head = b"\x04\x01" + struct.pack(">H", port) + b"\0\0\0\1" + b"me\0"
    greeting, _ = told(head + name.encode() + b"\0" + rest, cuts)
    assert (greeting.target, greeting.rest) == ((name, port), rest)


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (b"GET / HTTP/1.1\r\n", b""),
        (b"\x05\x01\x02", NO_METHOD),
        (b"\x05\x01\x00\x05\x02\x00\x01\x7f\0\0\1\0\x50", b"\x05\x07"),
        (b"\x05\x01\x00\x05\x01\x00\x09\x7f\0\0\1\0\x50", b"\x05\x08"),
        (b"\x05\x01\x00\x05\x01\x00\x03\x02a \0\x50", b"\x05\x05"),
        (b"\x04\x02\0\x50\x7f\0\0\1\0", b"\x00\x5b"),
        (b"\x04\x01\0\x50\x7f\0\0\1" + b"u" * LONGEST, b""),
    ],
)
def test_what_is_not_offered_is_answered_in_socks(said: bytes, reply: bytes) -> None:
    with pytest.raises(NotSocks) as caught:
        Greeting().feed(said)
    assert caught.value.reply[: len(reply)] == reply
    assert bool(caught.value.reply) == bool(reply)


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_noise_never_breaks_it(said: list[bytes]) -> None:
    greeting = Greeting()
    try:
        for piece in said:
            if greeting.target is None:
                greeting.feed(piece)
    except NotSocks:
        return
    assert greeting.target is None or 0 <= greeting.target[1] < 65_536
