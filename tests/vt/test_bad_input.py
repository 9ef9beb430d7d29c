"""What no program should send, and one will."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from cloudtui.vt import engine as vt
from cloudtui.vt.engine import Engine, EngineFactory, load


@pytest.fixture(scope="module")
def factory() -> EngineFactory:
    return load()


@pytest.fixture
def engine(factory: EngineFactory) -> Iterator[Engine]:
    made = factory(80, 24, cell_len=cell_len, scrollback=1000)
    yield made
    made.close()


def test_broken_utf8_is_replaced_and_the_rest_is_shown(engine: Engine) -> None:
    engine.feed(b"a\xff\xfe\xc3(b\xe4\xb8|\xf0\x9f\x92c\xed\xa0\x80d\xc0\xafe")
    first = engine.text().split("\n")[0]
    assert [c for c in first if c.isascii()] == list("a(b|cde")
    assert "\ufffd" in first


def test_a_character_cut_in_two_is_whole(engine: Engine) -> None:
    for byte in "é中👍".encode():
        engine.feed(bytes([byte]))
        engine.dirty_rows()
    assert engine.text().startswith("é中👍")


def test_a_line_of_100_megabytes_keeps_its_bound(engine: Engine) -> None:
    block = b"0123456789" * 100_000
    for _ in range(100):
        engine.feed(block)
    bar = engine.scrollbar
    assert bar.at_bottom
    assert bar.total < 10_000
    assert engine.text().split("\n")[5] == "0123456789" * 8
    engine.resize(120, 24)
    assert engine.text().split("\n")[5] == "0123456789" * 12


@pytest.mark.parametrize("opening", [b"\x1b]2;", b"\x1b]52;c;", b"\x1bP", b"\x1b_", b"\x1b^"])
def test_a_string_without_an_end_is_left_with_a_cancel(engine: Engine, opening: bytes) -> None:
    engine.feed(opening)
    for _ in range(30):
        engine.feed(b"QUJD" * 25_000)
    engine.feed(b"\x18\r\x1b[2Jback")
    assert "back" in engine.text()
    assert all(not isinstance(event, vt.ClipboardWrite) for event in engine.events())


def test_the_smallest_and_the_largest_screen(engine: Engine) -> None:
    engine.feed("hello 中文 \x1b[31mred\r\n".encode() * 100)
    for size in ((1, 1), (500, 200), (1, 200), (500, 1), (80, 24)):
        engine.resize(*size)
        rows = engine.dirty_rows()
        assert (engine.columns, engine.rows) == size
        assert len(rows) == size[1]
        assert {cell_len("".join(text for text, _ in runs)) for runs in rows.values()} == {size[0]}
        engine.feed(b"\x1b[999;999Hx\x1b[H")
    assert "hello" in engine.contents()


def test_a_thousand_resizes_with_output_between(engine: Engine) -> None:
    dice = random.Random(3)
    for number in range(1000):
        engine.resize(dice.randint(1, 300), dice.randint(1, 100))
        engine.feed(b"line %d\x1b[31m\r\n" % number)
    engine.resize(80, 24)
    assert engine.text().rstrip().endswith("line 999")


QUESTIONS = (
    b"\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[?6n\x1b[>q\x1b[14t\x1b[16t\x1b[18t\x1b[19t\x1b[20t"
    b"\x1b[21t\x1b[x\x1b[?u\x1b[?1$p\x1b[?2026$p\x1b[4$p\x1bP$qm\x1b\\\x1bP$qr\x1b\\\x1bP$q q\x1b\\"
    b'\x1bP$q"p\x1b\\\x1bP+q544e\x1b\\\x1b]4;1;?\x07\x1b]10;?\x07\x1b]11;?\x07\x1b]12;?\x07'
    b"\x1b]52;c;?\x07\x1b]7;?\x07\x1b[?996n\x1b[?15n\x1b[?25n\x1b[?26n\x1b[1;1;1;1;24;80*y\x05\x1bZ"
)


def test_a_program_that_asks_for_everything_gets_clean_answers(engine: Engine) -> None:
    engine.feed(b"\x1b]2;$(touch /tmp/x)\r\n\x07\x1b]52;c;c2VjcmV0\x07")
    engine.feed(QUESTIONS)
    replies = engine.replies()
    assert b"\x1b[?62" in replies
    assert b"\n" not in replies
    assert b"\r" not in replies
    for secret in (b"touch", b"secret", b"c2VjcmV0"):
        assert secret not in replies


def test_asking_a_million_times_costs_no_more_than_the_answers(engine: Engine) -> None:
    engine.feed(b"\x1b[c" * 10_000)
    assert engine.replies().count(b"\x1b[?62") == 10_000
    assert engine.replies() == b""


@pytest.mark.parametrize(
    "title",
    [
        b"a\x1b[31mb",
        b"$(reboot)\x00`id`",
        b"a\nb\rc",
        "\u202egnp.exe\u2066".encode(),
        b"\xff\xfe" * 300,
        "‮".encode() * 500,
        b"x" * 100_000,
    ],
)
def test_titles_are_one_printable_line(engine: Engine, title: bytes) -> None:
    engine.feed(b"\x1b]0;" + title + b"\x07")
    for event in engine.events():
        if isinstance(event, vt.Title):
            assert len(event.text) <= 200
            assert event.text.isprintable()
    assert b"reboot" not in engine.replies()


def test_a_clipboard_of_ten_megabytes_is_refused_and_said(engine: Engine) -> None:
    engine.feed(b"\x1b]52;c;" + b"QUJD" * 2_500_000 + b"\x07")
    written = [event for event in engine.events() if isinstance(event, vt.ClipboardWrite)]
    assert all(event.text == "" and event.refused for event in written)
    engine.feed(b"\x1b]52;c;QUJD\x07")
    assert engine.events() == [vt.ClipboardWrite("ABC")]


@pytest.mark.parametrize(
    "cut", [b"\x1b", b"\x1b[38;2;1", b"\x1b]2;ti", b"\xe4\xb8", b"\x1bP$q", b"\x1b[?2026h"]
)
def test_a_host_gone_in_the_middle_leaves_nothing_behind(engine: Engine, cut: bytes) -> None:
    engine.feed(b"old\x1b[?1049h\x1b[?1003h\x1b[?2004h\x1b[?1h\x1b[5;10r\x1b[7m" + cut)
    engine.restart()
    assert not any((engine.mouse_tracking, engine.bracketed_paste, engine.held))
    assert not engine.alternate_screen
    engine.feed(b"new")
    assert engine.text().startswith("new\n")
    assert engine.dirty_rows()[0][0] == ("new" + " " * 77, vt.Style())
    assert engine.encode_key(vt.Key("up")) == b"\x1b[A"
    assert engine.contents().startswith("old")
    assert engine.events() == []


def test_random_bytes_never_stop_it(engine: Engine) -> None:
    dice = random.Random(5)
    for _ in range(300):
        engine.feed(dice.randbytes(2000))
        engine.dirty_rows()
        engine.marks()
        engine.links()
    engine.search("a")
    engine.select(0, 0)
    engine.select_to(70, 20)
    for _ in range(50):
        engine.feed(dice.randbytes(2000))
        engine.resize(dice.randint(1, 200), dice.randint(1, 60))
        engine.marks()
        engine.next_match(1)
        assert isinstance(engine.selection, str)
        engine.compress()
