"""The black box, from the console's side: a real host, a real Jupyter server, a cut line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from cloudtui.core.events import Noted
from cloudtui.files import recorded_hosts
from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.recording import HostRecorder
from cloudtui.ssh import recorder
from tests.cli.here import Here, here
from tests.host.test_recorder import until
from tests.lab import Lab
from tests.sshd import Sshd, free_port

__all__ = ["here"]

pytestmark = pytest.mark.timeout(240)

TOKEN = "not-in-any-argv"


class Jupyter:
    """A server of the host, with a browser's ways to it."""

    def __init__(self, sshd: Sshd) -> None:
        sshd.with_jupyter()
        self.port = free_port()
        self.folder = sshd.home / "work"
        self.folder.mkdir()
        command = [str(sshd.bin / "jupyter"), "server", "--no-browser", "--allow-root"]
        self.process = subprocess.Popen(
            [*command, "--ip=127.0.0.1", f"--port={self.port}"],
            cwd=self.folder,
            env={**sshd.env, "JUPYTER_TOKEN": TOKEN},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._up, 100)

    def _up(self) -> bool:
        try:
            return bool(self.ask("GET", "api"))
        except OSError:
            return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def notebook(self, path: str, *cells: str) -> None:
        made: list[dict[str, Any]] = [
            {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source,
             "outputs": [], "execution_count": None}
            for number, source in enumerate(cells)
        ]  # fmt: skip
        content = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.ask("PUT", f"api/contents/{path}", {"type": "notebook", "content": content})

    def session(self, path: str) -> str:
        """A kernel for the notebook; its id."""
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        return str(self.ask("POST", "api/sessions", body)["kernel"]["id"])

    def browser(self, kernel: str, session: str) -> websocket.WebSocket:
        return websocket.create_connection(
            f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels?session_id={session}",
            header=[f"Authorization: token {TOKEN}"],
            timeout=30,
        )


def execute(browser: websocket.WebSocket, code: str) -> str:
    request = uuid.uuid4().hex
    header = {"msg_id": request, "msg_type": "execute_request", "session": "s", "username": "u",
              "version": "5.3", "date": ""}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False,
               "stop_on_error": True, "user_expressions": {}}  # fmt: skip
    message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
    browser.send(json.dumps({**message, "content": content}))
    return request


def heard(browser: websocket.WebSocket, request: str, lines: int | None = None) -> str:
    """What the cell printed: so many lines, or all until it is done."""
    text = ""
    while True:
        message = json.loads(browser.recv())
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
        if lines is not None and text.count("\n") >= lines:
            return text
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return text


@pytest.fixture
def jupyter(sshd: Sshd) -> Iterator[Jupyter]:
    server = Jupyter(sshd)
    yield server
    server.process.terminate()
    server.process.wait()


CELL = """\
import time
for i in range(600):
    print("line", i, flush=True)
    time.sleep(0.004)
"""
LINES = [f"line {i}" for i in range(600)]


def test_nothing_is_lost_while_everybody_is_away(lab: Lab, jupyter: Jupyter, here: Here) -> None:
    jupyter.notebook("train.ipynb", "x = 6", "# nothing but words", "x * 7", "1/0", "print('no')")
    asyncio.run(away(lab, jupyter, jupyter.session("train.ipynb")))
    afterwards(jupyter, here)


async def away(lab: Lab, jupyter: Jupyter, kernel: str) -> None:
    """A cell prints 600 lines; the browser goes after 100 and comes back, the line is cut."""
    sshd = lab.sshd
    async with lab.bench() as bench:
        (instance,) = (await bench.inventory.load()).instances
        began = await bench.recordings.start(instance)
        assert began.running
        assert recorded_hosts.load() == {instance.id}

        async def recorded() -> bool:
            told = (await bench.recordings.list(instance)).recorder
            found = told and told.of(kernel)
            return bool(found and found.state == "recorded" and found.path)

        async with asyncio.timeout(60):
            while not await recorded():
                await asyncio.sleep(0.05)
        session = uuid.uuid4().hex
        browser = await asyncio.to_thread(jupyter.browser, kernel, session)
        request = execute(browser, CELL)
        seen = await asyncio.to_thread(heard, browser, request, 100)
        browser.shutdown()  # type: ignore[no-untyped-call]
        got: list[str] = []
        cuts: list[bool] = []
        enough = asyncio.Event()

        def take(record: dict[str, Any]) -> None:
            if record.get("name") == "stdout":
                got.append(record["text"])
            if "".join(got).count("\n") >= 200 and not cuts:
                cuts.append(True)
                sshd.cut()
            if record["kind"] == "status" and record["state"] == "idle" and got:
                enough.set()

        follow = asyncio.create_task(bench.recordings.log(instance, kernel, take, follow=True))
        async with asyncio.timeout(60):
            await enough.wait()
        follow.cancel()
        assert "".join(got).splitlines() == LINES

        # A browser that comes back is given what it missed, as without a recorder.
        browser = await asyncio.to_thread(jupyter.browser, kernel, session)
        seen += await asyncio.to_thread(heard, browser, request)
        assert seen.splitlines()[-480:] == LINES[-480:], "but for what was on the way to it"
        browser.shutdown()  # type: ignore[no-untyped-call]
        (listed,) = jupyter.ask("GET", "api/kernels")
        assert listed["connections"] <= 1, "the recorder is no client of the server"
        ps = await asyncio.to_thread(subprocess.check_output, ["ps", "-eww", "-o", "args"])
        assert TOKEN.encode() not in ps


