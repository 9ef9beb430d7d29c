"""The pane against a fake channel: keys, words, endings, painting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from cloudtui.model.errors import CloudtuiError, Unreachable
from cloudtui.model.session import Ending
from cloudtui.ui.widgets.pane import Pane
from cloudtui.ui.widgets.pane_feed import HIGH
from cloudtui.vt import engine as vt
from tests.vt.local_pty import End


class FakeChannel:
    def __init__(self) -> None:
        self.written = bytearray()
        self.sizes: list[tuple[int, int]] = []
        self.calls: list[str] = []
        self.ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self.say: Callable[[bytes], None] = lambda data: None

    async def open(self, columns: int, rows: int, on_data: Callable[[bytes], None]) -> FakeChannel:
        self.sizes.append((columns, rows))
        self.say = on_data
        return self

    def write(self, data: bytes) -> None:
        self.written += data

    def resize(self, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    async def wait(self) -> End:
        return await asyncio.shield(self.ended)

    async def close(self) -> None:
        self.calls.append("close")
        if not self.ended.done():
            self.ended.set_result(End(Ending.DETACHED, "Left."))


class PaneApp(App[None]):
    """One pane; remembers what it posted."""

    BINDINGS = []
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane
        self.posted: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in ("quit", "help_quit")

    def on_event_kept(self, message: Message) -> None:
        self.posted.append(message)

    on_pane_opened = on_pane_left = on_pane_ended = on_pane_failed = on_event_kept
    on_pane_paste_asked = on_pane_link_opened = on_pane_copied = on_event_kept
    on_pane_title_changed = on_pane_bell = on_pane_told = on_pane_leader_key = on_event_kept

    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.posted]


async def until(condition: Callable[[], object], seconds: float = 40.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def shown(app: PaneApp) -> list[str]:
    """What the compositor drew, row by row."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


@asynccontextmanager
async def running(
    size: tuple[int, int] = (40, 8), **options: str
) -> AsyncIterator[tuple[PaneApp, FakeChannel, Pilot[None]]]:
    channel = FakeChannel()
    app = PaneApp(Pane(channel.open, **options))  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        await until(lambda: "Opened" in app.kinds())
        yield app, channel, pilot


async def test_text_is_painted_and_keys_go_out() -> None:
    async with running() as (app, channel, pilot):
        assert channel.sizes == [(40, 8)]
        channel.say(b"hello \x1b[31mred\x1b[0m\r\n$ ")
        await until(lambda: shown(app)[0] == "hello red")
        await pilot.press("l", "s", "enter")
        assert channel.written == b"ls\r"


KEYS = [
    ("ctrl+c", b"\x03"),
    ("ctrl+q", b"\x11"),
    ("ctrl+p", b"\x10"),
    ("escape", b"\x1b"),
    ("tab", b"\t"),
    ("shift+tab", b"\x1b[Z"),
    ("backspace", b"\x7f"),
    ("up", b"\x1b[A"),
    ("ctrl+left", b"\x1b[1;5D"),
    ("alt+up", b"\x1b[1;3A"),
    ("alt+b", b"\x1bb"),
    ("alt+full_stop", b"\x1b."),
    ("f1", b"\x1bOP"),
    ("f12", b"\x1b[24~"),
    ("shift+f5", b"\x1b[15;2~"),
    ("pageup", b"\x1b[5~"),
    ("ctrl+@", b"\x00"),
    ("ctrl+backslash", b"\x1c"),
    ("ctrl+underscore", b"\x1f"),
    ("é", "é".encode()),
]


async def test_every_key_reaches_the_program() -> None:
    async with running() as (_, channel, pilot):
        for key, expected in KEYS:
            channel.written.clear()
            await pilot.press(key)
            assert bytes(channel.written) == expected, key


async def test_application_cursor_keys_follow_the_program() -> None:
    async with running() as (_, channel, pilot):
        channel.say(b"\x1b[?1h")
        await pilot.press("up")
        assert channel.written == b"\x1bOA"


