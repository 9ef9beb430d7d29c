from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from cloudtui.core.attachment import AttachmentEnd
from cloudtui.model.errors import CredentialsProblem, Unreachable
from cloudtui.model.session import Ending, SessionList
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.sessions import SessionsScreen
from cloudtui.ui.screens.workspace import WorkspaceScreen
from cloudtui.ui.widgets import splits_frame
from cloudtui.ui.widgets.pane import Pane
from tests.ui.fakes import LISTING, Console, FakeAttachment, console, listed


async def until(ui: Console, true: Callable[[], bool]) -> None:
    """Let the app run until something holds; fails after 30 seconds."""
    async with asyncio.timeout(30):
        while not true():
            await ui.pilot.pause()
        await ui.settle()


def pane_of(ui: Console) -> Pane:
    return ui.app.screen.query_one(Pane)


@asynccontextmanager
async def attached(action: str = "session.attach") -> AsyncIterator[tuple[Console, FakeAttachment]]:
    """The console with the session `eval` of bert-gpu, or a shell, in front and open."""
    async with console(listed()) as ui:
        await ui.do("machine.sessions")
        await ui.do(action)
        await until(ui, lambda: bool(ui.bench.sessions.attached) and pane_of(ui).has_focus)
        yield ui, ui.bench.sessions.attached[0]


async def test_the_title_tells_session_host_size_and_the_way_out() -> None:
    async with attached() as (ui, channel):
        title = ui.text.splitlines()[0]
        for words in ("eval tmux on bert-gpu", "120×33", "Ctrl-] d leaves"):
            assert words in title
        assert channel.size == (120, 33)


async def test_a_host_that_is_silent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = asyncio.Event()

    async def latency(_: FakeAttachment) -> float:
        await answered.wait()
        return 0.084

    monkeypatch.setattr(FakeAttachment, "latency", latency, raising=False)
    monkeypatch.setattr(splits_frame, "SILENT_SECONDS", 0.6)
    async with attached() as (ui, _):
        await until(ui, lambda: "no answer for " in ui.text)
        answered.set()
        await until(ui, lambda: "84 ms" in ui.text and "no answer" not in ui.text)


async def test_keys_of_the_console_go_to_the_program() -> None:
    async with attached() as (ui, channel):
        await ui.press("q", "T", "question_mark", "escape", "ctrl+q", "ctrl+c", "ctrl+p")
        assert isinstance(ui.app.screen, WorkspaceScreen)
        assert channel.written == b"qT?\x1b\x11\x03\x10"


async def test_the_leader_goes_back_and_the_session_goes_on() -> None:
    async with attached() as (ui, channel):
        await ui.press("ctrl+right_square_bracket", "d")
        await until(ui, lambda: isinstance(ui.app.screen, SessionsScreen))
        assert channel.closed


async def test_the_leader_with_a_question_mark_is_help() -> None:
    async with attached() as (ui, _):
        await ui.press("ctrl+right_square_bracket", "question_mark")
        assert "Help: a pane" in ui.text
        assert "Ctrl-] d" in ui.text


async def test_opening_shows_that_it_works_and_escape_cancels() -> None:
    async with console(listed()) as ui:
        ui.bench.sessions.hold.clear()
        await ui.do("machine.shell")
        await until(ui, lambda: "Opening a shell on bert-gpu" in ui.text)
        await ui.press("escape")
        assert isinstance(ui.app.screen, MachinesScreen)
        ui.bench.sessions.hold.set()
        await ui.settle()
        assert ui.bench.sessions.attached == []


async def test_a_click_while_opening_does_not_take_escape_away() -> None:
    async with console(listed()) as ui:
        ui.bench.sessions.hold.clear()
        await ui.do("machine.shell")
        await ui.pilot.click(Pane)
        await ui.press("escape")
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_a_failed_opening_shows_reason_and_next_step() -> None:
    async with console(listed()) as ui:
        ui.bench.sessions.refusal = Unreachable("Cannot reach bert-gpu.", "port 22", "Open it.")
        await ui.do("machine.shell")
        await until(ui, lambda: "Cannot reach bert-gpu." in ui.text and bool(ui.said))
        assert "Open it." in ui.text
        assert ui.said == ["Cannot reach bert-gpu."]
        await ui.press("enter")
        await until(ui, lambda: isinstance(ui.app.screen, MachinesScreen))


