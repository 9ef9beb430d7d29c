"""What runs have ready for this computer: fetched once, given up only where the host has it not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from cloudtui.core.events import Event, Noted
from cloudtui.core.workbench import Workbench
from cloudtui.model.copy import BLOCK
from cloudtui.ssh.then import claim
from tests.core.test_digest import exists, start, there
from tests.lab import Lab


@pytest.fixture
async def ready(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has something for the folder `got` here; the step's record."""
    monkeypatch.chdir(tmp_path)
    async with lab.bench() as bench:
        await start(bench, "train", "mkdir out; echo weights >out/model", then=("copy:out:got/it",))
    step = lab.sshd.home / ".local/share/cloudtui/runs/train/then/01"
    await exists(step / "state")
    async with asyncio.timeout(30):
        while (step / "state").read_text() != "fetch\n":
            await asyncio.sleep(0.02)
    return step


async def visit(lab: Lab) -> list[str]:
    """Notes of a console that was opened, looked twice and was left."""
    said: list[str] = []

    def heard(event: Event) -> None:
        if isinstance(event, Noted):
            said.append(f"{event.note.text} {event.note.detail}")

    async with lab.bench() as bench:
        bench.listen(heard)
        await looked(bench)
        bench.fetching._tried.clear()
        await looked(bench)
    return said


async def looked(bench: Workbench) -> None:
    instance = await bench.inventory.find("bert-gpu")
    await bench.inventory.load()
    _ = bench.fetching
    await bench.jobs.list(instance)
    await bench.fetching.settled()


async def test_what_is_mended_here_is_fetched_then(lab: Lab, ready: Path, tmp_path: Path) -> None:
    out, state, got = lab.sshd.home / "out", ready / "state", tmp_path / "got"
    got.touch()
    (note,) = await visit(lab)  # once, though it was tried twice
    assert "cannot be made here" in note
    got.unlink()
    (got / "it/out/model").mkdir(parents=True)
    (note,) = await visit(lab)
    assert "could not be copied" in note
    assert (state.read_text(), there(ready / "fetching")) == ("fetch\n", False)
    (got / "it/out/model").rmdir()
    data = os.urandom(1 << 20) * (2 * BLOCK >> 20)
    (out / "model").write_bytes(data)
    (got / "it/out/.model.cloudtui-part").write_bytes(data[: BLOCK + 7])
    (note,) = await visit(lab)
    assert "copy:out:got/it of train" in note
    assert state.read_text() == "done\n"
    assert (got / "it/out/model").read_bytes() == data
    assert [p.name for p in (got / "it/out").iterdir()] == ["model"]
    assert await visit(lab) == []


async def test_what_the_host_cannot_give_has_failed(lab: Lab, ready: Path) -> None:
    (lab.sshd.home / "out").rename(lab.sshd.home / "elsewhere")
    (note,) = await visit(lab)
    assert "copy:out:got/it of train" in note
    assert "failed: There is no " in note
    assert (ready / "state").read_text() == "failed\n"


async def test_two_consoles_do_not_fetch_the_same(lab: Lab, ready: Path) -> None:
    os.close(os.open(ready / "fetching", os.O_CREAT))
    os.utime(ready / "fetching", (1, 1))
    async with lab.bench() as one, lab.bench() as two:
        links = []
        for bench in (one, two):
            await bench.inventory.load()
            instance = await bench.inventory.find("bert-gpu")
            links.append(await bench.connections.get(instance))
        for _ in range(6):
            os.utime(ready / "fetching", (1, 1))
            took = await asyncio.gather(*(claim(link, "train", 1) for link in links * 3))
            assert sum(took) == 1
    assert not there(ready / "claim")
