"""What a person does to a pane beside typing: select, copy, paste, search, open links."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from cloudtui.ui.widgets import pane_clipboard, pane_select
from cloudtui.ui.widgets.pane import Pane
from cloudtui.vt import engine as vt
from tests.ui.test_pane import FakeChannel, PaneApp, running, shown, until

LEADER = "ctrl+right_square_bracket"


def styles_of(app: PaneApp, y: int, kind: str) -> str:
    """The text of a row that is drawn with a mark's background, or its underline for links."""
    wanted = app.pane._rows.colors.marks[kind]
    return "".join(
        text
        for text, style, _ in app.pane.render_line(y)
        if style and (style.underline if kind == "link" else style.bgcolor == wanted.bgcolor)
    )


def copied(app: PaneApp) -> list[str]:
    return [message.text for message in app.posted if isinstance(message, Pane.Copied)]


async def drag(
    pilot: Pilot[None], start: tuple[int, int], end: tuple[int, int], **keys: bool
) -> None:
    held = {"shift": False, "control": False, "meta": False} | keys
    await pilot._post_mouse_events([events.MouseDown], Pane, start, 1, **held)
    await pilot._post_mouse_events([events.MouseMove], Pane, end, 1, **held)
    await pilot._post_mouse_events([events.MouseUp], Pane, end, 1, **held)


async def say(app: PaneApp, channel: FakeChannel, text: str, last: str = "") -> None:
    channel.say(text.encode())
    last = last or text.split("\n")[-1].strip() or text.split("\n")[-2].strip()
    await until(lambda: any(last in row for row in shown(app)))


async def test_a_drag_selects_copies_and_is_drawn() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "one two\r\nthree four")
        await drag(pilot, (4, 0), (4, 1))
        await until(lambda: copied(app) == ["two\nthree"])
        assert app.clipboard == "two\nthree"
        assert app.pane.selected == "two\nthree"
        assert styles_of(app, 0, "selected").rstrip() == "two"
        assert styles_of(app, 1, "selected") == "three"
        assert channel.written == b""
        await pilot.press("x")
        await until(lambda: styles_of(app, 1, "selected") == "")
        assert app.pane.selected == ""


async def test_a_drag_upwards_selects_the_same() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "one two\r\nthree four")
        await drag(pilot, (4, 1), (4, 0))
        await until(lambda: copied(app) == ["two\nthree"])


async def test_wrapped_lines_are_copied_as_one() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "x" * 50, "x" * 10)
        await drag(pilot, (0, 0), (9, 1))
        await until(lambda: copied(app) == ["x" * 50])


async def test_double_click_takes_a_word_and_triple_click_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pane_select, "_AGAIN", 60.0)
    async with running() as (app, channel, pilot):
        await say(app, channel, "see /var/log/a.log (now)")
        await pilot.click(Pane, offset=(8, 0))
        assert copied(app) == []
        await pilot.click(Pane, offset=(8, 0))
        await until(lambda: copied(app) == ["/var/log/a.log"])
        await pilot.click(Pane, offset=(8, 0))
        await until(lambda: copied(app)[1:] == ["see /var/log/a.log (now)"])
        await pilot.click(Pane, offset=(8, 0))
        await until(lambda: app.pane.selected == "")


async def test_dragging_after_a_double_click_goes_by_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pane_select, "_AGAIN", 60.0)
    async with running() as (app, channel, pilot):
        await say(app, channel, "alpha beta gamma delta")
        await pilot.click(Pane, offset=(8, 0))
        await drag(pilot, (8, 0), (13, 0))
        await until(lambda: copied(app)[-1:] == ["beta gamma"])
        await pilot.click(Pane, offset=(1, 3))
        await pilot.click(Pane, offset=(8, 0))
        await drag(pilot, (8, 0), (2, 0))
        await until(lambda: copied(app)[-1:] == ["alpha beta"])


