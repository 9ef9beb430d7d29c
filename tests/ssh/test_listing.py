"""Runs and sessions of a real host that are listed again and again."""

from __future__ import annotations

import os
import subprocess

from cloudtui.model.job import Job
from cloudtui.model.session import Program
from cloudtui.ssh import jobs
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.multiplexer import new_session
from tests.sshd import Sshd

ODD = 'it\'s "$1" `a` ;'


def tmux(sshd: Sshd, *words: str) -> None:
    env = {**os.environ, **sshd.env, "LC_ALL": "C.UTF-8"}
    subprocess.run(["tmux", "-u", "-f", "/dev/null", *words], env=env, check=True)


async def by_name(conn: Connection, before: dict[str, Job]) -> dict[str, Job]:
    return {job.id: job for job in await jobs.listed(conn, "i-1", before.values())}


async def test_what_sessions_show_is_read_on(sshd: Sshd, conn: Connection) -> None:
    names = [f"s{n}-" + 150 * "x" for n in range(54)]  # tmux takes 16 KiB of words at once
    new = [word for name in names for word in ("new-session", "-d", "-s", name, "cat", ";")]
    tmux(sshd, *new[:-1])
    await new_session(conn, Program.TMUX, ODD, "stty -echo; exec cat")

    async def typed(line: str, before: dict[str, Job]) -> dict[str, Job]:
        tmux(sshd, "send-keys", "-t", f"={ODD}:", line, "Enter")
        while True:
            found = await by_name(conn, before)
            if found[ODD].last_line == line:
                return found

    first = await typed("step 1 loss=0.5", {})
    assert first.keys() == {*names, ODD}
    second = await typed("step 2 loss=0.25", first)
    assert second[ODD].training.losses == (0.5, 0.25)
    third = await typed("step 3 loss=0.125", second)
    assert third[ODD].training.losses == (0.5, 0.25, 0.125), "each once"
    again = await by_name(conn, third)
    assert (again[ODD].shown, again[ODD].training.losses) == (
        third[ODD].shown,
        third[ODD].training.losses,
    )

    tmux(sshd, "kill-session", "-t", f"={names[3]}", ";", "new-session", "-d", "-s", "late", "cat")
    found = await by_name(conn, again)
    assert found.keys() == {*names, ODD, "late"} - {names[3]}
    assert found[ODD].last_line == "step 3 loss=0.125", "the end of another hides nothing"
    assert (await typed("nan loss=nan", found)).keys() == found.keys()
