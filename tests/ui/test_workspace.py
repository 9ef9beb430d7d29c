"""Tabs and splits, driven by keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from textual import events
from textual.widgets import Input

from cloudtui.core.reattach import Loss
from cloudtui.model.errors import NotFound, Unreachable
from cloudtui.ui.screens.sessions import SessionsScreen
from cloudtui.ui.screens.workspace import WorkspaceScreen
from cloudtui.ui.widgets.frame import Header
from cloudtui.ui.widgets.splits_frame import PaneFrame
from tests.ui.fakes import Console, FakeAttachment
from tests.ui.test_attached import LOST, attached, until

LEADER = "ctrl+right_square_bracket"


class Panes:
    """The console with a workspace in front; `channels` in the order they were opened."""

    def __init__(self, ui: Console) -> None:
        self.ui = ui

    @property
    def channels(self) -> list[FakeAttachment]:
        return self.ui.bench.sessions.attached

    @property
    def screen(self) -> WorkspaceScreen:
        assert self.ui.app.workspace
        return self.ui.app.workspace

    async def lead(self, *keys: str) -> None:
        for key in keys:
            await self.ui.press(LEADER, key)

    async def split(self, key: str) -> FakeAttachment:
        """Open a shell of the same host beside or below."""
        before = len(self.channels)
        await self.lead(key)
        await self.ui.press("enter")
        await until(self.ui, lambda: len(self.channels) > before)
        await until(self.ui, lambda: self.focused)
        return self.channels[-1]

    @property
    def focused(self) -> bool:
        frame = self.screen.frame
        return frame is not None and frame.pane.has_focus


@asynccontextmanager
async def panes() -> AsyncIterator[Panes]:
    async with attached() as (ui, _):
        yield Panes(ui)


async def test_a_split_shares_the_room_and_takes_the_keys() -> None:
    async with panes() as it:
        new = await it.split("vertical_line")
        await until(it.ui, lambda: it.channels[0].size == (60, 33))
        assert new.size == (59, 33)
        await it.ui.press("l", "s")
        assert [c.written for c in it.channels] == [b"", b"ls"]
        assert "shell on bert-gpu" in it.ui.text.splitlines()[0]


async def test_a_split_below_and_moving_between_panes() -> None:
    async with panes() as it:
        await it.split("minus")
        await until(it.ui, lambda: it.channels[0].size == (120, 16))
        await it.lead("up")
        await it.ui.press("a")
        await it.lead("down")
        await it.ui.press("b")
        assert [c.written for c in it.channels] == [b"a", b"b"]


async def test_borders_move_and_panes_swap() -> None:
    async with panes() as it:
        await it.split("vertical_line")
        await it.lead("H")
        await until(it.ui, lambda: it.channels[1].size == (63, 33))
        await it.lead("right_curly_bracket")
        await until(it.ui, lambda: it.screen.frame is not None and it.screen.frame.region.x == 0)


async def test_zoom_shows_one_pane_and_all_again() -> None:
    async with panes() as it:
        await it.split("vertical_line")
        await it.lead("z")
        await until(it.ui, lambda: it.channels[1].size == (120, 33))
        assert "zoomed" in it.ui.text
        await it.lead("z")
        await until(it.ui, lambda: it.channels[1].size == (59, 33))


async def test_closing_a_pane_gives_its_room_back_and_stays() -> None:
    async with panes() as it:
        new = await it.split("vertical_line")
        await it.lead("x")
        await until(it.ui, lambda: new.closed and it.channels[0].size == (120, 33))
        await until(it.ui, lambda: it.focused)
        assert isinstance(it.ui.app.screen, WorkspaceScreen)
        assert not it.channels[0].closed


async def test_the_console_comes_back_with_everything_attached() -> None:
    async with panes() as it:
        await it.split("vertical_line")
        await it.lead("m")
        assert isinstance(it.ui.app.screen, SessionsScreen)
        assert not any(c.closed for c in it.channels)
        it.channels[0].print("still here\r\n")
        it.ui.app.open_workspace()
        await until(it.ui, lambda: "still here" in it.ui.text and it.focused)


async def test_leaving_detaches_the_focused_pane_alone() -> None:
    async with panes() as it:
        new = await it.split("vertical_line")
        await it.lead("d")
        await until(it.ui, lambda: isinstance(it.ui.app.screen, SessionsScreen))
        assert (it.channels[0].closed, new.closed) == (False, True)


async def test_a_session_opened_again_is_the_pane_it_has_already() -> None:
    async with panes() as it:
        await it.lead("m")
        await it.ui.do("session.attach")
        await until(it.ui, lambda: it.focused)
        assert len(it.channels) == 1


async def test_each_opening_is_a_tab_and_the_bar_tells_them() -> None:
    async with panes() as it:
        await it.lead("m")
        await it.ui.do("machine.shell")
        await until(it.ui, lambda: len(it.channels) == 2 and it.focused)
        line = it.ui.text.splitlines()[0]
        assert "1 eval bert-gpu" in line
        assert "2 shell bert-gpu" in line
        it.channels[0].print("\x07")
        await until(it.ui, lambda: "! rang" in it.ui.text.splitlines()[0])
        await it.lead("1")
        await until(it.ui, lambda: "! rang" not in it.ui.text and it.focused)
        await it.ui.press("x")
        assert it.channels[0].written == b"x"


async def test_progress_of_a_program_stands_on_its_tab() -> None:
    async with panes() as it:
        await it.lead("m")
        await it.ui.do("machine.shell")
        await until(it.ui, lambda: len(it.channels) == 2 and it.focused)
        it.channels[0].print("\x1b]9;4;1;42\x07")
        await until(it.ui, lambda: "42 %" in it.ui.text.splitlines()[0])


async def test_typing_goes_to_the_chosen_panes_and_says_so_until_the_tab_is_left() -> None:
    async with panes() as it:
        await it.split("vertical_line")
        await it.split("minus")
        await it.lead("b", "left", "b")
        assert it.ui.text.count("TYPING GOES TO 2 PANES") == 2
        await it.ui.press("l", "s", "enter")
        await until(it.ui, lambda: it.channels[2].written == b"ls\r")
        assert [c.written for c in it.channels] == [b"ls\r", b"", b"ls\r"]
        await it.lead("m")
        it.ui.app.open_workspace()
        await until(it.ui, lambda: it.focused)
        assert "TYPING GOES" not in it.ui.text
        await it.ui.press("a")
        assert [c.written for c in it.channels] == [b"ls\ra", b"", b"ls\r"]


async def test_a_lost_pane_does_not_touch_its_neighbour() -> None:
    async with panes() as it:
        new = await it.split("vertical_line")
        it.ui.bench.sessions.answer = Unreachable("Cannot reach bert-gpu.")
        it.channels[0].end.set_result(LOST)
        await until(it.ui, lambda: "× connection lost" in it.ui.text)
        await it.ui.press("l", "s")
        assert new.written == b"ls"


async def test_a_connection_that_several_panes_lose_is_told_once() -> None:
    async with panes() as it:
        await it.split("vertical_line")
        frames = list(it.screen.query(PaneFrame))
        for frame in frames:
            frame.post_message(PaneFrame.Lost(frame, Loss(datetime.now(UTC))))
        await it.lead("m")
        frames[0].post_message(PaneFrame.Lost(frames[0], None))
        await until(it.ui, lambda: any("is back" in text for text in it.ui.said))
        told = [text for text in it.ui.said if "connection" in text]
        assert (len(frames), told) == (2, ["Lost the connection to bert-gpu; connecting again."])


async def test_a_log_is_written_where_it_says() -> None:
    async with panes() as it:
        await it.lead("l")
        assert "logs/bert-gpu-eval-" in it.ui.app.screen.query_one(Input).value
        await it.ui.press("enter")
        assert "● log" in it.ui.text
        it.channels[0].print("step 41")
        await it.lead("l")
        path = it.ui.said[-1].rpartition(" ")[2]
        assert path.startswith("/")
        with open(path, "rb") as file:  # noqa: ASYNC230, PTH123
            assert file.read() == b"step 41"


async def test_the_last_layout_of_a_host_is_opened_again_on_demand() -> None:
    async with panes() as it:
        await it.split("vertical_line")
        await it.lead("R")
        await until(it.ui, lambda: len(it.channels) == 4 and it.focused)
        assert len(it.screen.tabs) == 2
        await until(it.ui, lambda: it.channels[3].size[0] < 61)


async def test_a_key_that_does_nothing_after_the_leader_is_said() -> None:
    async with panes() as it:
        await it.lead("y")
        assert it.ui.said[-1] == "Ctrl-] y does nothing. With ? all keys are shown."


async def test_without_a_real_terminal_the_full_screen_says_so() -> None:
    async with panes() as it:
        await it.lead("f")
        await until(it.ui, lambda: "needs a real terminal" in "".join(it.ui.said))
        assert it.focused


async def test_leaving_the_app_closes_every_pane_in_front_or_not() -> None:
    async with panes() as it:
        await it.split("vertical_line")
        await it.lead("m")
    assert all(c.closed for c in it.channels)


async def follow(it: Panes, text: str) -> None:
    """Print an address in the last pane that was opened, and open it by keys."""
    it.channels[-1].print(text)
    await until(it.ui, lambda: "page" in it.ui.text)
    await it.lead("u")
    await it.ui.press("enter")


async def test_an_address_of_the_host_is_opened_where_it_is_reached() -> None:
    async with panes() as it:
        await follow(it, "page http://localhost:8888/lab?token=s3cret\r\n")
        bench = it.ui.bench
        await until(it.ui, lambda: bench.browsed == ["http://localhost:9999/"])
        assert bench.links.asked == [("bert-gpu", "http://localhost:8888/lab?token=s3cret")]
        await until(it.ui, lambda: it.ui.said[-1:] == ["A port of bert-gpu is here."])


async def test_an_osc_8_link_goes_the_same_way() -> None:
    async with panes() as it:
        await follow(it, "\x1b]8;;http://127.0.0.1:6006/\x1b\\the page\x1b]8;;\x1b\\\r\n")
        await until(it.ui, lambda: bool(it.ui.bench.browsed))
        assert it.ui.bench.links.asked == [("bert-gpu", "http://127.0.0.1:6006/")]


async def test_an_address_that_cannot_be_reached_is_said() -> None:
    async with panes() as it:
        it.ui.bench.links.refusal = NotFound("Nothing listens on port 8888 of bert-gpu.")
        await follow(it, "page http://localhost:8888/\r\n")
        await until(it.ui, lambda: "Nothing listens on port 8888 of bert-gpu." in it.ui.said)
        assert it.ui.bench.browsed == []


async def test_an_address_in_a_local_shell_is_opened_as_it_is() -> None:
    async with panes() as it:
        await it.lead("c")
        await until(it.ui, lambda: len(it.screen.tabs[0].frames) == 2 and it.focused)
        await it.ui.press(*"echo page http://localhost:8888/", "enter")
        await until(it.ui, lambda: "\npage http" in it.screen.frame.pane.text)  # type: ignore[union-attr]
        await it.lead("u")
        await it.ui.press("enter")
        await until(it.ui, lambda: it.ui.bench.browsed == ["http://localhost:8888/"])
        assert it.ui.bench.links.asked[-1][0] == ""


async def test_a_pane_moves_to_a_tab_of_its_own_and_stays_attached() -> None:
    async with panes() as it:
        new = await it.split("vertical_line")
        new.print("before the move")
        await it.lead("exclamation_mark")
        await until(it.ui, lambda: len(it.screen.tabs) == 2 and it.focused)
        await until(it.ui, lambda: new.size == (120, 32))
        assert "before the move" in it.ui.text
        await it.ui.press("a")
        await it.lead("1")
        await until(it.ui, lambda: it.channels[0].size == (120, 32) and it.focused)
        await it.ui.press("b")
        assert [c.written for c in it.channels] == [b"b", b"a"]
        assert not any(c.closed for c in it.channels)


async def test_a_pane_alone_in_its_tab_has_a_tab_of_its_own_already() -> None:
    async with panes() as it:
        await it.lead("exclamation_mark")
        assert it.ui.said[-1] == "This pane has a tab of its own already."
        await it.lead("t")
        assert it.ui.said[-1] == "There is no other tab to move this pane to."


async def test_a_pane_moves_to_a_chosen_tab_and_the_layout_is_remembered() -> None:
    async with panes() as it:
        await it.split("minus")
        await it.lead("exclamation_mark")
        await until(it.ui, lambda: len(it.screen.tabs) == 2 and it.focused)
        it.channels[1].print("kept")
        await it.lead("t")
        assert "1  eval bert-gpu" in it.ui.text
        await it.ui.press("enter")
        await until(it.ui, lambda: len(it.screen.tabs) == 1 and it.focused)
        await until(it.ui, lambda: [c.size for c in it.channels] == [(60, 33), (59, 33)])
        assert "kept" in it.ui.text
        await it.ui.press("x")
        assert it.channels[1].written == b"x"
        assert not any(c.closed for c in it.channels)
        await it.lead("R")
        await until(it.ui, lambda: len(it.channels) == 4 and it.focused)
        assert it.channels[2].size[1] == 32
        assert it.channels[3].size[0] < 61


async def test_one_of_two_panes_moves_to_a_tab_and_the_other_stays() -> None:
    async with panes() as it:
        await it.split("minus")
        await it.split("vertical_line")
        await it.lead("exclamation_mark")
        await until(it.ui, lambda: len(it.screen.tabs) == 2 and it.focused)
        await it.lead("1")
        await until(it.ui, lambda: it.focused)
        await it.lead("t")
        await it.ui.press("enter")
        await until(it.ui, lambda: it.screen.tab is it.screen.tabs[1] and it.focused)
        assert [len(tab.frames) for tab in it.screen.tabs] == [1, 2]
        await until(it.ui, lambda: it.channels[1].size == (59, 32))
        await it.lead("1", "x")
        await until(it.ui, lambda: it.channels[0].closed and it.focused)
        assert [c.closed for c in it.channels] == [True, False, False]


async def test_what_is_typed_while_a_pane_opens_reaches_it() -> None:
    async with panes() as it:
        it.ui.bench.sessions.hold.clear()
        await it.lead("vertical_line")
        await it.ui.press("enter")
        frame = it.screen.frame
        assert frame is not None
        await until(it.ui, lambda: frame.pane._engine is not None)
        await it.ui.press("q", "T", "enter")
        it.ui.bench.sessions.hold.set()
        await until(it.ui, lambda: len(it.channels) == 2 and it.focused)
        assert [c.written for c in it.channels] == [b"", b"qT\r"]


async def test_what_is_typed_at_once_after_a_choice_reaches_the_new_pane() -> None:
    async with panes() as it:
        await it.lead("vertical_line")
        for character in "\recho\r":
            key = "enter" if character == "\r" else character
            it.ui.app.post_message(events.Key(key, character))
        await until(it.ui, lambda: len(it.channels) == 2 and it.focused)
        await until(it.ui, lambda: it.channels[1].written == b"echo\r")
        assert it.channels[0].written == b""


async def test_a_pane_is_not_split_until_nothing_is_seen_of_it() -> None:
    async with panes() as it:
        for _ in range(2):
            await it.split("minus")
        await until(it.ui, lambda: it.channels[2].size == (120, 7))
        await it.split("minus")
        await it.lead("minus")
        await until(it.ui, lambda: "too small for another one" in it.ui.text)
        assert isinstance(it.ui.app.screen, WorkspaceScreen)


async def test_what_moves_on_the_list_below_does_not_paint_the_pane_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with panes() as it:
        app = it.ui.app
        below = app.screen_stack[-2]
        for _ in range(5):
            await it.ui.settle()
        painted: list[object] = []
        with monkeypatch.context() as patched:
            patched.setattr(app, "_display", lambda screen, update: painted.append(update))
            for _ in range(3):
                below.query_one(Header).refresh(layout=True)
                await it.ui.settle()
        assert [update for update in painted if update is not None] == []
        below.query_one(Header).machine = "renamed meanwhile"
        await it.ui.settle()
        await it.lead("m")
        await until(it.ui, lambda: "renamed meanwhile" in it.ui.text)


async def test_a_dialog_is_seen_over_the_pane() -> None:
    async with panes() as it:
        it.channels[0].print("still to be seen\r\n")
        await it.lead("vertical_line")
        await until(it.ui, lambda: "Open beside it" in it.ui.text)
        assert "still to be seen" in it.ui.text
        it.channels[0].print("and what comes meanwhile\r\n")
        await until(it.ui, lambda: "and what comes meanwhile" in it.ui.text)