async def test_dragging_beyond_the_edge_scrolls_on() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "".join(f"line {i}\r\n" for i in range(100)))
        held = {"shift": False, "control": False, "meta": False}
        await pilot._post_mouse_events([events.MouseDown], Pane, (0, 3), 1, **held)
        app.pane._selection.drag(app.pane._engine, (0, 0), -2)  # type: ignore[arg-type]
        await until(lambda: shown(app)[0].startswith("line 7"))
        await pilot._post_mouse_events([events.MouseUp], Pane, (0, 0), 1, **held)
        assert app.pane.selected.splitlines()[-1] == "l"
        assert len(app.pane.selected.splitlines()) > 15
        assert not app.pane._selection.active


async def test_shift_drag_selects_when_the_program_has_the_mouse() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "\x1b[?1002h\x1b[?1006hone two", "one two")
        await drag(pilot, (0, 0), (2, 0))
        assert copied(app) == []
        assert channel.written.startswith(b"\x1b[<0;1;1M")
        channel.written.clear()
        await drag(pilot, (0, 0), (2, 0), shift=True)
        await until(lambda: copied(app) == ["one"])
        assert channel.written == b""


async def test_selecting_by_keys() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "".join(f"line {i}\r\n" for i in range(100)))
        await pilot.press(LEADER, "left_square_bracket", "home")
        await until(lambda: shown(app)[0] == "line 0")
        await pilot.press("j", "right", "l", "v", "down", "h", "y")
        await until(lambda: copied(app) == ["ne 1\nli"])
        await until(lambda: shown(app)[0] == "line 93")
        assert app.pane.selected == ""
        assert channel.written == b""


async def test_lines_by_keys_and_space_and_enter() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "a b\r\nc d\r\ne f")
        await pilot.press(LEADER, "left_square_bracket", "home", "V", "j", "enter")
        await until(lambda: copied(app) == ["a b\nc d"])
        await pilot.press(LEADER, "left_square_bracket", "home", "enter", "space", "l", "enter")
        await until(lambda: copied(app)[1:] == ["a "] or copied(app)[1:] == ["a"])


async def test_a_selection_goes_on_through_the_scrollback() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "".join(f"line {i}\r\n" for i in range(100)))
        await pilot.press(LEADER, "v", *["up"] * 12, "y")
        await until(lambda: len(copied(app)) == 1)
        assert copied(app)[0].splitlines()[0] == "line 87"
        assert copied(app)[0].splitlines()[-2] == "line 98"


async def test_the_last_row_can_be_seen_while_reading() -> None:
    async with running((80, 8)) as (app, channel, pilot):
        await say(app, channel, "".join(f"line {i}\r\n" for i in range(20)) + "last")
        await pilot.press(LEADER, "left_square_bracket", "end")
        await until(lambda: shown(app)[-1] == "last")
        assert "Esc back" in shown(app)[0]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"TMUX": "x"}, "\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"),
        ({"STY": "x"}, "\x1bP\x1b]52;c;aGk=\x07\x1b\\"),
    ],
)
def test_the_clipboard_is_wrapped_for_an_outer_multiplexer(
    environment: dict[str, str], expected: str
) -> None:
    assert pane_clipboard.sequence("hi", environment) == expected


def test_screen_gets_long_text_in_pieces() -> None:
    found = pane_clipboard.sequence("x" * 2000, {"STY": "1"})
    parts = found.removeprefix("\x1bP").removesuffix("\x1b\\").split("\x1b\\\x1bP")
    assert max(map(len, parts)) <= 500
    payload = "".join(parts).removeprefix("\x1b]52;c;").removesuffix("\x07")
    assert base64.b64decode(payload) == b"x" * 2000


async def test_an_outer_tmux_gets_the_text_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "tmux"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\n/bin/cat > {tmp_path}/text\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    monkeypatch.setenv("TMUX", "/tmp/x,1,0")
    async with running() as (app, _, _):
        pane_clipboard.pass_on(app, "one")
        text = tmp_path / "text"
        await until(lambda: text.exists() and text.read_text() == "one")
        assert (tmp_path / "args").read_text() == "load-buffer -w -\n"


