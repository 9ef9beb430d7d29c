"""The engine: what a program prints, as rows, replies and events."""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from cloudtui.model.errors import CloudtuiError
from cloudtui.vt import engine as vt
from cloudtui.vt.engine import Engine, EngineFactory, Style, available, load


@pytest.fixture(scope="module")
def factory() -> EngineFactory:
    return load()


@pytest.fixture
def engine(factory: EngineFactory) -> Iterator[Engine]:
    made = factory(20, 5, cell_len=cell_len)
    yield made
    made.close()


def test_text_and_cursor(engine: Engine) -> None:
    engine.feed(b"hello\r\n\x1b[3;4Hx")
    assert engine.text() == "hello\n\n   x\n\n"
    assert engine.cursor == vt.Cursor(4, 2, True)


def test_styles_and_colours(engine: Engine) -> None:
    engine.feed(
        b"a\x1b[1mb\x1b[0;2mc\x1b[0;3md\x1b[0;4me\x1b[0;7mf\x1b[0;9mg\x1b[0;8mh\x1b[0;53mi"
        b"\x1b[0;5mj\x1b[0;21mk\x1b[0;31;44ml\x1b[0;38;5;200mm\x1b[0;38;2;1;2;3;48;2;4;5;6mn"
    )
    runs = {text: style for text, style in engine.dirty_rows()[0] if text.strip()}
    assert runs == {
        "a": Style(),
        "b": Style(bold=True),
        "c": Style(dim=True),
        "d": Style(italic=True),
        "e": Style(underline=1),
        "f": Style(reverse=True),
        "g": Style(strike=True),
        "h": Style(conceal=True),
        "i": Style(overline=True),
        "j": Style(blink=True),
        "k": Style(underline=2),
        "l": Style(fg=1, bg=4),
        "m": Style(fg=200),
        "n": Style(fg=(1, 2, 3), bg=(4, 5, 6)),
    }


def test_erased_cells_keep_the_background(engine: Engine) -> None:
    engine.feed(b"\x1b[44m\x1b[K\x1b[2;1H\x1b[48;2;9;8;7m\x1b[K")
    rows = engine.dirty_rows()
    assert rows[0] == [(" " * 20, Style(bg=4))]
    assert rows[1] == [(" " * 20, Style(bg=(9, 8, 7)))]


def test_only_changed_rows_are_dirty(engine: Engine) -> None:
    assert set(engine.dirty_rows()) == set(range(5))
    assert engine.dirty_rows() == {}
    engine.feed(b"\x1b[3;1Hx")
    assert set(engine.dirty_rows()) <= {0, 2}
    engine.text()
    assert engine.dirty_rows() == {}


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("中文x", "中文x"),
        ("e\u0301x", "e\u0301x"),
        ("👍x", "👍x"),
        ("❤\ufe0fx", "❤x"),
        ("1\ufe0f\u20e3x", "1\u20e3x"),
        ("\u202eabc", "abc"),
        ("a\u200db", "ab"),
    ],
)
def test_odd_widths_are_drawn_as_wide_as_their_cells(engine: Engine, text: str, drawn: str) -> None:
    engine.feed(text.encode())
    found = "".join(part for part, _ in engine.dirty_rows()[0])
    assert found.rstrip() == drawn
    assert cell_len(found) == 20


def test_cursor_shapes(engine: Engine) -> None:
    shapes = []
    for number in (2, 4, 6, 5):
        engine.feed(b"\x1b[%d q" % number)
        shapes.append((engine.cursor.shape, engine.cursor.blinking))
    assert shapes == [("block", False), ("underline", False), ("bar", False), ("bar", True)]
    engine.feed(b"\x1b[?25l")
    assert not engine.cursor.visible


def test_cursor_sits_on_the_first_column_of_a_wide_character(engine: Engine) -> None:
    engine.feed("中".encode() + b"\x1b[1;2H")
    assert engine.cursor.x == 0


def test_questions_are_answered(engine: Engine) -> None:
    engine.set_colors((1, 2, 3), (4, 5, 6), [(7, 7, 7)] * 16, dark=False)
    engine.feed(
        b"\x1b[c\x1b[6n\x1b]10;?\x1b\\\x1b]11;?\x1b\\\x1b]4;3;?\x1b\\\x1b[18t\x1b[?996n\x1b[?2026$p"
    )
    replies = engine.replies()
    for answer in (
        b"\x1b[?62;",
        b"\x1b[1;1R",
        b"\x1b]10;rgb:0101/0202/0303",
        b"\x1b]11;rgb:0404/0505/0606",
        b"\x1b]4;3;rgb:0707/0707/0707",
        b"\x1b[8;5;20t",
        b"\x1b[?997;2n",
        b"\x1b[?2026;2$y",
    ):
        assert answer in replies
    assert engine.replies() == b""


def test_nothing_reads_back_what_a_stranger_wrote(engine: Engine) -> None:
    engine.feed(b"\x1b]2;evil; rm -rf /\x07\x1b]52;c;ZXZpbA==\x07")
    engine.feed(b"\x1b[21t\x1b[20t\x1b]52;c;?\x07\x1b]2;?\x07\x05\x1bP$q;\x1b\\")
    replies = engine.replies()
    assert b"evil" not in replies
    assert b"rm" not in replies
    assert b"ZXZ" not in replies


def test_side_channels(engine: Engine) -> None:
    engine.feed(
        b"\x07\x1b]0;one\x07\x1b]2;t\xe4\xb8\xadwo\x1b\\\x1b]7;file:///home\x1b\\\x1b]52;c;aGVsbG8=\x07"
        b"\x1b]9;4;1;42\x07\x1b]777;notify;Train;Done\x1b\\\x07"
    )
    assert set(engine.events()) == {
        vt.Bell(),
        vt.Title("t中wo"),
        vt.Folder("file:///home"),
        vt.ClipboardWrite("hello"),
        vt.Progress("running", 42),
        vt.Notification("Train", "Done"),
    }
    assert engine.events() == []


