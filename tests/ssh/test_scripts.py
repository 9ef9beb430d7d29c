"""The shell that stays on a host and answers one question after the other, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from typing import Any, cast

import pytest

from cloudtui.model.errors import CloudtuiError, ConnectionCut, Refused, Timeout
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.scripts import HANGING, StandingShell
from cloudtui.ssh.terminal import Channel
from tests.ssh.conftest import Open
from tests.sshd import Sshd

WHO = 'echo "$asked $$"'


async def test_one_shell_answers_all_and_nothing_stays_of_a_question(conn: Connection) -> None:
    first = await conn.ask("asked=one", WHO)
    shell = first.stdout.split()[1]
    assert first.stdout == f"one {shell}\n"
    assert (await conn.ask("asked='t w\u00f6'", WHO)).stdout == f"t w\u00f6 {shell}\n"
    assert (await conn.ask("", WHO)).stdout == f" {shell}\n", "no variable stays"
    done = await conn.ask("printf 'no end'; cat; cd /tmp; set -f; exit 7")
    assert (done.stdout, done.exit_status) == ("no end", 7)
    assert (await conn.ask("pwd", WHO)).stdout == f"/\n {shell}\n"
    assert (await conn.ask("kill -9 $(sh -c 'echo $PPID')")).exit_status == 137
    assert (await conn.ask("", WHO)).stdout == f" {shell}\n"


async def test_two_questions_at_once_wait_for_nobody(conn: Connection) -> None:
    await conn.ask("mkfifo ~/gate")
    slow = asyncio.create_task(conn.ask("read word <~/gate; echo $word"))
    while not conn._shell.busy:
        await asyncio.sleep(0)
    assert (await conn.ask("echo word >~/gate; echo quick")).stdout == "quick\n"
    assert (await slow).stdout == "word\n"


async def test_a_shell_that_dies_is_begun_again(conn: Connection) -> None:
    shell = int((await conn.ask("", WHO)).stdout)
    await conn.run(f"kill -9 {shell}")
    again = int((await conn.ask("", WHO)).stdout)
    assert again != shell
    died = await conn.ask(f"[ $$ != {again} ] || kill -9 {again}", WHO)
    assert int(died.stdout) != again, "asked once more, in a shell of its own"


async def test_a_question_without_end(conn: Connection) -> None:
    shell = int((await conn.ask("", WHO)).stdout)
    with pytest.raises(Timeout, match=r"did not finish the question within 0\.3 s"):
        await conn.ask("sleep 30", timeout=0.3)
    with pytest.raises(CloudtuiError, match="more than 8 MiB"):
        await conn.ask("cat /dev/zero")
    asked = asyncio.create_task(conn.ask("sleep 30"))
    while not conn._shell.busy:
        await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert int((await conn.ask("", WHO)).stdout) != shell


async def test_a_few_questions_hang_at_most(conn: Connection) -> None:
    endless = "trap '' TERM HUP; exec sleep 90"  # as in a file system that does not answer
    async with asyncio.timeout(30):
        while len(conn._shell._hanging) < HANGING:
            with pytest.raises(Timeout, match="did not finish"):
                await conn.ask(endless, timeout=0.5)
    hanging = list(conn._shell._hanging)
    with pytest.raises(Timeout, match="3 earlier questions still hang") as caught:
        await conn.ask("", WHO)
    assert hanging[0].decode() in caught.value.detail
    assert conn._shell._hanging == hanging
    os.killpg(int(hanging[0]), signal.SIGKILL)
    async with asyncio.timeout(15):
        while len(conn._shell._hanging) == HANGING:
            with contextlib.suppress(Timeout):
                assert int((await conn.ask("", WHO)).stdout)
    for group in hanging[1:]:
        os.killpg(int(group), signal.SIGKILL)


class _Host:
    """The other end of a channel: a shell that answers, or is silent."""

    def __init__(self, channel: Channel, *, answers: bool) -> None:
        self._channel, self._answers = channel, answers

    def write(self, data: bytes) -> None:
        begun = re.match(rb"echo (\S+)\n", data)
        asked = re.search(rb"printf '\\n(\S+) %s", data)
        said = begun[1] if begun else b"it\n" + asked[1] + b" 0" if asked else b""
        if said and self._answers:
            asyncio.get_running_loop().call_soon(self._channel.data_received, said + b"\n", None)

    def terminate(self) -> None: ...

    def close(self) -> None: ...


async def test_the_late_end_of_a_shell_ends_no_question_to_the_next() -> None:
    shells: list[Channel] = []

    async def opened(command: str, channel: Channel) -> Channel:
        channel.channel = cast("Any", _Host(channel, answers=bool(shells)))
        for before in shells:
            before.connection_lost(None)
            await asyncio.wait([before.ended])
        shells.append(channel)
        return channel

    shell = StandingShell("bert-gpu", opened)
    with pytest.raises(Timeout):
        await shell.ask("", WHO, 0.01)
    done = await shell.ask("", WHO, 10)
    assert done
    assert done.stdout == "it"


async def test_it_gives_way_to_what_the_user_opens(sshd: Sshd, open_connection: Open) -> None:
    sshd.config = ["MaxSessions 2"]
    sshd.restart()
    conn = await open_connection()
    assert (await conn.ask("", WHO)).stdout
    panes = [await conn.terminal("sleep 60", 80, 24, lambda _: None) for _ in range(2)]
    assert not any(pane.ended for pane in panes)
    with pytest.raises(Refused, match="no more sessions"):
        await conn.ask("", WHO)
    await panes[0].close()
    assert (await conn.ask("", WHO)).stdout


async def test_more_sessions_than_one_connection_may_hold(
    sshd: Sshd, open_connection: Open
) -> None:
    sshd.config = ["MaxSessions 2"]
    sshd.restart()
    conn, others = await open_connection(), list[Connection]()

    async def another() -> Connection:
        others.append(await open_connection())
        return others[-1]

    conn.widen(another, 2)
    opening = [conn.terminal("sleep 60", 80, 24, lambda _: None) for _ in range(5)]
    panes = await asyncio.gather(*opening)
    assert (await conn.ask("", WHO)).stdout
    assert len(others) == 2
    with pytest.raises(Refused, match="no more sessions"):
        await asyncio.gather(*(conn.run("sleep 5") for _ in range(2)))
    others[1].drop("cut")
    assert conn.lost
    assert others[0].closed
    ends = [await pane.wait() for pane in panes]
    assert all(end.lost for end in ends)


async def test_no_second_connection_where_none_can_hold_a_session(
    sshd: Sshd, open_connection: Open
) -> None:
    sshd.config = ["MaxSessions 0"]
    sshd.restart()
    conn, others = await open_connection(), list[Connection]()

    async def another() -> Connection:
        others.append(await open_connection())
        return others[-1]

    conn.widen(another)
    with pytest.raises(Refused):
        await conn.run("true")
    assert not others


async def test_a_cut_in_mid_question(sshd: Sshd, conn: Connection) -> None:
    asked = asyncio.create_task(conn.ask("sleep 30"))
    while not conn._shell.busy:
        await asyncio.sleep(0)
    sshd.cut()
    with pytest.raises(ConnectionCut):
        await asked


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh"])
async def test_any_login_shell(shell: str, sshd: Sshd, open_connection: Open) -> None:
    sshd.config = [f'ForceCommand {shell} -c "$SSH_ORIGINAL_COMMAND"']
    sshd.restart()
    conn = await open_connection()
    assert (await conn.ask("asked=it", WHO)).stdout.startswith("it ")
    assert (await conn.ask("asked=that", WHO)).stdout.startswith("that ")