@pytest.mark.parametrize("end", ["\n", "\r"], ids=repr)
async def test_newlines_into_a_bare_shell_are_asked_about(end: str) -> None:
    """Terminals paste a newline as Enter is typed, as a carriage return."""
    async with running((80, 8)) as (app, channel, pilot):
        app.pane.post_message(events.Paste(f"rm a{end}rm b{end}"))
        await until(lambda: "Paste 2 lines" in shown(app)[-1] and "PasteAsked" in app.kinds())
        asked = next(m for m in app.posted if isinstance(m, Pane.PasteAsked))
        assert (asked.text, asked.lines) == (f"rm a{end}rm b{end}", 2)
        await pilot.press("enter", "x", "space")
        assert "Paste 2 lines" in shown(app)[-1]
        assert channel.written == b""
        await pilot.press("y")
        assert channel.written == b"rm a\rrm b\r"
        await until(lambda: shown(app)[-1] == "")


@pytest.mark.parametrize("key", ["escape", "n", "ctrl+c"])
async def test_a_paste_refused_sends_nothing(key: str) -> None:
    async with running((80, 8)) as (app, channel, pilot):
        app.pane.paste("a\x1b[31m\n")
        await until(lambda: "Paste a line that would run" in shown(app)[-1])
        assert shown(app)[-1].endswith("a [31m")
        await pilot.press(key, "z")
        assert channel.written == b"z"


@pytest.mark.parametrize("mode", [b"\x1b[?2004h", b"\x1b[?1049h"])
async def test_programs_that_take_pastes_are_not_asked_about(mode: bytes) -> None:
    async with running() as (app, channel, _):
        channel.say(mode)
        app.pane.paste("a\nb")
        assert b"a\rb" in channel.written or b"a\nb" in channel.written
        assert "PasteAsked" not in app.kinds()


async def test_the_last_copy_is_pasted_by_the_leader() -> None:
    async with running() as (app, channel, pilot):
        await say(app, channel, "one two")
        await drag(pilot, (0, 0), (2, 0))
        await pilot.press(LEADER, "p")
        assert channel.written == b"one"


async def test_search_goes_through_the_past_and_marks_what_it_finds() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        await say(app, channel, "".join(f"step {i} loss\r\n" for i in range(200)))
        await pilot.press(LEADER, "slash", *"step 15")
        await until(lambda: "1 of 11" in shown(app)[-1])
        y = next(y for y, row in enumerate(shown(app)) if row == "step 159 loss")
        assert styles_of(app, y, "here") == "tep 15"
        await pilot.press("9")
        await until(lambda: "1 of 1 " in shown(app)[-1])
        await pilot.press("backspace", "enter", "n")
        await until(lambda: "2 of 11" in shown(app)[-1])
        y = next(y for y, row in enumerate(shown(app)) if row == "step 159 loss")
        assert styles_of(app, y, "match") == "step 15"
        await pilot.press("N", "N")
        await until(lambda: "11 of 11" in shown(app)[-1] or "11 of 11" in shown(app)[0])
        assert any(row == "step 15 loss" for row in shown(app))
        await pilot.press("escape")
        await until(lambda: shown(app)[0] == "step 193 loss")
        assert not app.pane._rows.marks
        assert channel.written == b""


async def test_search_says_when_there_is_nothing() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        await say(app, channel, "hello")
        await pilot.press(LEADER, "slash", *"zebra")
        await until(lambda: "nothing found" in shown(app)[-1])
        await pilot.press(*["backspace"] * 7)
        await until(lambda: "nothing found" not in shown(app)[-1])
        await pilot.press("escape", "x")
        assert channel.written == b"x"


async def test_what_comes_after_a_search_is_marked_too() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        await say(app, channel, "one error")
        await pilot.press(LEADER, "slash", *"error")
        await say(app, channel, "\r\nnew error")
        await until(lambda: styles_of(app, 1, "match") == "error")


async def test_text_found_can_be_selected_and_copied() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        await say(app, channel, "path is /a/b here")
        await pilot.press(LEADER, "slash", *"/a", "enter", "v", "l", "l", "l", "y")
        await until(lambda: copied(app) == ["/a/b"])


LINKS = "\x1b]8;;https://one.example/x\x07one\x1b]8;;\x07 and http://localhost:8888/?token=a."


