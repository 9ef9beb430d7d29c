"""Scripts, commands and the end of a connection, on a real server."""

from __future__ import annotations

import asyncio
import socket

import pytest

from cloudtui.model.errors import CloudtuiError, ConnectionCut, Refused, Timeout
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.connection import _opened
from tests.ssh.conftest import Open
from tests.sshd import Sshd


async def test_a_script_runs_whole(conn: Connection) -> None:
    done = await conn.run("printf 'ü\\n'; printf oops >&2; cat; exit 3")
    assert (done.stdout, done.stderr, done.exit_status) == ("ü\n", "oops", 3)


async def test_odd_bytes_are_replaced(conn: Connection) -> None:
    assert (await conn.run(r"printf 'a\377b'")).stdout == "a�b"


async def test_a_script_is_not_in_the_process_list(conn: Connection) -> None:
    done = await conn.run("ps -eo args; : hidden-word")
    assert "sh -s" in done.stdout
    assert "hidden-word" not in done.stdout


async def test_death_by_signal_has_its_name(conn: Connection) -> None:
    done = await conn.run("kill -9 $$")
    assert (done.exit_status, done.signal) == (137, "KILL")


async def test_a_slow_script_times_out(conn: Connection) -> None:
    with pytest.raises(Timeout, match=r"did not finish the question within 0\.3 s"):
        await conn.run("sleep 1000", timeout=0.3)
    assert (await conn.run("echo on")).stdout == "on\n"


async def test_a_command_has_three_streams(conn: Connection) -> None:
    out, err = bytearray(), bytearray()
    command = await conn.command("cat; echo bad >&2; exit 4", out.extend, err.extend)
    command.write(b"one\n")
    command.write(b"two\n")
    command.write_eof()
    assert await command.wait() == 4
    assert (bytes(out), bytes(err)) == (b"one\ntwo\n", b"bad\n")


async def test_a_command_killed_by_a_signal(conn: Connection) -> None:
    command = await conn.command("kill -TERM $$", lambda _: None, lambda _: None)
    assert await command.wait() == 143


async def test_a_cut_is_told_once(sshd: Sshd, conn: Connection) -> None:
    told: list[CloudtuiError] = []
    cut = asyncio.Event()
    conn.on_lost(told.append)
    conn.on_lost(lambda _: cut.set())
    forget = conn.on_lost(lambda _: told.append(CloudtuiError("never")))
    forget()
    command = await conn.command("sleep 60", lambda _: None, lambda _: None)
    sshd.cut()
    await asyncio.wait_for(cut.wait(), 30)
    assert [type(error) for error in told] == [ConnectionCut]
    assert conn.closed
    assert conn.lost is told[0]
    with pytest.raises(ConnectionCut):
        await conn.run("true")
    with pytest.raises(ConnectionCut):
        await command.wait()
    late: list[CloudtuiError] = []
    conn.on_lost(late.append)
    assert late == told


async def test_closing_is_no_loss(conn: Connection) -> None:
    told: list[CloudtuiError] = []
    conn.on_lost(told.append)
    await conn.close()
    assert conn.closed
    assert conn.lost is None
    assert not told
    with pytest.raises(ConnectionCut, match="is closed"):
        await conn.run("true")


async def test_one_session_too_many(sshd: Sshd, open_connection: Open) -> None:
    sshd.config = ["MaxSessions 2"]
    sshd.restart()
    conn = await open_connection()
    for _ in range(2):
        await conn.terminal("sleep 60", 80, 24, lambda _: None)
    with pytest.raises(Refused, match="no more sessions") as caught:
        await conn.run("true")
    assert "MaxSessions" in caught.value.hint


async def test_latency_is_one_round_trip(conn: Connection) -> None:
    assert 0 < await conn.latency() < 30


async def test_ports_are_probed_from_the_host(conn: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await conn.probe_port(*server.getsockname())
    with socket.socket() as silent:  # bound, so that nobody else can listen there
        silent.bind(("127.0.0.1", 0))
        assert not await conn.probe_port(*silent.getsockname())


async def test_a_script_that_prints_too_much_is_stopped(conn: Connection) -> None:
    with pytest.raises(CloudtuiError, match="more than 8 MiB"):
        await conn.run("exec cat /dev/zero")
    assert (await conn.run("echo on")).stdout == "on\n"


async def test_a_request_that_is_cut_is_told(sshd: Sshd, conn: Connection) -> None:
    """The channel is open, the server is gone before it answers what is asked of it."""
    opening = asyncio.create_task(conn.run("true"))
    while not conn.ssh._channels:
        await asyncio.sleep(0)
    conn.ssh._transport.abort()  # type: ignore[union-attr]
    with pytest.raises(ConnectionCut):
        await opening


async def test_forwarding_may_be_forbidden(sshd: Sshd, open_connection: Open) -> None:
    sshd.config = ["AllowTcpForwarding no"]
    sshd.restart()
    conn = await open_connection()
    with pytest.raises(Refused, match="forbids port forwarding"):
        await conn.probe_port("127.0.0.1", sshd.port)
    assert await conn.latency() > 0


async def test_a_channel_that_opens_when_nobody_waits_any_more_is_closed() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    closed: asyncio.Queue[str] = asyncio.Queue()

    async def opening() -> str:
        return await answer

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await _opened(opening(), closed.put_nowait)
    answer.set_result("late")
    assert await asyncio.wait_for(closed.get(), 30) == "late"
