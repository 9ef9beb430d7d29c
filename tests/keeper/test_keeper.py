"""Tunnels in a process of their own: a real keeper, a real sshd."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cloudtui.core.events import InventoryChanged, InventoryState
from cloudtui.core.kept_tunnels import stop
from cloudtui.files import keeper_socket, wanted_tunnels
from cloudtui.files.listening import who_listens
from cloudtui.files.paths import crash_dir
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, PortTaken, Refused
from cloudtui.model.instance import State
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelSpec
from tests.keeper.conftest import Front, asked, machine
from tests.lab import Lab, Person
from tests.network import Net
from tests.sshd import free_port


async def greeting(path: Path, version: str = "0") -> dict[str, object]:
    """What the keeper says to a stranger of that version."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(json.dumps({"id": 1, "do": "hello", "version": version}).encode() + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    ok: dict[str, object] = answer["ok"]
    return ok


async def keeper_process() -> int:
    said = await greeting(keeper_socket.socket_path())
    assert isinstance(said["pid"], int)
    return said["pid"]


def other_keeper() -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "cloudtui.keeper"]
    return subprocess.run(command, capture_output=True, timeout=30, check=False)


def lock(key: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "s3cret", "-f", str(key)], check=True)


def of_process(pid: int, file: str) -> bytes:
    return Path(f"/proc/{pid}/{file}").read_bytes()


async def gone(pid: int) -> None:
    """Until the process has ended; and was waited for."""
    async with asyncio.timeout(30):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.01)


async def test_a_tunnel_goes_on_without_the_front_that_opened_it(
    lab: Lab, front: Front, upper: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(lab.home / ("long" * 20)))
    state = await front.open(lab, upper)
    assert state.phase is TunnelPhase.UP
    assert await asked(state.local_port, b"one") == b"ONE"
    await front.tunnels.close()
    assert await asked(state.local_port, b"two") == b"TWO"
    other = Front()
    await other.tunnels.resume()
    assert [t.key for t in other.tunnels.states] == [state.key]
    pid = await keeper_process()
    await other.tunnels.close_one(state.key)
    with pytest.raises(ConnectionRefusedError):
        await asked(state.local_port, b"three")
    assert wanted_tunnels.load() == ()
    await other.tunnels.close()
    assert await stop()
    await gone(pid)
    assert not await stop()
    folder = keeper_socket.socket_path().parent
    assert folder.name.startswith("cloudtui-")
    assert not folder.exists()


async def test_with_no_front_open_it_asks_aws_for_the_new_address(
    lab: Lab, net: Net, front: Front, upper: int
) -> None:
    login = f"  User {lab.sshd.user}\n  IdentityFile {lab.sshd.key}\n"
    net.config.write_text(f"{net.config.read_text()}{login}  StrictHostKeyChecking no\n")
    spec = TunnelSpec(Direction.LOCAL, free_port(), "127.0.0.1", upper)
    before = net.address(lab.gpu)
    state = await front.tunnels.open(replace(machine(lab), public_ip=before), spec)
    await front.tunnels.close()
    assert await asked(state.local_port, b"here") == b"HERE"
    assert net.new_address(lab.gpu) != before
    lab.sshd.cut()
    assert await asked(state.local_port, b"and there") == b"AND THERE"


async def test_two_fronts_see_the_same(lab: Lab, front: Front, upper: int) -> None:
    other = Front()
    state = await front.open(lab, upper)
    await other.tunnels.resume()
    lab.sshd.cut()
    for each in (front, other):
        async with asyncio.timeout(30):
            while not each.tunnels.states[0].cuts:
                await asyncio.sleep(0.01)
        assert (await each.until(TunnelPhase.UP)).key == state.key
    assert await asked(state.local_port, b"again") == b"AGAIN"
    assert any("is back" in text for text in other.said)
    await other.tunnels.close()


async def test_a_keeper_that_is_killed_is_begun_again_with_its_tunnels(
    lab: Lab, front: Front, upper: int
) -> None:
    state = await front.open(lab, upper)
    pid = await keeper_process()
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    async with asyncio.timeout(30):
        while not (front.tunnels.states and await _answers(state.local_port)):
            await asyncio.sleep(0.05)
    assert await keeper_process() != pid
    assert (await front.until(TunnelPhase.UP)).key == state.key


async def _answers(port: int) -> bool:
    try:
        return await asked(port, b"x") == b"X"
    except OSError:
        return False


async def test_its_end_is_no_crash(lab: Lab, front: Front, upper: int) -> None:
    await front.open(lab, upper)
    pid = await keeper_process()
    os.kill(pid, signal.SIGTERM)
    await gone(pid)
    assert not list(crash_dir().glob("*"))


async def test_its_socket_is_its_owners_alone(lab: Lab, front: Front, upper: int) -> None:
    await front.open(lab, upper)
    path = keeper_socket.socket_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    done = other_keeper()
    assert done.returncode == 75
    kept = wanted_tunnels.wanted_file()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert lab.sshd.key.read_text() not in kept.read_text()