def test_hostile_titles_are_one_short_line(engine: Engine) -> None:
    engine.feed("\x1b]2;a\u202eb\u009bc\td\x07".encode())
    assert engine.events() == [vt.Title("a b cd")]
    engine.feed(b"\x1b]2;" + b"x" * 500 + b"\x07")
    assert engine.events() == [vt.Title("x" * 200)]


def test_too_much_for_the_clipboard_is_refused(engine: Engine) -> None:
    engine.feed(b"\x1b]52;c;" + b"QUJD" * 2_000_000 + b"\x07after")
    found = [e for e in engine.events() if isinstance(e, vt.ClipboardWrite)]
    assert found == [vt.ClipboardWrite("", refused=6_000_000)]
    engine.feed(b"\r\x1b]52;c;" + b"QUJD" * 3_000_000 + b"\x07later")
    assert engine.events() == []
    assert engine.text().startswith("later")


def test_colours_a_program_sets_for_itself(engine: Engine) -> None:
    engine.set_colors((1, 1, 1), (2, 2, 2), [(3, 3, 3)] * 16, dark=True)
    engine.feed(b"\x1b[33mx")
    assert engine.dirty_rows()[0][0] == ("x", Style(fg=3))
    engine.feed(b"\x1b]4;3;rgb:ff/80/00\x07\x1b]11;#102030\x07")
    rows = engine.dirty_rows()
    assert rows[0][0] == ("x", Style(fg=(255, 128, 0), bg=(16, 32, 48)))
    assert rows[4] == [(" " * 20, Style(bg=(16, 32, 48)))]
    engine.feed(b"\x1b]104\x07\x1b]111\x07")
    assert engine.dirty_rows()[0][0] == ("x", Style(fg=3))


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_scrollback_is_at_least_as_long_as_asked(factory: EngineFactory, columns: int) -> None:
    engine = factory(columns, 50, cell_len=cell_len, scrollback=3000)
    engine.feed(
        "".join(f"\x1b[3{i % 8}m{i} {'x' * (columns - 9)}\r\n" for i in range(20_000)).encode()
    )
    bar = engine.scrollbar
    assert bar.at_bottom
    assert 3000 <= bar.offset <= 3000 + 4_000_000 // (columns * 8)
    engine.scroll(-bar.total)
    assert engine.scrollbar.offset == 0
    assert not engine.cursor.visible
    engine.scroll_to_bottom()
    assert engine.scrollbar.at_bottom
    engine.close()


def test_a_wider_screen_may_keep_as_many_lines(factory: EngineFactory) -> None:
    engine = factory(20, 50, cell_len=cell_len, scrollback=3000)
    engine.resize(200, 50)
    engine.feed("".join(f"{i} {'x' * 190}\r\n" for i in range(6000)).encode())
    assert engine.scrollbar.offset >= 3000
    engine.close()


def test_scrolled_rows_stay_while_output_goes_on(engine: Engine) -> None:
    engine.feed("".join(f"line {i}\r\n" for i in range(50)).encode())
    engine.scroll(-10)
    before = engine.text()
    engine.feed(b"more\r\nmore\r\n")
    assert engine.text() == before
    assert engine.contents().splitlines()[-1] == "more"
    assert engine.contents().splitlines()[0] == "line 0"


def test_resize_wraps_anew(engine: Engine) -> None:
    engine.feed(b"0123456789abcdefghij\r\n$ ")
    engine.resize(10, 5)
    assert (engine.columns, engine.rows) == (10, 5)
    assert engine.text().splitlines()[:3] == ["0123456789", "abcdefghij", "$"]
    engine.resize(20, 5)
    assert engine.text().splitlines()[0] == "0123456789abcdefghij"
    engine.resize(0, 0)
    assert (engine.columns, engine.rows) == (1, 1)


def test_links(engine: Engine) -> None:
    engine.feed(b"\x1b]8;;http://localhost:8888/\x07link\x1b]8;;\x07 x")
    assert engine.link_at(1, 0) == "http://localhost:8888/"
    assert engine.link_at(5, 0) == engine.link_at(99, 0) == ""


def test_modes_a_pane_asks_for(engine: Engine) -> None:
    assert not any((engine.held, engine.wheel_to_keys, engine.bracketed_paste))
    engine.feed(b"\x1b[?2026h\x1b[?1049h\x1b[?1007h\x1b[?2004h")
    assert engine.held
    assert engine.wheel_to_keys
    assert engine.bracketed_paste


def test_a_string_without_an_end_takes_no_memory_and_can_be_left(engine: Engine) -> None:
    engine.feed(b"\x1b]2;")
    for _ in range(200):
        engine.feed(b"x" * 100_000)
    engine.feed(b"\x18\x1b\\back")
    assert "back" in engine.text()


def test_closing_twice_and_never_is_harmless(factory: EngineFactory) -> None:
    engine = factory(20, 5, cell_len=cell_len)
    engine.close()
    engine.close()
    forgotten = factory(20, 5, cell_len=cell_len)
    forgotten.feed(b"x")
    del forgotten
    gc.collect()


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() == ""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert available().startswith("Panes are not available on this system")
    with pytest.raises(CloudtuiError, match="not installed"):
        load()


def test_a_library_that_does_not_load_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudtui.vt.ghostty", None)
    with pytest.raises(CloudtuiError, match="does not load"):
        load()