async def test_a_detach_goes_back_and_says_so() -> None:
    async with attached() as (ui, channel):
        channel.end.set_result(AttachmentEnd(Ending.DETACHED, "Detached. It goes on."))
        await until(ui, lambda: isinstance(ui.app.screen, SessionsScreen) and bool(ui.said))
        assert ui.said == ["Detached. It goes on."]


LOST = AttachmentEnd(Ending.LOST, "Connection lost. It was left as it is.")


async def test_a_lost_session_is_attached_again_by_itself_where_it_was() -> None:
    async with attached() as (ui, channel):
        channel.print("step 41\r\n")
        ui.bench.sessions.answer = Unreachable("Cannot reach bert-gpu.")
        channel.end.set_result(LOST)
        await until(ui, lambda: "Next try in" in ui.text)
        for words in ("step 41", "Connection lost 0 s ago", "Enter tries now", "× connection lost"):
            assert words in ui.text
        await ui.press("r", "m", "space")
        ui.bench.sessions.answer = LISTING
        await ui.press("enter")
        await until(ui, lambda: len(ui.bench.sessions.attached) == 2)
        again = ui.bench.sessions.attached[1]
        again.print("step 42\r\n")
        await until(ui, lambda: "step 42" in ui.text)
        assert "Connection lost" not in ui.text
        await ui.press("l", "s")
        assert (channel.written, again.written) == (b"", b"ls")


@pytest.mark.parametrize(("seconds", "sent"), [(900.0, b"ls\r"), (0.0, b"\rls\r")])
async def test_enter_that_comes_too_late_to_try_now_does_not_run_a_half_typed_line(
    monkeypatch: pytest.MonkeyPatch, seconds: float, sent: bytes
) -> None:
    monkeypatch.setattr(splits_frame, "ENTER_SECONDS", seconds)
    async with attached() as (ui, channel):
        channel.end.set_result(LOST)
        await until(ui, lambda: len(ui.bench.sessions.attached) == 2)
        again = ui.bench.sessions.attached[1]
        await until(ui, lambda: pane_of(ui).has_focus and "connection lost" not in ui.text)
        await ui.press("enter", "l", "s", "enter")
        assert again.written == sent


async def test_a_login_refused_while_lost_is_said_and_not_tried_again() -> None:
    async with attached() as (ui, channel):
        ui.bench.sessions.answer = CredentialsProblem("bert-gpu takes none of your keys.")
        listed_before = ui.bench.sessions.listed
        channel.end.set_result(LOST)
        await until(ui, lambda: "Not attached again: bert-gpu takes none of your keys." in ui.text)
        assert ui.bench.sessions.listed == listed_before + 1
        assert "r attach again" in ui.text


async def test_a_session_that_ended_while_lost_is_said() -> None:
    async with attached() as (ui, channel):
        ui.bench.sessions.answer = SessionList((), "tmux 3.4")
        channel.end.set_result(LOST)
        await until(ui, lambda: "The tmux session eval ended on bert-gpu while" in ui.text)


async def test_a_lost_shell_says_so_and_r_opens_a_new_one() -> None:
    async with attached("machine.shell") as (ui, channel):
        channel.end.set_result(LOST)
        await until(ui, lambda: "The shell on bert-gpu is gone; r opens a new one." in ui.text)
        await ui.press("r")
        await until(ui, lambda: len(ui.bench.sessions.attached) == 2 and pane_of(ui).has_focus)
        assert "is gone" not in ui.text


async def test_an_ended_session_cannot_be_attached_again_and_enter_goes_back() -> None:
    async with attached() as (ui, channel):
        channel.end.set_result(AttachmentEnd(Ending.ENDED, "It has ended."))
        await until(ui, lambda: "It has ended." in ui.text)
        await ui.press("r")
        assert ui.said[-1] == "The session eval has ended. Enter goes back."
        await ui.press("enter")
        await until(ui, lambda: isinstance(ui.app.screen, SessionsScreen))


async def test_the_window_title_and_notices_of_the_program_are_shown() -> None:
    async with attached() as (ui, channel):
        channel.print("\x1b]2;epoch 3\x07\x1b]9;training done\x07")
        await until(ui, lambda: "epoch 3" in ui.text.splitlines()[0])
        await until(ui, lambda: ui.said == ["bert-gpu: training done"])


async def test_leaving_the_app_closes_the_channel() -> None:
    async with attached("machine.shell") as (_, channel):
        assert not channel.closed
    assert channel.closed