async def test_another_version_is_told_so_and_may_end_it(
    lab: Lab, front: Front, upper: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await front.open(lab, upper)
    assert (await greeting(keeper_socket.socket_path()))["tunnels"] == 1
    monkeypatch.setattr("cloudtui.core.keeper.__version__", "99.0")
    other = Front()
    with pytest.raises(Refused, match=r"this is 99\.0") as caught:
        await other.tunnels.resume()
    assert "1 tunnel open" in caught.value.detail
    pid = await keeper_process()
    await other.tunnels.close()
    assert await stop()
    await gone(pid)


async def test_questions_are_put_to_the_person_in_front(lab: Lab, front: Front, upper: int) -> None:
    lab.name_in_config("bert-gpu", known=False)
    front.person.trust = False
    with pytest.raises(Refused, match="not trusted"):
        await front.open(lab, upper)
    assert front.person.keys[0].fingerprint.startswith("SHA256:")
    front.person.trust = True
    assert (await front.open(lab, upper)).phase is TunnelPhase.UP


async def test_a_wrong_passphrase_ends_in_a_sentence(lab: Lab, upper: int) -> None:
    lock(lab.sshd.key)
    front = Front(Person(passphrases=["wrong", "s3cret"]))
    try:
        state = await front.open(lab, upper)
        assert state.phase is TunnelPhase.UP
        assert len(front.person.asked) == 2
        assert "s3cret" not in wanted_tunnels.wanted_file().read_text()
        pid = await keeper_process()
        assert b"s3cret" not in of_process(pid, "cmdline")
        await front.tunnels.close()
        lab.sshd.cut()
        assert await asked(state.local_port, b"with nobody to ask") == b"WITH NOBODY TO ASK"
    finally:
        await front.tunnels.close()
        await stop()


async def test_nobody_to_ask_is_a_failure_and_not_a_wait(lab: Lab, upper: int) -> None:
    lock(lab.sshd.key)
    front = Front(Person(passphrases=[None]))
    try:
        with pytest.raises(CredentialsProblem):
            await front.open(lab, upper)
    finally:
        await front.tunnels.close()
        await stop()


async def test_a_port_that_is_taken_is_told_by_name(lab: Lab, front: Front, upper: int) -> None:
    spec = TunnelSpec(Direction.LOCAL, upper, "127.0.0.1", 8888)
    with pytest.raises(PortTaken, match=f"Port {upper} .* taken by .*{os.getpid()}"):
        await front.tunnels.open(machine(lab), spec)
    assert front.tunnels.states == ()


async def test_a_port_that_it_holds_itself_is_told_as_such(
    lab: Lab, front: Front, upper: int
) -> None:
    state = await front.open(lab, upper)
    assert "cloudtui tunnel ls" in who_listens(state.local_port)


async def test_a_port_there_that_the_cut_connection_holds_is_asked_for_again(
    lab: Lab, front: Front, upper: int
) -> None:
    """The host has not noticed the cut: its end is stopped, as on a path that went silent."""
    spec = TunnelSpec(Direction.REMOTE, free_port(), "127.0.0.1", upper)
    await front.tunnels.open(machine(lab), spec)
    stopped = lab.sshd.session_processes()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        with front.tunnels.watched():
            while not (held := front.tunnels.states[0]).error:
                await asyncio.sleep(0.01)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
    assert held.phase is TunnelPhase.RECONNECTING
    assert held.error
    assert "until it notices" in held.error.hint
    await front.until(TunnelPhase.UP)
    assert await asked(spec.listen_port, b"back") == b"BACK"


async def test_what_the_front_lists_reaches_it(lab: Lab, front: Front, upper: int) -> None:
    await front.open(lab, upper)
    lab.ec2.stop_instances(InstanceIds=[lab.gpu])
    stopped = replace(machine(lab), state=State.STOPPED)
    front.events.emit(InventoryChanged(InventoryState((stopped,))))
    lab.sshd.cut()
    waiting = await front.until(TunnelPhase.WAITING)
    assert waiting.error
    assert "stopped" in waiting.error.title


async def test_noise_on_the_socket_harms_nobody(lab: Lab, front: Front, upper: int) -> None:
    state = await front.open(lab, upper)
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b'{"do":"open","id":1}\n', b"\xff\n"):
        reader, writer = await asyncio.open_unix_connection(str(keeper_socket.socket_path()))
        writer.write(noise)
        writer.write_eof()
        await reader.read()
        writer.close()
    assert await asked(state.local_port, b"still") == b"STILL"


async def test_a_keeper_that_cannot_start_says_why(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.core.keeper.sys.executable", "/bin/false")
    front = Front()
    with pytest.raises(CloudtuiError, match="did not start"):
        await front.open(lab, 8888)
    await front.tunnels.close()
