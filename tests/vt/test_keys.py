"""Keys, mouse and paste as the bytes xterm sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from cloudtui.vt.engine import Engine, Key, load


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = load()(80, 24, cell_len=cell_len)
    yield made
    made.close()


PLAIN = [
    (Key("a", text="a"), b"a"),
    (Key("a", shift=True, text="A"), b"A"),
    (Key("", text="中"), "中".encode()),
    (Key("é", text="é"), "é".encode()),
    (Key("space", text=" "), b" "),
    (Key("enter"), b"\r"),
    (Key("tab"), b"\t"),
    (Key("tab", shift=True), b"\x1b[Z"),
    (Key("tab", shift=True, ctrl=True), b"\x1b[Z"),
    (Key("backspace"), b"\x7f"),
    (Key("backspace", ctrl=True), b"\x08"),
    (Key("backspace", alt=True), b"\x1b\x7f"),
    (Key("escape"), b"\x1b"),
    (Key("enter", shift=True), b"\r"),
    (Key("enter", ctrl=True), b"\r"),
    (Key("enter", alt=True), b"\x1b\r"),
    *((Key(chr(c), ctrl=True), bytes([c - 96])) for c in range(ord("a"), ord("z") + 1)),
    (Key("a", ctrl=True, shift=True), b"\x01"),
    (Key("a", ctrl=True, alt=True), b"\x1b\x01"),
    (Key("i", ctrl=True, alt=True), b"\x1b\t"),
    (Key("@", ctrl=True), b"\0"),
    (Key("space", ctrl=True), b"\0"),
    (Key("[", ctrl=True), b"\x1b"),
    (Key("\\", ctrl=True), b"\x1c"),
    (Key("]", ctrl=True), b"\x1d"),
    (Key("^", ctrl=True), b"\x1e"),
    (Key("_", ctrl=True), b"\x1f"),
    (Key("/", ctrl=True), b"\x1f"),
    (Key("?", ctrl=True), b"\x7f"),
    (Key("1", ctrl=True), b"1"),
    *((Key(chr(c), alt=True), b"\x1b" + bytes([c])) for c in range(ord("a"), ord("z") + 1)),
    (Key("b", alt=True, shift=True), b"\x1bB"),
    *((Key(c, alt=True), b"\x1b" + c.encode()) for c in ".,<>/?;:'\"[]{}\\|`~!@#$%^&*()-_=+0159"),
    (Key("space", alt=True), b"\x1b "),
    (Key("up"), b"\x1b[A"),
    (Key("down"), b"\x1b[B"),
    (Key("right"), b"\x1b[C"),
    (Key("left"), b"\x1b[D"),
    (Key("home"), b"\x1b[H"),
    (Key("end"), b"\x1b[F"),
    (Key("insert"), b"\x1b[2~"),
    (Key("delete"), b"\x1b[3~"),
    (Key("pageup"), b"\x1b[5~"),
    (Key("pagedown"), b"\x1b[6~"),
    (Key("up", shift=True), b"\x1b[1;2A"),
    (Key("up", alt=True), b"\x1b[1;3A"),
    (Key("up", ctrl=True), b"\x1b[1;5A"),
    (Key("up", ctrl=True, shift=True), b"\x1b[1;6A"),
    (Key("left", ctrl=True, alt=True), b"\x1b[1;7D"),
    (Key("pageup", ctrl=True), b"\x1b[5;5~"),
    (Key("delete", shift=True), b"\x1b[3;2~"),
    (Key("f1"), b"\x1bOP"),
    (Key("f4"), b"\x1bOS"),
    (Key("f5"), b"\x1b[15~"),
    (Key("f6"), b"\x1b[17~"),
    (Key("f10"), b"\x1b[21~"),
    (Key("f11"), b"\x1b[23~"),
    (Key("f12"), b"\x1b[24~"),
    (Key("f1", shift=True), b"\x1b[1;2P"),
    (Key("f5", ctrl=True), b"\x1b[15;5~"),
    (Key("f12", alt=True), b"\x1b[24;3~"),
]


@pytest.mark.parametrize(("key", "expected"), PLAIN, ids=str)
def test_a_key_is_sent_as_xterm_sends_it(engine: Engine, key: Key, expected: bytes) -> None:
    assert engine.encode_key(key) == expected


def test_application_cursor_mode(engine: Engine) -> None:
    engine.feed(b"\x1b[?1h")
    assert [engine.encode_key(Key(k)) for k in ("up", "home", "end")] == [
        b"\x1bOA",
        b"\x1bOH",
        b"\x1bOF",
    ]
    assert engine.encode_key(Key("up", ctrl=True)) == b"\x1b[1;5A"
    engine.feed(b"\x1b[?1l")
    assert engine.encode_key(Key("up")) == b"\x1b[A"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (Key("i", ctrl=True), b"\x1b[105;5u"),
        (Key("enter", shift=True), b"\x1b[13;2u"),
        (Key("escape"), b"\x1b[27u"),
        (Key("b", alt=True), b"\x1b[98;3u"),
        (Key("c", ctrl=True), b"\x1b[99;5u"),
        (Key("a", text="a"), b"a"),
        (Key("tab", ctrl=True), b"\x1b[9;5u"),
    ],
    ids=str,
)
def test_kitty_keys_when_the_program_asked(engine: Engine, key: Key, expected: bytes) -> None:
    engine.feed(b"\x1b[>1u")
    assert engine.encode_key(key) == expected
    engine.feed(b"\x1b[<u")
    assert engine.encode_key(key) != expected or key.text


def test_modify_other_keys_when_the_program_asked(engine: Engine) -> None:
    engine.feed(b"\x1b[>4;2m")
    assert engine.encode_key(Key("i", ctrl=True)) == b"\x1b[27;5;105~"
    assert engine.encode_key(Key("a", shift=True, text="A")) == b"A"
    engine.feed(b"\x1b[>4;0m")
    assert engine.encode_key(Key("i", ctrl=True)) == b"\t"


def test_mouse_is_silent_until_asked(engine: Engine) -> None:
    assert not engine.mouse_tracking
    assert engine.encode_mouse("press", "left", 3, 1) == b""


def test_mouse_events(engine: Engine) -> None:
    engine.feed(b"\x1b[?1002h\x1b[?1006h")
    assert engine.mouse_tracking
    assert engine.encode_mouse("press", "left", 3, 1) == b"\x1b[<0;4;2M"
    assert engine.encode_mouse("move", "left", 5, 1) == b"\x1b[<32;6;2M"
    assert engine.encode_mouse("release", "left", 5, 1) == b"\x1b[<0;6;2m"
    assert engine.encode_mouse("press", "right", 79, 23) == b"\x1b[<2;80;24M"
    assert engine.encode_mouse("press", "wheelup", 0, 0) == b"\x1b[<64;1;1M"
    assert engine.encode_mouse("press", "wheeldown", 0, 0, ctrl=True) == b"\x1b[<81;1;1M"
    assert engine.encode_mouse("move", "", 9, 9) == b""
    engine.feed(b"\x1b[?1003h")
    assert engine.encode_mouse("move", "", 9, 9) == b"\x1b[<35;10;10M"


def test_focus_is_reported_when_asked(engine: Engine) -> None:
    assert engine.encode_focus(True) == b""
    engine.feed(b"\x1b[?1004h")
    assert (engine.encode_focus(True), engine.encode_focus(False)) == (b"\x1b[I", b"\x1b[O")


def test_paste_cannot_end_itself(engine: Engine) -> None:
    assert engine.encode_paste("a\nb") == b"a\rb"
    assert engine.encode_paste("") == b""
    engine.feed(b"\x1b[?2004h")
    found = engine.encode_paste("a\x1b[201~rm -rf /\n")
    assert found.startswith(b"\x1b[200~")
    assert found.endswith(b"\x1b[201~")
    assert found.count(b"\x1b[201~") == 1
