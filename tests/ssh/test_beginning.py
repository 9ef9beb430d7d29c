"""A host whose start-up files print something is one as any other."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cloudtui.core.copies import Copies, CopyOrder, Spot
from cloudtui.core.events import Events
from cloudtui.model.copy import CopyPhase
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, JobSpec
from cloudtui.ssh import jobs, upload
from cloudtui.ssh.beginning import Beginning
from cloudtui.ssh.connect import Connection, connect
from tests.ssh.conftest import Answers
from tests.sshd import Sshd


class Open:
    """The one connection there is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, instance: Instance, *, ask: bool = True) -> Connection:
        return self._connection


@given(st.binary(max_size=60), st.binary(max_size=60), st.lists(st.integers(0, 160)))
def test_what_comes_before_is_left_out(before: bytes, after: bytes, cuts: list[int]) -> None:
    heard: list[bytes] = []
    said = Beginning(heard.append)
    whole = before + said.command.removeprefix("echo ").encode() + b"\n" + after
    at = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})
    for start, end in pairwise(at):
        said.take(whole[start:end])
    assert b"".join(heard) == after


async def test_a_host_that_greets(sshd: Sshd, tmp_path: Path) -> None:
    for name in (".bashrc", ".zshenv"):
        (sshd.home / name).write_text("echo Welcome to the lab\nprintf 'no newline'\n")
    (sshd.home / "model").write_text("weights")
    conn = await connect(sshd.route(), Answers())
    try:
        assert (await conn.run("echo hello")).stdout == "hello\n"
        spec = JobSpec(("seq", "3"), name="count", holder=Holder.NONE)
        assert await jobs.start(conn, spec) == "count"
        log, cursor = bytearray(), jobs.Cursor()
        async with asyncio.timeout(30):
            while not await jobs.follow(conn, "count", cursor, log.extend):
                pass
        assert bytes(log) == b"1\n2\n3\n"
        assert (await upload.listed(conn, "~", [b"model"])).folder == str(sshd.home)
        copies = Copies(Open(conn), Events())  # type: ignore[arg-type]
        host = Instance("i-0a", "us-east-1", State.RUNNING, name="gpu")
        order = CopyOrder((Spot(host, "model"),), Spot(None, str(tmp_path / "got")))
        assert (await copies.wait(copies.start(order))).phase is CopyPhase.DONE
        assert (tmp_path / "got").read_text() == "weights"
        await copies.close()
    finally:
        await conn.close()