async def test_leader_shows_its_hints_and_leaves() -> None:
    async with running(hints="? all keys") as (app, channel, pilot):
        await pilot.press("ctrl+right_square_bracket")
        await until(lambda: "d leave  [ scrollback  Esc cancel" in shown(app)[-1])
        await pilot.press("escape")
        await until(lambda: shown(app)[-1] == "")
        assert channel.written == b""
        await pilot.press("ctrl+right_square_bracket", "d")
        await until(lambda: "Left" in app.kinds())
        assert channel.calls == ["close"]
        assert "Ended" not in app.kinds()
        assert channel.written == b""


async def test_leader_twice_sends_it_and_other_keys_are_told() -> None:
    async with running(leader="ctrl+b") as (app, channel, pilot):
        await pilot.press("ctrl+b", "ctrl+b")
        assert channel.written == b"\x02"
        await pilot.press("ctrl+b", "z", "ctrl+right_square_bracket")
        assert channel.written == b"\x02\x1d"
        await until(lambda: "LeaderKey" in app.kinds())
        told = next(m for m in app.posted if isinstance(m, Pane.LeaderKey))
        assert told.key == "z"


async def test_resize_reaches_engine_and_remote() -> None:
    async with running() as (app, channel, pilot):
        channel.say(b"one two three four five")
        await pilot.resize_terminal(10, 8)
        await until(lambda: channel.sizes[-1] == (10, 8))
        await until(lambda: shown(app)[:3] == ["one two th", "ree four f", "ive"])


async def test_a_thousand_resizes_reach_the_remote_as_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running((60, 12)) as (app, channel, _):
        for number in range(1000):
            size = Size(20 + number % 40, 3 + number % 9)
            monkeypatch.setattr(Pane, "outer_size", size)
            app.pane.on_resize()
        monkeypatch.setattr(Pane, "outer_size", Size(31, 7))
        app.pane.on_resize()
        await until(lambda: channel.sizes[-1] == (31, 7))
        assert len(channel.sizes) < 10
        channel.say(b"still here")
        await until(lambda: "still here" in app.pane.text)


async def test_an_ended_program_leaves_its_last_screen_and_a_sentence() -> None:
    async with running() as (app, channel, pilot):
        channel.say(b"x" * 8_000_000 + b"\x1b[2J\x1b[Hlast words")
        channel.ended.set_result(End(Ending.LOST, "The connection is gone."))
        await until(lambda: "Ended" in app.kinds())
        assert app.pane.text.startswith("last words")
        ended = next(m for m in app.posted if isinstance(m, Pane.Ended))
        assert (ended.ending, ended.sentence) == (Ending.LOST, "The connection is gone.")
        await until(lambda: shown(app)[-1] == " The connection is gone.")
        assert shown(app)[0] == "last words"
        await pilot.press("x")
        assert channel.written == b""
        await pilot.press("enter")
        await until(lambda: "Left" in app.kinds())


async def test_a_failing_opener_is_told_in_words() -> None:
    async def fail(columns: int, rows: int, on_data: Callable[[bytes], None]) -> FakeChannel:
        raise Unreachable("Cannot reach bert-gpu.", "Timed out.", "Press r to try again.")

    app = PaneApp(Pane(fail))
    async with app.run_test(size=(40, 6)):
        await until(lambda: "Failed" in app.kinds())
        failed = next(m for m in app.posted if isinstance(m, Pane.Failed))
        assert failed.error.hint == "Press r to try again."
        await until(lambda: " Timed out." in shown(app))
        assert app.pane.state == "failed"


async def test_without_an_engine_the_pane_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> vt.EngineFactory:
        raise CloudtuiError("Panes are not available on this system.")

    monkeypatch.setattr(vt, "load", missing)
    app = PaneApp(Pane(lambda *_: pytest.fail("opened")))
    async with app.run_test(size=(60, 6)):
        await until(lambda: shown(app)[0] == " Panes are not available on this system.")


async def test_connecting_is_said_while_it_takes_long() -> None:
    channel = FakeChannel()
    gate = asyncio.Event()

    async def slow(columns: int, rows: int, on_data: Callable[[bytes], None]) -> FakeChannel:
        await gate.wait()
        return await channel.open(columns, rows, on_data)

    app = PaneApp(Pane(slow, connecting="Connecting to bert-gpu …"))
    async with app.run_test(size=(40, 6)) as pilot:
        await until(lambda: shown(app)[0] == " Connecting to bert-gpu …")
        await pilot.press("x")
        gate.set()
        await until(lambda: app.pane.state == "open")
        await until(lambda: shown(app)[0] == "")
        assert channel.written == b""


