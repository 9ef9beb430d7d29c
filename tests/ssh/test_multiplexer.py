"""What is done to sessions on a real host, and that odd names arrive as typed or are refused."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudtui.model.errors import CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.session import Program, Session, check_name, check_text
from cloudtui.ssh import multiplexer_actions as actions
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.multiplexer import (
    PREPARE,
    attach_command,
    enter_line,
    list_sessions,
    new_session,
    start_line,
)
from tests.ssh.conftest import Open
from tests.sshd import Sshd

SHOW = 'stty -echo; printf "\\033[31mred\\033[0m \\303\\251\\n"; exec cat'

NAMES = st.text(st.characters(exclude_categories=()), min_size=1, max_size=12) | st.text(
    "ab '\"\\$`#%{}()[];&|<>~*?!^=@:.-\n\tü漢", min_size=1, max_size=12
)


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until it is so; 30 s."""
    async with asyncio.timeout(30):
        while not await question():
            await asyncio.sleep(0.02)


def host(sshd: Sshd, *command: str) -> str:
    env = {**os.environ, **sshd.env, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.stdout


async def found(conn: Connection, session: Session) -> Session | None:
    listing = await list_sessions(conn)
    return next((s for s in listing.sessions if s.id == session.id), None)


async def test_a_line_that_tmux_broke_is_whole_in_a_preview(conn: Connection) -> None:
    show = 'printf "%0250d end  \\n" 0; exec cat'
    session = await new_session(conn, Program.TMUX, "long", show)

    async def shown() -> bool:
        return f"{0:0250} end" in (await actions.preview(conn, session)).lines

    await until(shown)


@pytest.mark.parametrize("program", list(Program))
class TestEither:
    async def test_a_preview_shows_it_without_attaching(
        self, conn: Connection, program: Program
    ) -> None:
        session = await new_session(conn, program, "look at me", SHOW)

        async def shown() -> bool:
            preview = await actions.preview(conn, session)
            return any("red" in line for line in preview.lines)

        await until(shown)
        preview = await actions.preview(conn, session)
        if program is Program.TMUX:
            assert preview.lines == ("\x1b[31mred\x1b[39m é",)
            assert (preview.columns, preview.rows) == (200, 50)
            assert preview.about.startswith("window 0 ")
        else:
            assert preview.lines == ("red é",)
            assert not preview.coloured
        now = await found(conn, session)
        assert now is not None
        assert now.attached == 0

    async def test_what_runs_is_told(self, conn: Connection, program: Program) -> None:
        session = await new_session(conn, program, "work", "exec cat")

        async def told() -> bool:
            now = await found(conn, session)
            return now is not None and now.command == "cat"

        await until(told)

    @pytest.mark.parametrize(
        "command", ["echo shown; exec cat;", "find /dev/null -exec sh -c 'echo shown; cat' \\;"]
    )
    async def test_a_name_and_a_command_that_end_in_a_semicolon(
        self, conn: Connection, program: Program, command: str
    ) -> None:
        session = await new_session(conn, program, "work;", command)
        assert session.name == "work;"

        async def shown() -> bool:
            return "shown" in (await actions.preview(conn, session)).lines

        await until(shown)

    async def test_renaming(self, conn: Connection, program: Program) -> None:
        session = await new_session(conn, program, "before", "cat")
        for name in ("after; it's (odd)", "after;", ";"):
            await actions.rename(conn, session, name)
            (session,) = (await list_sessions(conn)).sessions
            assert session.name == name
        with pytest.raises(UsageError):
            await actions.rename(conn, session, "a\\b")

    async def test_killing_ends_it_and_no_other(self, conn: Connection, program: Program) -> None:
        session = await new_session(conn, program, "one", "cat")
        other = await new_session(conn, program, "one more", "cat")
        await actions.kill(conn, session)
        assert await found(conn, session) is None
        assert await found(conn, other) is not None
        with pytest.raises(NotFound):
            await actions.kill(conn, session)
        with pytest.raises(NotFound):
            await actions.preview(conn, session)

    async def test_a_folder_and_a_command(
        self, conn: Connection, sshd: Sshd, program: Program
    ) -> None:
        (sshd.home / "my data").mkdir()
        await new_session(conn, program, "w", 'pwd >"$HOME/seen"; exec cat', "~/my data")
        seen = sshd.home / "seen"

        async def written() -> bool:
            return seen.exists() and seen.read_text() == f"{sshd.home}/my data\n"

        await until(written)
        with pytest.raises(Refused, match="has no folder ~/none"):
            await new_session(conn, program, "x", "", "~/none")

    async def test_others_are_detached(
        self, conn: Connection, open_connection: Open, program: Program
    ) -> None:
        session = await new_session(conn, program, "shared", "cat")
        command = attach_command(session, await list_sessions(conn))
        other = await open_connection()
        there = await other.terminal(command, 80, 24, lambda data: None)
        mine = None
        if program is Program.TMUX:
            mine = await conn.terminal(command, 80, 24, lambda data: None)

        async def attached() -> bool:
            now = await found(conn, session)
            wanted = 2 if program is Program.TMUX else 1
            return now is not None and now.attached == wanted

        await until(attached)
        assert await actions.detach(conn, session) == 1
        assert (await there.wait()).exit_status == 0
        now = await found(conn, session)
        assert now is not None
        assert now.attached == (1 if mine else 0)


class TestScreen:
    async def test_a_session_that_is_slow_to_begin_is_waited_for(
        self, sshd: Sshd, conn: Connection
    ) -> None:
        real = shutil.which("screen")
        late = f'(sleep 0.3; exec {real} "$@") >/dev/null 2>&1 &'
        which = f'case "$*" in *-dmS*) {late} ;; *) exec {real} "$@" ;; esac'
        sshd.script("screen", f"#!/bin/sh\n{which}\n")
        assert (await new_session(conn, Program.SCREEN, "late", "cat")).name == "late"


class TestTmux:
    async def test_another_session_of_the_same_id_is_left_alone(
        self, conn: Connection, sshd: Sshd
    ) -> None:
        session = await new_session(conn, Program.TMUX, "one", "cat")
        old = Session(Program.TMUX, session.id, "old", 1, 0, None)
        for act in (actions.kill(conn, old), actions.rename(conn, old, "x")):
            with pytest.raises(NotFound):
                await act
        with pytest.raises(NotFound):
            await actions.detach(conn, old)
        assert await found(conn, session) is not None

    async def test_windows_are_listed_and_one_is_chosen(self, conn: Connection, sshd: Sshd) -> None:
        session = await new_session(conn, Program.TMUX, "wide", "cat")
        host(sshd, "tmux", "new-window", "-t", "wide:", "-n", "logs", "sleep 600")
        host(sshd, "tmux", "split-window", "-t", "wide:", "cat")
        panes = await actions.panes(conn, session)
        assert [(p.window, p.index, p.active) for p in panes] == [
            (0, 0, False),
            (1, 0, False),
            (1, 1, True),
        ]
        assert panes[1].window_name == "logs"
        await actions.choose(conn, session, panes[0])
        assert [p.active for p in await actions.panes(conn, session)] == [True, False, False]
        host(sshd, "tmux", "kill-window", "-t", "wide:1")
        with pytest.raises(NotFound):
            await actions.choose(conn, session, panes[1])
        await actions.kill(conn, session)
        with pytest.raises(NotFound):
            await actions.panes(conn, session)

    async def test_windows_of_screen_are_listed_and_one_is_attached_at(
        self, conn: Connection, sshd: Sshd
    ) -> None:
        session = await new_session(conn, Program.SCREEN, "wide", "echo first; exec cat")
        host(sshd, "screen", "-S", session.id, "-X", "screen", "-t", "a  b 7", "cat")
        host(sshd, "screen", "-S", session.id, "-X", "screen", "sh", "-c", "echo third; exec cat")

        async def three() -> bool:
            return len(await actions.panes(conn, session)) == 3

        await until(three)
        panes = await actions.panes(conn, session)
        assert [(p.window, p.window_name) for p in panes] == [(0, "sh"), (1, "a  b 7"), (2, "sh")]

        async def looks(pane: str, word: str) -> bool:
            return word in (await actions.preview(conn, session, pane)).lines

        await until(lambda: looks("0", "first"))
        await until(lambda: looks("2", "third"))
        for number in (0, 1):
            chosen = await actions.choose(conn, session, panes[number])
            command = attach_command(chosen, await list_sessions(conn))
            terminal = await conn.terminal(command, 80, 24, lambda _: None)

            async def there(number: int = number) -> bool:
                return (await actions.panes(conn, session))[number].active

            await until(there)
            await terminal.close()
        gone = replace(panes[1], window=9, id="9")
        with pytest.raises(NotFound):
            await actions.choose(conn, session, gone)
        await actions.kill(conn, session)
        with pytest.raises(NotFound):
            await actions.panes(conn, session)

    @staticmethod
    def sockets(sshd: Sshd) -> set[str]:
        return {path.name for path in Path(sshd.env["SCREENDIR"]).iterdir()}

    async def test_a_screen_that_never_answers(self, conn: Connection, sshd: Sshd) -> None:
        session = await new_session(conn, Program.SCREEN, "mute", "exec cat")
        pid = int(session.id.partition(".")[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(CloudtuiError, match="does not tell its windows"):
                await actions.panes(conn, session)
            assert self.sockets(sshd) == {session.id}
            asked = asyncio.create_task(actions.panes(conn, session))

            async def waits() -> bool:
                return f"{session.id}-queryA" in self.sockets(sshd)

            await until(waits)
            assert [s.id for s in (await list_sessions(conn)).sessions] == [session.id]
        finally:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(NotFound):
            await asked

    async def test_a_name_that_is_taken(self, conn: Connection) -> None:
        await new_session(conn, Program.TMUX, "one", "cat")
        two = await new_session(conn, Program.TMUX, "two", "cat")
        with pytest.raises(CloudtuiError, match="was not renamed") as caught:
            await actions.rename(conn, two, "one")
        assert "duplicate session: one" in caught.value.detail


async def test_dead_sockets_are_wiped_and_no_others(sshd: Sshd, conn: Connection) -> None:
    for name in ("dead", "alive"):
        await new_session(conn, Program.SCREEN, name, "cat")
    dead = next(s for s in (await list_sessions(conn)).sessions if s.name == "dead")
    os.kill(int(dead.id.partition(".")[0]), 9)

    async def is_dead() -> bool:
        now = await found(conn, dead)
        return now is not None and now.dead

    await until(is_dead)
    sessions = (await list_sessions(conn)).sessions
    await actions.wipe(conn, sessions)
    assert [s.name for s in (await list_sessions(conn)).sessions] == ["alive"]


def sockets(sshd: Sshd) -> Path:
    """Where screen has them."""
    folder = Path(sshd.env["SCREENDIR"])
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


async def test_a_dead_screen_starts_no_program(sshd: Sshd, conn: Connection) -> None:
    folder = sockets(sshd)
    os.mkfifo(folder / "4194400.bert")
    line = r"There is a screen on:\n\t4194400.bert\t(Dead ???)\n"
    sshd.script("screen", f"#!/bin/sh\nprintf '{line}'\n")
    sshd.script("ps", f"#!/bin/sh\ntouch {sshd.folder}/asked\n")
    assert [(s.name, s.dead) for s in (await list_sessions(conn)).sessions] == [("bert", True)]
    assert not (sshd.folder / "asked").exists()


async def test_screen_is_started_only_where_it_has_a_socket(sshd: Sshd, conn: Connection) -> None:
    folder = sockets(sshd)
    sshd.script("screen", f"#!/bin/sh\necho asked >>{sshd.folder}/asked\n")
    listing = await list_sessions(conn)
    listing = await list_sessions(conn, listing)
    versions = (sshd.folder / "asked").read_text()
    assert versions.count("asked") == 1
    os.mkfifo(folder / "123.bert")
    await list_sessions(conn, listing)
    assert (sshd.folder / "asked").read_text() == versions * 2


async def test_a_second_listing_asks_no_versions_again(sshd: Sshd, conn: Connection) -> None:
    sshd.script("tmux", f'echo "$*" >>{sshd.folder}/asked; exec {shutil.which("tmux")} "$@"\n')
    first = await list_sessions(conn)
    second = await list_sessions(conn, first)
    assert second.tmux_version == first.tmux_version != ""
    asked = (sshd.folder / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == ["-V", "-u", "-u"]


# Names through a real sh


@pytest.fixture(scope="module")
def stage() -> Iterator[Path]:
    """A folder with a tmux and a screen that print their arguments, one a line in base64."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for program in ("tmux", "screen"):
            path = folder / program
            path.write_text(
                "#!/bin/sh\ncase $* in *session_created*) echo 0; exit;; esac\n"
                'for each; do printf %s "$each" | base64 -w0; echo; done\n'
            )
            path.chmod(0o755)
        yield folder


def said(stage: Path, script: str) -> list[str]:
    env = {"PATH": f"{stage}:/usr/bin:/bin", "HOME": str(stage)}
    done = subprocess.run(
        ["sh", "-s"], input=script.encode(), env=env, capture_output=True, check=False
    )
    return [base64.b64decode(line).decode() for line in done.stdout.split(b"\n")[:-1]]


def read(program: Program, word: str) -> str:
    """What the program makes of an argument: tmux ends its command at a last `;`."""
    if program is Program.TMUX and word.endswith(";"):
        assert word.endswith("\\;")
        return f"{word[:-2]};"
    return word


@settings(max_examples=25, deadline=None)
@example(Program.TMUX, ";", "a;")
@example(Program.TMUX, "a;", "find . -exec ls {} \\;")
@example(Program.SCREEN, "a;", ";")
@given(program=st.sampled_from(list(Program)), name=NAMES, command=NAMES)
def test_any_name_reaches_the_program_as_typed_or_is_refused(
    stage: Path, program: Program, name: str, command: str
) -> None:
    try:
        check_name(program, name)
        check_text("command", command)
    except UsageError:
        return
    started = said(stage, PREPARE + start_line(program, name, command))
    arguments = [read(program, word) for word in started]
    assert name in arguments
    assert arguments[-1] == command
    session = Session(program, "$1" if program is Program.TMUX else f"1.{name}", name)
    renamed = actions.rename_script(session, name).replace('= ""', "= 0")
    assert read(program, said(stage, PREPARE + renamed)[-1]) == name


@settings(max_examples=25, deadline=None)
@given(folder=NAMES)
def test_any_folder_reaches_cd_as_typed_or_is_refused(stage: Path, folder: str) -> None:
    try:
        check_text("folder", folder)
    except UsageError:
        return
    script = f'cd() {{ [ "$1" = -- ] && tmux "$2"; return 0; }}\n{enter_line(folder)}'
    home, _, rest = folder.partition("/")
    wanted = folder if home != "~" else f"{stage}/{rest}".rstrip("/") if not rest else None
    assert said(stage, script) == [wanted or f"{stage}/{rest}"]


@settings(max_examples=25, deadline=None)
@example("#(date)")
@example("a\\b")
@example("$HOME")
@example(";")
@example("a;")
@given(name=NAMES)
def test_tmux_itself_keeps_a_name_that_is_not_refused(name: str) -> None:
    try:
        check_name(Program.TMUX, name)
    except UsageError:
        return
    with TemporaryDirectory() as folder:
        env = {"PATH": "/usr/bin:/bin", "HOME": folder, "TMUX_TMPDIR": folder}
        script = (
            f"{PREPARE}{start_line(Program.TMUX, name, 'cat')} >/dev/null\n"
            "tmux -u list-sessions -F '#{session_name}'\ntmux kill-server\n"
        )
        done = subprocess.run(
            ["sh", "-s"], input=script.encode(), env=env, capture_output=True, check=False
        )
    assert done.stdout.decode() == f"{name}\n"
