"""Terminals and multiplexers on a real host: attach, leave, end, lose."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from cloudtui.model.errors import CloudtuiError, ConnectionCut, NotFound, Refused, UsageError
from cloudtui.model.session import Ending, Program, Session, SessionList, check_name
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.multiplexer import (
    attach_command,
    how_it_ended,
    list_sessions,
    new_session,
    tmux_version,
)
from cloudtui.ssh.terminal import Terminal, TerminalEnd, last_line
from cloudtui.vt.engine import Color, load
from tests.ssh.conftest import Open
from tests.sshd import Sshd


class Screen:
    """What a terminal printed, and waiting for words in it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._news = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.data += data
        self._news.set()

    async def shows(self, words: str) -> None:
        async with asyncio.timeout(30):
            while words.encode() not in self.data:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def screen() -> Screen:
    return Screen()


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until it is so; 30 s."""
    async with asyncio.timeout(30):
        while not await question():
            await asyncio.sleep(0.02)


def host(sshd: Sshd, *command: str) -> str:
    """Run a program as if on the host, next to the SSH server."""
    env = {**os.environ, **sshd.env, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.stdout


def tmux(sshd: Sshd, name: str, command: str = "cat") -> None:
    host(sshd, "tmux", "-u", "new-session", "-d", "-s", name, command)


def gnu_screen(sshd: Sshd, name: str, *command: str) -> None:
    host(sshd, "screen", "-U", "-dmS", name, *(command or ("cat",)))


class TestTerminal:
    async def test_a_shell_has_a_terminal_of_its_size(
        self, conn: Connection, screen: Screen
    ) -> None:
        terminal = await conn.terminal(None, 101, 33, screen)
        terminal.write(b"stty size; echo $TERM-$((40 + 2))\r")
        await screen.shows("33 101")
        await screen.shows("xterm-256color-42")
        terminal.write(b"exit 7\r")
        end = await terminal.wait()
        assert (end.exit_status, end.lost) == (7, False)
        terminal.write(b"too late")
        terminal.resize(10, 10)
        terminal.pause()
        terminal.resume()
        await terminal.close()

    async def test_resize(self, conn: Connection, screen: Screen) -> None:
        terminal = await conn.terminal(
            "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done", 80, 24, screen
        )
        await screen.shows("ready")
        terminal.resize(133, 44)
        await screen.shows("44 133")
        assert (await terminal.wait()).tail == "44 133"

    async def test_a_program_that_is_missing(self, conn: Connection, screen: Screen) -> None:
        terminal = await conn.terminal("no-such-program", 80, 24, screen)
        end = await terminal.wait()
        assert end.exit_status == 127
        assert "no-such-program" in end.tail

    async def test_closing_hangs_up(self, conn: Connection, screen: Screen, tmp_path: Path) -> None:
        left = tmp_path / "left"
        terminal = await conn.terminal(
            f"trap 'touch {left}; exit' HUP; echo ready; while :; do sleep 0.05; done",
            80,
            24,
            screen,
        )
        await screen.shows("ready")
        await terminal.close()

        async def is_left() -> bool:
            return left.exists()

        await until(is_left)

    async def test_a_cut_is_told_from_an_end(
        self, sshd: Sshd, conn: Connection, screen: Screen
    ) -> None:
        terminal = await conn.terminal("echo last words; cat", 80, 24, screen)
        await screen.shows("last words")
        sshd.cut()
        end = await asyncio.wait_for(terminal.wait(), 30)
        assert end == TerminalEnd(None, True, "last words")

    async def test_a_program_killed_by_a_signal(self, conn: Connection, screen: Screen) -> None:
        terminal = await conn.terminal("exec sh -c 'kill -9 $$'", 80, 24, screen)
        assert (await terminal.wait()).exit_status == 137

    async def test_pausing_holds_a_flood_back(self, conn: Connection, screen: Screen) -> None:
        terminal = await conn.terminal("yes 0123456789", 80, 24, screen)
        await screen.shows("0123456789")
        terminal.pause()
        await conn.run("true")
        held = len(screen.data)
        for _ in range(5):
            await conn.run("true")
        assert len(screen.data) == held
        terminal.resume()
        await until(lambda: _grown(screen, held))
        await terminal.close()

    async def test_the_language_is_offered(self, conn: Connection, screen: Screen) -> None:
        terminal = await conn.terminal("echo $LANG", 80, 24, screen, env={"LANG": "de_DE.UTF-8"})
        assert (await terminal.wait()).tail == "de_DE.UTF-8"


async def _grown(screen: Screen, size: int) -> bool:
    return len(screen.data) > size + 100_000


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", ""),
        (b"one\r\ntwo\r\n\r\n", "two"),
        (b"\x1b[?1049l\x1b[23;0;0t\r\x1b[?1l[detached (from session \xc3\xbc)]\r\n", None),
        (b"\x1b]0;title\x07shown\x1b(B\x1b[m", "shown"),
        (b"10%\r100%", "100%"),
        (b"\xff\xfe", "��"),
    ],
)
def test_last_line(data: bytes, line: str | None) -> None:
    assert last_line(data) == ("[detached (from session ü)]" if line is None else line)


class TestListing:
    async def test_nothing_runs(self, conn: Connection) -> None:
        listing = await list_sessions(conn)
        assert listing.sessions == ()
        assert listing.programs == (Program.TMUX, Program.SCREEN)
        assert listing.tmux_version.startswith("tmux 3")
        assert listing.screen_version.startswith("Screen version")

    async def test_both_in_one_list(self, sshd: Sshd, conn: Connection) -> None:
        tmux(sshd, "bert run ü")
        host(sshd, "tmux", "-u", "new-window", "-t", "=bert run ü:", "cat")
        gnu_screen(sshd, "größe")
        gnu_screen(sshd, "same")
        gnu_screen(sshd, "same")
        listing = await list_sessions(conn)
        assert [(s.program, s.name, s.windows, s.attached) for s in listing.sessions] == [
            (Program.TMUX, "bert run ü", 2, 0),
            (Program.SCREEN, "größe", 1, 0),
            (Program.SCREEN, "same", 1, 0),
            (Program.SCREEN, "same", 1, 0),
        ]
        assert listing.sessions[0].id == "$0"
        assert len({s.id for s in listing.sessions}) == 4
        assert all(s.created for s in listing.sessions)

    async def test_a_dead_screen(self, sshd: Sshd, conn: Connection) -> None:
        gnu_screen(sshd, "crashed")
        (session,) = (await list_sessions(conn)).sessions
        os.kill(int(session.id.partition(".")[0]), 9)

        async def dead() -> bool:
            return [s.dead for s in (await list_sessions(conn)).sessions] == [True]

        await until(dead)

    async def test_neither_is_installed(self, sshd: Sshd, open_connection: Open) -> None:
        for name in ("sh", "head", "ps", "tr"):
            (sshd.bin / name).symlink_to(f"/bin/{name}")
        sshd.env["PATH"] = str(sshd.bin)
        sshd.restart()
        bare = await open_connection()
        assert await list_sessions(bare) == SessionList()
        with pytest.raises(NotFound, match="has no tmux") as caught:
            await new_session(bare, Program.TMUX, "work")
        assert "sudo apt install -y tmux" in caught.value.hint

    async def test_a_host_that_answers_nonsense(self, sshd: Sshd, conn: Connection) -> None:
        sshd.script("sh", "#!/bin/bash\necho This account is not available\n")
        with pytest.raises(CloudtuiError, match="did not say") as caught:
            await list_sessions(conn)
        assert "not available" in caught.value.detail


class TestNewSession:
    async def test_tmux(self, sshd: Sshd, conn: Connection) -> None:
        session = await new_session(conn, Program.TMUX, "bert ü", "echo $((6 * 7)); cat")
        assert (session.program, session.name) == (Program.TMUX, "bert ü")

        async def printed() -> bool:
            return "42" in host(sshd, "tmux", "capture-pane", "-p", "-t", session.id)

        await until(printed)
        assert (await list_sessions(conn)).sessions == (session,)

    async def test_screen(self, conn: Connection) -> None:
        session = await new_session(conn, Program.SCREEN, "bert ü")
        assert (session.program, session.name) == (Program.SCREEN, "bert ü")
        assert session.id.endswith(".bert ü")

    @pytest.mark.parametrize("program", list(Program))
    async def test_a_name_in_use(self, conn: Connection, program: Program) -> None:
        await new_session(conn, program, "work")
        with pytest.raises(Refused, match="work runs already"):
            await new_session(conn, program, "work")

    async def test_a_command_that_ends_at_once(self, conn: Connection) -> None:
        with pytest.raises(CloudtuiError, match="ended as soon as") as caught:
            await new_session(conn, Program.TMUX, "work", "exit 3")
        assert "exit 3" in caught.value.detail

    @pytest.mark.parametrize(
        ("program", "name"),
        [
            (Program.TMUX, ""),
            (Program.TMUX, "a.b"),
            (Program.TMUX, "a:b"),
            (Program.TMUX, "-d"),
            (Program.TMUX, "a\nb"),
            (Program.SCREEN, "a/b"),
            (Program.SCREEN, " a"),
            (Program.SCREEN, "x" * 71),
        ],
    )
    def test_names_refused(self, program: Program, name: str) -> None:
        with pytest.raises(UsageError):
            check_name(program, name)

    def test_names_taken(self) -> None:
        check_name(Program.SCREEN, "a.b:c")
        check_name(Program.TMUX, 'it\'s; $(odd) "name"')


Attach = Callable[[Session], Awaitable[Terminal]]


@pytest.mark.parametrize("program", list(Program))
class TestAttach:
    @pytest.fixture
    async def attach(self, conn: Connection, screen: Screen) -> AsyncIterator[Attach]:
        terminals: list[Terminal] = []

        async def attach(session: Session) -> Terminal:
            listing = await list_sessions(conn)
            terminal = await conn.terminal(attach_command(session, listing), 100, 30, screen)
            terminals.append(terminal)
            return terminal

        yield attach
        for terminal in terminals:
            await terminal.close()

    @pytest.fixture
    async def session(self, conn: Connection, program: Program) -> Session:
        return await new_session(conn, program, "it's; (odd) `x`", "stty -echo; echo re''ady; cat")

    async def ending(self, conn: Connection, session: Session, terminal: Terminal) -> Ending:
        end = await asyncio.wait_for(terminal.wait(), 30)
        return await how_it_ended(conn, session, end)

    async def test_what_is_typed_arrives(
        self, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        terminal = await attach(session)
        await screen.shows("ready")
        terminal.write("grüße\r".encode())
        await screen.shows("grüße")
        (listed,) = (await list_sessions(conn)).sessions
        assert listed.attached == 1

    async def test_the_detach_key(
        self, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        terminal = await attach(session)
        await screen.shows("ready")

        async def left() -> bool:
            # tmux takes keys less than 1 ms after an event for pasted text, so press it again.
            terminal.write(b"\x02d" if session.program is Program.TMUX else b"\x01d")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(terminal.wait(), 1)
            return terminal.ended

        await until(left)
        assert await self.ending(conn, session, terminal) is Ending.DETACHED

    async def test_closing_leaves_it_running(
        self, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        terminal = await attach(session)
        await screen.shows("ready")
        await terminal.close()

        async def alone() -> bool:
            return [s.attached for s in (await list_sessions(conn)).sessions] == [0]

        await until(alone)

    async def test_its_end(
        self, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        terminal = await attach(session)
        await screen.shows("ready")
        terminal.write(b"\x04")
        assert await self.ending(conn, session, terminal) is Ending.ENDED

    async def test_a_kill_from_elsewhere(
        self, sshd: Sshd, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        terminal = await attach(session)
        await screen.shows("ready")
        if session.program is Program.TMUX:
            host(sshd, "tmux", "kill-session", "-t", session.id)
        else:
            host(sshd, "screen", "-S", session.id, "-X", "quit")
        assert await self.ending(conn, session, terminal) is Ending.ENDED

    async def test_a_lost_connection(
        self, sshd: Sshd, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        terminal = await attach(session)
        await screen.shows("ready")
        sshd.cut()
        assert await self.ending(conn, session, terminal) is Ending.LOST

    async def test_it_was_gone_before(
        self, sshd: Sshd, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        other = await new_session(conn, session.program, "other")
        if session.program is Program.TMUX:
            host(sshd, "tmux", "kill-session", "-t", session.id)
        else:
            host(sshd, "screen", "-S", session.id, "-X", "quit")
        terminal = await attach(session)
        end = await asyncio.wait_for(terminal.wait(), 30)
        assert await how_it_ended(conn, session, end) is Ending.FAILED
        assert end.tail, screen.data
        assert other.id in [s.id for s in (await list_sessions(conn)).sessions]

    async def test_two_clients_at_once(
        self, conn: Connection, screen: Screen, attach: Attach, session: Session
    ) -> None:
        first = await attach(session)
        await screen.shows("ready")
        second = Screen()
        listing = await list_sessions(conn)
        terminal = await conn.terminal(attach_command(session, listing), 100, 30, second)
        await second.shows("ready")
        first.write(b"both\r")
        await second.shows("both")
        await terminal.close()


TRUE = 'stty -echo; printf "\\033[38;2;10;200;30mtrue\\033[0m\\n"; cat'


@pytest.mark.parametrize(("version", "colour"), [("", (10, 200, 30)), ("tmux 3.1c", 40)])
async def test_colours_of_24_bits_arrive_through_a_tmux_that_can_be_told(
    conn: Connection, version: str, colour: Color
) -> None:
    """A tmux too old for -T attaches all the same, with the nearest of 256 colours."""
    session = await new_session(conn, Program.TMUX, "colours", TRUE)
    listing = await list_sessions(conn)
    if version:
        listing = replace(listing, tmux_version=version)
    screen, engine = Screen(), load()(80, 24, cell_len=cell_len, scrollback=100)
    command = attach_command(session, listing)
    terminal = await conn.terminal(command, 80, 24, screen)
    await screen.shows("true")
    engine.feed(bytes(screen.data))
    runs = [run for row in engine.dirty_rows().values() for run in row]
    assert [style.fg for text, style in runs if text == "true"] == [colour]
    engine.close()
    await terminal.close()


class TestEnding:
    tmux = Session(Program.TMUX, "$9", "gone")

    @pytest.mark.parametrize(
        ("end", "ending"),
        [
            (TerminalEnd(None, True, "[detached (from session a)]"), Ending.LOST),
            (TerminalEnd(0, False, "[detached (from session a)]"), Ending.DETACHED),
            (TerminalEnd(0, False, "[detached from 12.a]"), Ending.DETACHED),
            (TerminalEnd(0, False, "[remote detached from 12.a]"), Ending.DETACHED),
            (TerminalEnd(0, False, "[exited]"), Ending.ENDED),
            (TerminalEnd(1, False, "[server exited unexpectedly]"), Ending.ENDED),
            (TerminalEnd(1, False, "can't find session: $9"), Ending.FAILED),
            (TerminalEnd(127, False, "tmux: not found"), Ending.FAILED),
            (TerminalEnd(0, False, ""), Ending.ENDED),
        ],
    )
    async def test_by_its_last_line(self, end: TerminalEnd, ending: Ending) -> None:
        assert await how_it_ended(None, self.tmux, end) is ending

    async def test_the_host_is_asked_when_the_line_says_nothing(
        self, sshd: Sshd, conn: Connection
    ) -> None:
        session = await new_session(conn, Program.TMUX, "on")
        silent = TerminalEnd(0, False, "")
        assert await how_it_ended(conn, session, silent) is Ending.DETACHED
        assert await how_it_ended(conn, self.tmux, silent) is Ending.ENDED
        sshd.cut()
        with contextlib.suppress(ConnectionCut):
            await conn.run("true")
        assert await how_it_ended(conn, session, silent) is Ending.ENDED


def test_old_tmux_gets_no_features() -> None:
    session = Session(Program.TMUX, "$3", "a")
    new = attach_command(session, SessionList((), "tmux 3.3a"))
    old = attach_command(session, SessionList((), "tmux 3.1c"))
    assert "-T 256,RGB" in new
    assert "-T" not in old
    assert tmux_version("tmux next-3.5") == (3, 5)
    assert tmux_version("tmux master") == (0, 0)
