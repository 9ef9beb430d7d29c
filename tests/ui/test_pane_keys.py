"""What a keyboard sends goes through Textual's parser and comes out as the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import events
from textual.message import Message

from cloudtui.ui.keyboard import KeyParser
from cloudtui.ui.widgets.pane_keys import key_name, normal_name, pressed, shown_name, terminal_key
from cloudtui.vt.engine import Engine, Key, load

BYTES = [
    *(bytes([code]) for code in range(0x01, 0x20) if code != 0x1B),
    b"\x00",
    b"\x7f",
    *(bytes([code]) for code in range(0x20, 0x7F)),
    *("é中ß€".encode()[at : at + size] for at, size in ((0, 2), (2, 3), (5, 2), (7, 3))),
    *(b"\x1b" + bytes([code]) for code in range(0x20, 0x7F)),
    *(b"\x1b" + bytes([code]) for code in range(0x01, 0x1B)),
    b"\x1b\x7f",
    *(b"\x1b[" + letter for letter in (b"A", b"B", b"C", b"D", b"H", b"F")),
    *(b"\x1b[1;%d%c" % (mod, letter) for mod in range(2, 9) for letter in b"ABCDHF"),
    *(b"\x1b[%d~" % number for number in (2, 3, 5, 6)),
    *(b"\x1b[%d;%d~" % (number, mod) for number in (2, 3, 5, 6) for mod in range(2, 9)),
    *(b"\x1bO" + letter for letter in (b"P", b"Q", b"R", b"S")),
    *(b"\x1b[%d~" % number for number in (15, 17, 18, 19, 20, 21, 23, 24)),
    *(b"\x1b[1;%d%c" % (mod, letter) for mod in range(2, 9) for letter in b"PQRS"),
    *(b"\x1b[%d;%d~" % (n, mod) for n in (15, 17, 18, 19, 20, 21, 23, 24) for mod in range(2, 9)),
    *(b"\x1b[%d~" % number for number in (25, 26, 28, 29, 31, 32, 33, 34)),
    b"\x1b[Z",
    b"\x1b",
    b"\x1b\xc3\xa9",
    b"\x1b\x1b[A",
    b"\x1bOP\x1b[1;2Ra",
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
    (b"\x1b[97:65;2;65u", b"A"),
    (b"\x1b[1089::99;5u", b"\x03"),
    (b"\x1b[1089::99;3u", b"\x1bc"),
    (b"\x1b[97;1:3u", b""),
    (b"\x1b[97;1:2;97u", b"a"),
    (b"\x1b[0;;20013:25991u", "中文".encode()),
    (b"\x1b[57400;;49u", b"1"),
    (b"\x1b[57417u", b"\x1b[D"),
    (b"\x1b[13;2~", b"\x1b[1;2R"),
    (b"\x1b[27;5;105~", b"\t"),
    (b"\x1b[97;3;229u", "å".encode()),
]


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = load()(80, 24, cell_len=cell_len)
    yield made
    made.close()


def read(sent: bytes) -> list[Message]:
    """What the parser makes of it once nothing more comes."""
    parser = KeyParser()
    found = list(parser.feed(sent.decode()))
    while parser.patience is not None:
        found += parser.tick()
    return found


def through(engine: Engine, sent: bytes) -> bytes:
    found = b""
    for message in read(sent):
        assert isinstance(message, events.Key)
        key = pressed(message)
        found += b"" if key is None else engine.encode_key(key)
    return found


@pytest.mark.parametrize("sent", BYTES, ids=repr)
def test_bytes_of_a_keyboard_come_out_the_same(engine: Engine, sent: bytes) -> None:
    assert through(engine, sent) == sent


@pytest.mark.parametrize(("sent", "expected"), KITTY, ids=repr)
def test_kitty_keys_reach_a_plain_program(engine: Engine, sent: bytes, expected: bytes) -> None:
    assert through(engine, sent) == expected


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (1, [b"\x1b[105;5u", b"\x1b[13;2u", b"\x1b[46;3u", b"\x1b[27u", b"\x1b[57414u"]),
        (5, [b"\x1b[97:65;4u", b"\x1b[46;6u"]),
        (8, [b"\x1b[97u", b"\x1b[46;2u", b"\x1b[32u", b"\x1b[13u", b"\x1b[57376u"]),
        (29, [b"\x1b[97:65;2;65u", b"\x1b[46:62;2;62u", b"\x1b[57400;;49u", b"\x1b[9;2u"]),
    ],
)
def test_kitty_keys_reach_a_program_that_asked(
    engine: Engine, asked: int, sent: list[bytes]
) -> None:
    engine.feed(b"\x1b[>%du" % asked)
    assert [through(engine, each) for each in sent] == sent


def test_the_console_has_textual_s_names() -> None:
    names = [
        m.key for m in read(b"\x1bb\x1b[1;2R\x1b[97:65;2;65u\x08") if isinstance(m, events.Key)
    ]
    assert names == ["ctrl+left", "shift+f3", "A", "backspace"]


def test_a_leader_with_alt_is_known() -> None:
    for sent, name in ((b"\x1bb", "alt+b"), (b"\x1b[46;3u", "alt+full_stop"), (b"\x1b", "escape")):
        (event,) = read(sent)
        assert isinstance(event, events.Key)
        assert key_name(event) == name


@given(st.binary(max_size=40))
def test_no_bytes_stop_the_reading(sent: bytes) -> None:
    text = sent.decode("latin-1")
    parser = KeyParser()
    for message in parser.feed("\x1b[" + text):
        assert isinstance(message, Message)


@given(st.from_regex(r"\x1b\[[0-9:;]{0,20}[u~A-S]", fullmatch=True))
def test_no_sequence_of_a_terminal_stops_the_reading(sent: str) -> None:
    read(sent.encode())


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