def afterwards(jupyter: Jupyter, here: Here) -> None:
    """What the command line makes of it."""
    code, text = here("kernels", "log", "bert-gpu", "train", "-n", "3")
    assert code == 0
    assert text.splitlines()[:2] == ["line 598", "line 599"]
    code, text = here("kernels", "run", "bert-gpu", "train.ipynb", "-f")
    assert code == 1
    assert "Out[4]: 42" in text
    assert "stopped at cell 4 of 5: ZeroDivisionError: division by zero" in text
    assert "line 599" not in text, "only what the run prints"
    saved = jupyter.ask("GET", "api/contents/train.ipynb")["content"]["cells"]
    assert saved[2]["outputs"][0]["data"]["text/plain"] == "42"
    assert saved[3]["outputs"][0]["ename"] == "ZeroDivisionError"
    assert saved[4]["outputs"] == []
    code, text = here("kernels", "log", "bert-gpu", "train.ipynb", "--json")
    records = json.loads(text)["records"]
    assert [r["code"] for r in records if r["kind"] == "input"][1:] == [
        "x = 6", "# nothing but words", "x * 7", "1/0",
    ]  # fmt: skip
    code, text = here("kernels", "run", "bert-gpu", "train.ipynb", "--server", "1")
    assert (code, "No Jupyter server runs on port 1 there" in text) == (3, True)
    code, text = here("kernels", "log", "bert-gpu", "train.ipynb", "--server", "1")
    assert (code, "line 599" in text) == (3, False)
    code, text = here(
        "kernels", "log", "bert-gpu", "train", "-n", "2", "--server", str(jupyter.port)
    )
    assert code == 0, text
    code, text = here("kernels", "log", "bert-gpu", "--server", "1")
    assert (code, "goes with a NOTEBOOK" in text) == (2, True)
    code, text = here("kernels", "log", "bert-gpu", "other.ipynb")
    assert (code, "train.ipynb" in text) == (3, True)
    code, text = here("kernels", "log", "bert-gpu")
    assert code == 0
    assert text.splitlines()[1].split()[-1] == "train.ipynb"


async def test_where_it_is_switched_on_it_is_begun_again(lab: Lab) -> None:
    notes: list[str] = []
    async with lab.bench() as bench:
        (instance,) = (await bench.inventory.load()).instances
        bench.listen(lambda e: notes.append(e.note.text) if isinstance(e, Noted) else None)
        await bench.recordings.start(instance)
        assert (await bench.recordings.start(instance)).running, "it runs, and that is fine"
        lab.sshd.end()
        lab.sshd.start()
    async with lab.bench() as bench:
        bench.listen(lambda e: notes.append(e.note.text) if isinstance(e, Noted) else None)
        await bench.connections.get(instance)
    assert any("was not running; it is again now" in note for note in notes)
    async with lab.bench() as bench:
        told = (await bench.recordings.list(instance)).recorder
        assert told
        assert told.running
        with pytest.raises(NotFound, match="Nothing was recorded"):
            await bench.recordings.log(instance, "none", lambda record: None)
        with pytest.raises(NotFound, match="No Jupyter server runs there"):
            await bench.recordings.run(instance, "a.ipynb")
        assert not (await bench.recordings.stop(instance)).running
        assert recorded_hosts.load() == frozenset()
    async with lab.bench(read_only=True) as bench:
        with pytest.raises(Refused):
            await bench.recordings.start(instance)


async def test_a_host_without_python_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = recorder._PYTHON.replace("/usr/bin/python3", "").replace("/opt/", "/none/")
    monkeypatch.setattr(recorder, "_PYTHON", looked)
    for name in ("python3", "python"):
        lab.sshd.script(name, "#!/bin/sh\nexit 1\n")
    async with lab.bench() as bench:
        (instance,) = (await bench.inventory.load()).instances
        with pytest.raises(NotFound, match=r"no Python 3\.6"):
            await bench.recordings.start(instance)
        assert recorded_hosts.load() == frozenset()
        assert (await bench.recordings.list(instance)).recorder == HostRecorder()
    assert not (lab.sshd.home / ".local/share/cloudtui").exists(), "nothing is brought to look"