async def test_output_before_the_channel_is_there_is_shown_and_answered() -> None:
    channel = FakeChannel()

    async def eager(columns: int, rows: int, on_data: Callable[[bytes], None]) -> FakeChannel:
        on_data(b"early\x1b[6n")
        return await channel.open(columns, rows, on_data)

    app = PaneApp(Pane(eager))
    async with app.run_test(size=(40, 6)):
        await until(lambda: shown(app)[0] == "early")
        assert channel.written == b"\x1b[1;6R"


async def test_paste_is_bracketed_when_asked_for() -> None:
    async with running() as (app, channel, _):
        app.pane.post_message(events.Paste("ab"))
        await until(lambda: channel.written == b"ab")
        channel.written.clear()
        channel.say(b"\x1b[?2004h")
        app.pane.post_message(events.Paste("a\x1b[201~b"))
        await until(lambda: channel.written.startswith(b"\x1b[200~"))
        assert channel.written.count(b"\x1b[201~") == 1


async def test_wheel_scrolls_back_and_typing_returns() -> None:
    async with running() as (app, channel, pilot):
        channel.say("".join(f"line {i}\r\n" for i in range(100)).encode())
        await until(lambda: "line 99" in app.pane.text)
        await pilot._post_mouse_events([events.MouseScrollUp], Pane, button=0)
        await until(lambda: shown(app)[0] == "line 90")
        assert shown(app)[-1].startswith(" 3 of 93 lines back")
        await pilot.press("x")
        assert channel.written == b"x"
        await until(lambda: shown(app)[0] == "line 93")


async def test_scrollback_keys_after_the_leader() -> None:
    async with running() as (app, channel, pilot):
        channel.say("".join(f"line {i}\r\n" for i in range(100)).encode())
        await pilot.press("ctrl+right_square_bracket", "left_square_bracket", "pageup")
        await until(lambda: shown(app)[0] == "line 86")
        await pilot.press("home")
        await until(lambda: shown(app)[0] == "line 0")
        await pilot.press("pagedown", "end", "up", "escape")
        await until(lambda: shown(app)[0] == "line 93")
        assert channel.written == b""
        await pilot.press("pageup")
        assert channel.written == b"\x1b[5~"


async def test_mouse_goes_to_a_program_that_asked() -> None:
    async with running() as (_, channel, pilot):
        await pilot.click(Pane, offset=(3, 2))
        assert channel.written == b""
        channel.say(b"\x1b[?1000h\x1b[?1006h")
        await pilot.click(Pane, offset=(3, 2))
        assert channel.written == b"\x1b[<0;4;3M\x1b[<0;4;3m"
        channel.written.clear()
        await pilot._post_mouse_events([events.MouseScrollDown], Pane, offset=(0, 0), button=0)
        assert channel.written == b"\x1b[<65;1;1M"


async def test_wheel_is_arrows_for_a_full_screen_program() -> None:
    async with running() as (_, channel, pilot):
        channel.say(b"\x1b[?1049h\x1b[?1007h")
        await pilot._post_mouse_events([events.MouseScrollUp], Pane, button=0)
        assert channel.written == b"\x1b[A" * 3


def cursor_cells(app: PaneApp) -> list[str]:
    """Text drawn in the cursor's colours, top to bottom."""
    colors = app.pane._rows.colors
    styles = (colors.cursor, colors.cursor_away)
    return [
        segment.text
        for y in range(app.pane.size.height)
        for segment in app.pane.render_line(y)
        if segment.style and any(style == segment.style for style in styles)
    ]


async def test_the_cursor_covers_the_whole_character() -> None:
    async with running() as (app, channel, _):
        channel.say("ab中\x1b[1;2H".encode())
        await until(lambda: cursor_cells(app) == ["b"])
        channel.say(b"\x1b[1;3H")
        await until(lambda: cursor_cells(app) == ["中"])
        app.pane.blur()
        await until(lambda: not app.pane.has_focus)
        assert cursor_cells(app) == ["中"]
        channel.say(b"\x1b[?25l")
        await until(lambda: cursor_cells(app) == [])


