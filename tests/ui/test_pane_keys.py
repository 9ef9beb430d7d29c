"""What a keyboard sends goes through Textual's parser and comes out as the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.cells import cell_len
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser

from cloudtui.ui.widgets.pane_keys import ALT_KEYS, normal_name, shown_name, terminal_key
from cloudtui.vt.engine import Engine, Key, load

BYTES = [
    *(bytes([code]) for code in range(0x01, 0x20) if code != 0x1B),
    b"\x00",
    b"\x7f",
    *(bytes([code]) for code in range(0x20, 0x7F)),
    *("é中ß€".encode()[at : at + size] for at, size in ((0, 2), (2, 3), (5, 2), (7, 3))),
    *(b"\x1b" + bytes([code]) for code in range(0x20, 0x7F) if chr(code) not in "[O"),
    *(b"\x1b" + bytes([code]) for code in range(0x01, 0x1B)),
    b"\x1b\x7f",
    *(b"\x1b[" + letter for letter in (b"A", b"B", b"C", b"D", b"H", b"F")),
    *(b"\x1b[1;%d%c" % (mod, letter) for mod in range(2, 9) for letter in b"ABCDHF"),
    *(b"\x1b[%d~" % number for number in (2, 3, 5, 6)),
    *(b"\x1b[%d;%d~" % (number, mod) for number in (2, 3, 5, 6) for mod in range(2, 9)),
    *(b"\x1bO" + letter for letter in (b"P", b"Q", b"R", b"S")),
    *(b"\x1b[%d~" % number for number in (15, 17, 18, 19, 20, 21, 23, 24)),
    *(b"\x1b[1;%d%c" % (mod, letter) for mod in (2, 3, 5) for letter in b"PQS"),
    *(b"\x1b[%d;5~" % number for number in (15, 17, 18, 19, 20, 21, 23, 24)),
    b"\x1b[Z",
]

KITTY = [
    (b"\x1b[97;;97u", b"a"),
    (b"\x1b[97;2;65u", b"A"),
    (b"\x1b[46;2;62u", b">"),
    (b"\x1b[99;5u", b"\x03"),
    (b"\x1b[105;5u", b"\t"),
    (b"\x1b[91;5u", b"\x1b"),
    (b"\x1b[98;3u", b"\x1bb"),
    (b"\x1b[98;4u", b"\x1bB"),
    (b"\x1b[46;3u", b"\x1b."),
    (b"\x1b[27u", b"\x1b"),
    (b"\x1b[13u", b"\r"),
    (b"\x1b[13;2u", b"\r"),
    (b"\x1b[127u", b"\x7f"),
    (b"\x1b[127;3u", b"\x1b\x7f"),
    (b"\x1b[9;2u", b"\x1b[Z"),
    (b"\x1b[32;;32u", b" "),
    (b"\x1b[32;5u", b"\x00"),
    (b"\x1b[1;5A", b"\x1b[1;5A"),
    (b"\x1b[57441u", b""),
]


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = load()(80, 24, cell_len=cell_len)
    yield made
    made.close()


@pytest.fixture
def alt_keys() -> Iterator[None]:
    ALT_KEYS.use()
    yield
    ALT_KEYS.restore()


def through(engine: Engine, pressed: bytes) -> bytes:
    found = b""
    for message in XTermParser().feed(pressed.decode()):
        assert isinstance(message, events.Key)
        key = terminal_key(message.key, message.character)
        found += b"" if key is None else engine.encode_key(key)
    return found


@pytest.mark.usefixtures("alt_keys")
@pytest.mark.parametrize("pressed", BYTES, ids=repr)
def test_bytes_of_a_keyboard_come_out_the_same(engine: Engine, pressed: bytes) -> None:
    assert through(engine, pressed) == pressed


@pytest.mark.usefixtures("alt_keys")
@pytest.mark.parametrize(("pressed", "expected"), KITTY, ids=repr)
def test_kitty_keys_reach_a_plain_program(engine: Engine, pressed: bytes, expected: bytes) -> None:
    assert through(engine, pressed) == expected


@pytest.mark.usefixtures("alt_keys")
def test_kitty_keys_reach_a_kitty_program(engine: Engine) -> None:
    engine.feed(b"\x1b[>1u")
    for pressed in (b"\x1b[105;5u", b"\x1b[13;2u", b"\x1b[46;3u", b"\x1b[27u"):
        assert through(engine, pressed) == pressed


def test_the_table_is_as_it_was_after_a_pane() -> None:
    before = dict(ANSI_SEQUENCES_KEYS)
    ALT_KEYS.use()
    ALT_KEYS.use()
    assert before != ANSI_SEQUENCES_KEYS
    ALT_KEYS.restore()
    ALT_KEYS.restore()
    assert before == ANSI_SEQUENCES_KEYS


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ctrl+]", "ctrl+right_square_bracket"),
        ("Ctrl+B", "ctrl+b"),
        ("ctrl++", "ctrl+plus"),
        ("f12", "f12"),
        ("alt+.", "alt+full_stop"),
        ("ctrl+\\", "ctrl+backslash"),
    ],
)
def test_a_leader_is_written_as_people_write_keys(written: str, name: str) -> None:
    assert normal_name(written) == name
    assert shown_name(name) == written.lower()


def test_keys_of_odd_names() -> None:
    assert terminal_key("left_shift", None) is None
    assert terminal_key("multiply", "*") == Key("*", text="*")
    assert terminal_key("A", "A") == Key("a", shift=True, text="A")