async def test_links_are_listed_and_opened() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        await say(app, channel, LINKS, "one and http")
        assert app.pane.links() == ["https://one.example/x", "http://localhost:8888/?token=a"]
        await pilot.press(LEADER, "u")
        await until(lambda: "http://localhost:8888/?token=a  1 of 2" in shown(app)[-1])
        assert styles_of(app, 0, "link") == "http://localhost:8888/?token=a"
        await pilot.press("up")
        await until(lambda: "https://one.example/x  2 of 2" in shown(app)[-1])
        await pilot.press("y")
        await until(lambda: copied(app) == ["https://one.example/x"])
        await pilot.press(LEADER, "u", "enter")
        await until(lambda: "LinkOpened" in app.kinds())
        opened = next(m for m in app.posted if isinstance(m, Pane.LinkOpened))
        assert opened.url == "http://localhost:8888/?token=a"
        assert channel.written == b""


async def test_no_links_is_said() -> None:
    async with running((60, 8)) as (app, _, pilot):
        await pilot.press(LEADER, "u")
        await until(lambda: "No addresses on the screen" in shown(app)[-1])
        await pilot.press("enter")
        await until(lambda: shown(app)[-1] == "")


async def test_control_click_opens_and_hover_underlines() -> None:
    async with running((60, 8)) as (app, channel, pilot):
        await say(app, channel, "\x1b[?1002h\x1b[?1006hsee http://a.example/b now", "see http")
        await pilot.hover(Pane, offset=(10, 0))
        assert styles_of(app, 0, "link") == ""
        channel.say(b"\x1b[?1002l")
        await pilot.hover(Pane, offset=(11, 0))
        await until(lambda: styles_of(app, 0, "link") == "http://a.example/b")
        await pilot.hover(Pane, offset=(1, 0))
        await until(lambda: styles_of(app, 0, "link") == "")
        await pilot.click(Pane, offset=(10, 0))
        assert "LinkOpened" not in app.kinds()
        await pilot.click(Pane, offset=(10, 0), control=True)
        await until(lambda: "LinkOpened" in app.kinds())


async def test_typing_is_told_and_can_be_repeated_elsewhere() -> None:
    async with running() as (app, channel, pilot):
        heard: list[vt.Key | str] = []
        app.pane.typed = heard.append
        await pilot.press("a", "up")
        app.pane.paste("text")
        assert [key if isinstance(key, str) else key.name for key in heard] == ["a", "up", "text"]
        channel.say(b"\x1b[?1h")
        channel.written.clear()
        for what in heard.copy():
            app.pane.type(what)
        assert channel.written == b"a\x1bOAtext"
        assert len(heard) == 3


async def test_what_the_host_sends_can_be_logged() -> None:
    async with running() as (app, channel, _):
        log: list[bytes] = []
        app.pane.tee = log.append
        channel.say(b"one\x1b[31m")
        app.pane.tee = None
        channel.say(b"two")
        assert log == [b"one\x1b[31m"]


async def test_a_notice_lies_over_the_last_row() -> None:
    async with running() as (app, _, _):
        app.pane.notice = "Typing goes to 3 panes"
        await until(lambda: shown(app)[-1] == " Typing goes to 3 panes")
        app.pane.notice = ""
        await until(lambda: shown(app)[-1] == "")


async def test_the_whole_screen_reversed() -> None:
    async with running() as (app, channel, _):
        await say(app, channel, "x")

        def color() -> Callable[[], object]:
            return lambda: next(iter(app.pane.render_line(2))).style.bgcolor  # type: ignore[union-attr]

        before = color()()
        channel.say(b"\x1b[?5h")
        await until(lambda: color()() != before)
        channel.say(b"\x1b[?5l")
        await until(lambda: color()() == before)


async def test_a_blinking_cursor_goes_and_comes() -> None:
    async with running() as (app, channel, _):
        channel.say(b"\x1b[1 qx")
        await until(lambda: app.pane._rows.cursor.blinking)
        app.pane._blink()
        assert not app.pane._rows.lit
        channel.say(b"y")
        await until(lambda: app.pane._rows.lit)
        channel.say(b"\x1b[2 q")
        await until(lambda: not app.pane._rows.cursor.blinking)
        app.pane._blink()
        assert app.pane._rows.lit
        assert app.pane._blinker is None