@pytest.mark.parametrize("under", [" ", "x", "中"])
async def test_the_cursor_stands_out_on_reversed_cells(under: str) -> None:
    async with running() as (app, channel, _):
        channel.say(f"\x1b[7m{under * 3}\x1b[m\x1b[1;1H".encode())
        plain, width = app.pane._rows.colors.plain, cell_len(under)

        def looks(start: int, end: int) -> list[tuple[str, object]]:
            row = app.pane.render_line(0).crop(start * width, end * width)
            return [(part.text, part.style and part.style.bgcolor) for part in row if part.text]

        await until(lambda: looks(1, 3) == [(under * 2, plain.color)])
        assert app.pane.has_focus
        await until(lambda: looks(0, 1) == [(under, plain.bgcolor)])


async def test_title_bell_and_clipboard_are_told_once() -> None:
    async with running() as (app, channel, _):
        channel.say(b"\x1b]2;train.py\x07\x07\x1b]52;c;aGVsbG8=\x07")
        await until(lambda: {"TitleChanged", "Bell", "Told"} <= set(app.kinds()))
        channel.say(b"\x1b]2;train.py\x07")
        told = next(m for m in app.posted if isinstance(m, Pane.Told))
        assert told.event == vt.ClipboardWrite("hello")
        assert app.pane.title == "train.py"
        assert app.kinds().count("TitleChanged") == 1


async def test_a_flood_pauses_the_remote_and_lets_it_go_on() -> None:
    async with running() as (app, channel, _):
        for _ in range(40):
            channel.say(b"0123456789abcdef" * (HIGH // 16 // 10))
        assert channel.calls == ["pause"]
        await until(lambda: channel.calls == ["pause", "resume"])
        channel.say(b"\r\nthe end")
        await until(lambda: "the end" in "\n".join(shown(app)))


async def test_questions_about_colours_get_the_theme() -> None:
    async with running() as (app, channel, pilot):
        app.theme = "textual-light"
        await pilot.pause()
        r, g, b = app.pane._rows.colors.background
        channel.say(b"\x1b]11;?\x1b\\\x1b[?996n")
        expected = f"\x1b]11;rgb:{r:02x}{r:02x}/{g:02x}{g:02x}/{b:02x}{b:02x}\x1b\\\x1b[?997;2n"
        assert channel.written.decode() == expected
        assert min(r, g, b) > 128


async def test_held_painting_comes_as_one() -> None:
    async with running() as (app, channel, pilot):
        channel.say(b"\x1b[?2026hhalf")
        await pilot.pause()
        assert shown(app)[0] == ""
        channel.say(b" whole\x1b[?2026l")
        await until(lambda: shown(app)[0] == "half whole")


async def test_removing_a_pane_closes_its_channel() -> None:
    async with running() as (app, channel, _):
        await app.pane.remove()
        assert channel.calls == ["close"]
        channel.say(b"too late")


async def test_a_pane_opens_though_textual_tells_it_no_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resizes: list[Message] = []

    class Quiet(Pane):
        async def _on_message(self, message: Message) -> None:
            if isinstance(message, events.Resize):
                resizes.append(message)
            await super()._on_message(message)

    class Empty(PaneApp):
        def compose(self) -> ComposeResult:
            yield Static()

        def on_mount(self) -> None:
            pass

    channel = FakeChannel()
    pane = Quiet(channel.open)
    app = Empty(pane)
    async with app.run_test(size=(40, 8)):
        with monkeypatch.context() as held:
            held.setattr(app.screen, "_refresh_layout", lambda *_, **__: None)
            await app.mount(pane)
            # What a neighbour's look at its region does between mount and layout.
            app.screen._compositor._full_map_invalidated = True
            assert app.screen._compositor.full_map[pane].region
        app.screen.refresh(layout=True)
        await until(lambda: "Opened" in app.kinds(), 10)
        assert not resizes
