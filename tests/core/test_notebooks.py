"""Jupyter servers of every kind, real ones: what they hold, ending it, and what they say wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloudtui.cli.kernels import _document
from cloudtui.core.events import Event, Noted
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CredentialsProblem, NotFound, Refused, Timeout
from cloudtui.model.instance import Instance
from cloudtui.model.kernel import Kernel, NotebookServer
from cloudtui.ssh import jupyter_rest
from tests.jupyters import PASSWORD, Server, locked_words, server
from tests.lab import Lab, Person


class Typist(Person):
    """Types these passwords, one after the other."""

    def __init__(self, *passwords: str) -> None:
        super().__init__()
        self.passwords = list(passwords)
        self.titles: list[str] = []

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        assert prompts == (("Password: ", False),), "it is not echoed"
        self.titles.append(title)
        return [self.passwords.pop(0)] if self.passwords else None


async def begin(bench: Workbench, gpu: Instance, on: NotebookServer, path: str) -> str:
    """A kernel for a notebook; its id."""
    body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
    made = (await bench.notebooks.ask(gpu, on.server, "POST", "api/sessions", body)).json()
    kernel_id: str = made["kernel"]["id"]
    return kernel_id


def process_of(kernel_id: str) -> int:
    found = subprocess.run(
        ["pgrep", "-f", f"kernel-{kernel_id}.json"], capture_output=True, check=True
    )
    return int(found.stdout.split()[0])


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await look():
            await asyncio.sleep(0.05)


async def test_servers_of_every_kind(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = lab.sshd.home / "work"
    work.mkdir()
    person = Typist("trout", PASSWORD)
    notes: list[str] = []

    def noted(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(f"{event.note.text} {event.note.detail}")

    with (
        server(lab.sshd, work, JUPYTER_RUNTIME_DIR=str(tmp_path / "elsewhere")) as plain,
        server(lab.sshd, tmp_path, *locked_words(tmp_path), host="::1") as locked,
    ):
        await asyncio.to_thread(plain.ready)
        await asyncio.to_thread(locked.ready)
        async with lab.bench(person) as bench:
            bench.listen(noted)
            gpu = await bench.inventory.find("bert-gpu")
            await _kernels(bench, gpu, plain, locked)
            await _password(bench, gpu, locked, person)
            await _opened(bench, gpu, plain, locked)
            with monkeypatch.context() as patched:
                patched.setattr(jupyter_rest, "ANSWER_SECONDS", 2.0)
                await _hanging(bench, gpu, plain, locked)
            await _ended(bench, gpu, plain, locked)
            told = [*notes, *person.titles, repr(bench.notebooks.state(gpu.id))]
            told.append(json.dumps(_document(gpu, bench.notebooks.state(gpu.id).servers or ())))
            assert not any(plain.token in text or PASSWORD in text for text in told)


async def _servers(bench: Workbench, gpu: Instance, *ports: Server) -> list[NotebookServer]:
    """What is known of these servers, asked now."""
    state = await bench.notebooks.list(gpu)
    assert state.error is None
    by_port = {found.server.port: found for found in state.servers or ()}
    return [by_port[each.port] for each in ports]


async def _kernels(bench: Workbench, gpu: Instance, plain: Server, locked: Server) -> None:
    one, other = await _servers(bench, gpu, plain, locked)
    assert (one.error, one.kernels, one.server.secure) == (None, (), False)
    assert one.version
    assert (one.memory or 0) > 10 << 20
    assert (other.server.secure, other.server.base_url, other.server.host) == (
        True,
        "/team/nlp/",
        "::1",
    )
    assert isinstance(other.error, CredentialsProblem)
    assert "wants its password" in other.error.title

    train, eda = await asyncio.gather(
        begin(bench, gpu, one, "a b/train.ipynb"), begin(bench, gpu, one, "eda.ipynb")
    )
    await bench.notebooks.ask(gpu, one.server, "POST", "api/terminals", {})
    await plain.execute(train, "import time; time.sleep(1000)")

    async def kernel(kernel_id: str) -> Kernel:
        (found,) = await _servers(bench, gpu, plain)
        return next(k for k in found.kernels if k.id == kernel_id)

    async def busy() -> bool:
        return (await kernel(train)).busy

    await until(busy)
    (one,) = await _servers(bench, gpu, plain)
    assert one.terminals == ("1",)
    assert [k.path for k in one.kernels] == ["a b/train.ipynb", "eda.ipynb"]
    assert all((k.memory or 0) > 10 << 20 and k.last_activity for k in one.kernels)

    found, running = await bench.notebooks.find(gpu, "train.ipynb", port=plain.port)
    with pytest.raises(NotFound, match="No kernel answers to nothing"):
        await bench.notebooks.find(gpu, "nothing", port=plain.port)
    await bench.notebooks.interrupt(gpu, found, running)

    async def idle() -> bool:
        return (await kernel(train)).state == "idle"

    await until(idle)
    await bench.notebooks.restart(gpu, found, running)
    await until(idle)
    os.kill(process_of(eda), signal.SIGKILL)
    await _servers(bench, gpu, plain)  # whatever it says of it now
    await bench.notebooks.shutdown(gpu, found, running)
    await bench.notebooks.shutdown_terminal(gpu, found, "1")
    (one,) = await _servers(bench, gpu, plain)
    assert [k.path for k in one.kernels] == ["eda.ipynb"]
    assert one.terminals == ()
    with pytest.raises(NotFound):
        await bench.notebooks.shutdown(gpu, found, running)


async def _password(bench: Workbench, gpu: Instance, locked: Server, person: Typist) -> None:
    (other,) = await _servers(bench, gpu, locked)
    (again,) = await _servers(bench, gpu, locked)
    assert again.error is other.error, "it is not asked over and over"
    with pytest.raises(CredentialsProblem, match="does not take that password"):
        await bench.notebooks.log_in(gpu, other.server)
    await bench.notebooks.log_in(gpu, other.server)
    assert person.titles == [f"Jupyter on bert-gpu ({gpu.id}), port {locked.port}"] * 2
    (other,) = await _servers(bench, gpu, locked)
    assert (other.error, other.kernels) == (None, ())
    await begin(bench, gpu, other, "secret.ipynb")
    (other,) = await _servers(bench, gpu, locked)
    assert [k.path for k in other.kernels] == ["secret.ipynb"]
    await bench.notebooks.shutdown(gpu, other, other.kernels[0])
    (other,) = await _servers(bench, gpu, locked)
    assert other.kernels == ()


async def _opened(bench: Workbench, gpu: Instance, plain: Server, locked: Server) -> None:
    """Both through tunnels; the second wants the first one's port and gets the next."""
    one, other = await _servers(bench, gpu, plain, locked)
    first = await bench.jupyter.forward(gpu, one.server, on_step=lambda _: None)
    second = await bench.jupyter.forward(gpu, other.server, on_step=lambda _: None)
    assert second.local_port > second.wanted_port
    assert second.moved.startswith(f"Port {second.wanted_port} is taken here")
    assert first.url.endswith(f"/lab?token={plain.token}")
    assert second.url == f"https://localhost:{second.local_port}/team/nlp/lab"
    assert (first.password, second.password) == (False, True)


async def _hanging(bench: Workbench, gpu: Instance, plain: Server, locked: Server) -> None:
    plain.process.send_signal(signal.SIGSTOP)
    one, other = await _servers(bench, gpu, plain, locked)
    assert isinstance(one.error, Timeout)
    assert other.error is None
    plain.process.send_signal(signal.SIGCONT)

    async def answers() -> bool:
        (found,) = await _servers(bench, gpu, plain)
        return found.error is None

    await until(answers)


async def _ended(bench: Workbench, gpu: Instance, plain: Server, locked: Server) -> None:
    (one,) = await _servers(bench, gpu, plain)
    await bench.notebooks.shutdown_server(gpu, one)
    await asyncio.to_thread(plain.process.wait, 30)
    state = await bench.notebooks.list(gpu)
    assert [s.server.port for s in state.servers or ()] == [locked.port]


async def test_read_only_ends_nothing(lab: Lab) -> None:
    async with lab.bench(read_only=True) as bench:
        gpu = await bench.inventory.find("bert-gpu")
        state = await bench.notebooks.list(gpu)
        assert state.servers == ()
        assert bench.why_not("notebooks.change", gpu).startswith("This is read-only mode")
        with pytest.raises(Refused, match="read-only"):
            bench.notebooks.may_change()
