"""A path that brings nothing any more is told from a host that is busy."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

import pytest

from cloudtui.ssh import silence
from cloudtui.ssh.connect import Connection
from tests.ssh.conftest import Open
from tests.ssh.test_forward import signal_all
from tests.sshd import Sshd

PROXY = (
    "exec python3 -c 'import os,socket,threading\n"
    's=socket.create_connection(("{host}",{port}))\n'
    "def up():\n"
    "  while d:=os.read(0,65536): s.sendall(d)\n"
    "threading.Thread(target=up,daemon=True).start()\n"
    "while d:=s.recv(65536): os.write(1,d)'"
)


def limit(conn: Connection) -> float:
    """Seconds after which TCP gives up what is not acknowledged."""
    held = conn.ssh.get_extra_info("socket")
    option = 0x80 if sys.platform == "darwin" else socket.TCP_USER_TIMEOUT
    found = held.getsockopt(socket.IPPROTO_TCP, option)
    return float(found if sys.platform == "darwin" else found / 1000)


async def until(conn: Connection, seconds: float) -> None:
    async with asyncio.timeout(15):
        while limit(conn) != seconds:
            await asyncio.sleep(0)


async def test_a_login_shell_is_given_more_time(conn: Connection) -> None:
    hurried = limit(conn)
    assert silence.ASK_AFTER + hurried < 8
    shells = [await conn.terminal(None, 80, 24, lambda _: None) for _ in range(2)]
    assert limit(conn) == conn.route.patience == 20
    for shell in shells:
        assert limit(conn) == 20
        shell.write(b"exit\n")
        await shell.wait()
    await until(conn, hurried)
    command = await conn.command("cat", lambda _: None, lambda _: None, lasting=True)
    assert limit(conn) == 20
    command.write_eof()
    await command.wait()
    await until(conn, hurried)


async def test_a_busy_host_is_waited_for_where_tcp_tells_that_it_is_there(
    sshd: Sshd, open_connection: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "ASK_AFTER", 0.05)
    monkeypatch.setattr(silence, "SILENT", 0.2)
    direct = await open_connection()
    proxied = await open_connection(proxy_command=PROXY.format(host=sshd.host, port=sshd.port))
    lost = asyncio.Event()
    proxied.on_lost(lambda _: lost.set())
    busy = sshd.session_processes()
    signal_all(busy, signal.SIGSTOP)
    try:
        await asyncio.wait_for(lost.wait(), 15)
    finally:
        signal_all(busy, signal.SIGCONT)
    assert (await direct.run("echo on")).stdout == "on\n"


def test_why_it_was_lost_is_told_in_words() -> None:
    assert silence.words(TimeoutError(110, "Connection timed out")) == (
        "Nothing that was sent to it arrived any more."
    )
    assert silence.words(TimeoutError("No sign of life for 3 s.")) == "No sign of life for 3 s."
