"""Copies over a real sshd: equal on both sides, gone on with after cuts, true about failures."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloudtui.core import copies, copying, looking, transfer
from cloudtui.core.browsing import Browsing
from cloudtui.core.copies import Copies, CopyOrder, Spot
from cloudtui.core.events import Events
from cloudtui.host.files.copies import Arriving
from cloudtui.model.copy import BLOCK, Act, CopyPhase, CopyState
from cloudtui.model.errors import CloudtuiError, NotFound, NotRunning, Refused, UsageError
from cloudtui.model.instance import Instance, State
from cloudtui.ssh import copy
from cloudtui.ssh.connect import Connection, connect
from tests.ssh.conftest import Answers
from tests.sshd import Sshd

GPU = Instance("i-0a", "us-east-1", State.RUNNING, name="bert-gpu")
OTHER = Instance("i-0b", "us-east-1", State.RUNNING, name="other")

FULL_DISK = f"""#!{sys.executable}
import errno, os, sys
if not sys.argv[2]:
    sys.exit()
write, left = os.write, [3 << 20]
def written(fd, data):
    if fd > 2:
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write(fd, data)
os.write = written
exec(sys.argv[2])
"""


class Reached:
    """Machines and the servers that stand for them; what is lost is opened again."""

    def __init__(self, servers: dict[str, Sshd]) -> None:
        self._servers = servers
        self._open: dict[str, Connection] = {}
        self._one_at_a_time = asyncio.Lock()
        self.stopped = 0
        """So often the machine is told as stopped."""

    async def get(self, instance: Instance, *, ask: bool = True) -> Connection:
        async with self._one_at_a_time:
            held = self._open.get(instance.id)
            if held is None or held.closed:
                if self.stopped:
                    self.stopped -= 1
                    raise NotRunning("gpu is stopping.")
                if held:
                    await held.close()
                held = await connect(self._servers[instance.id].route(), Answers())
                self._open[instance.id] = held
            return held

    async def close(self) -> None:
        for each in self._open.values():
            await each.close()


class Bench:
    """Copies under test; every state that was told is kept."""

    def __init__(self, sshd: Sshd, here: Path) -> None:
        self.sshd, self.here, self.there = sshd, here, sshd.home
        self.reached = Reached({GPU.id: sshd, OTHER.id: sshd})
        self.copies = Copies(self.reached, Events())  # type: ignore[arg-type]
        self.copies._telling.soon = self.copies._telling.now  # type: ignore[method-assign]
        self.told: list[CopyState] = []
        self.on_state: Callable[[CopyState], None] = lambda state: None
        self.copies.listen(self._heard)

    def _heard(self, states: tuple[CopyState, ...]) -> None:
        self.told.append(states[-1])
        self.on_state(states[-1])

    async def copy(self, *paths: str, **how: bool) -> CopyState:
        """As typed: `gpu:` is the machine, `other:` one more."""
        *sources, target = map(spot, paths)
        key = self.copies.start(CopyOrder(tuple(sources), target, **how))
        return await self.copies.wait(key)

    async def done(self, *paths: str, **how: bool) -> CopyState:
        state = await self.copy(*paths, **how)
        assert state.phase is CopyPhase.DONE, (state.error, state.problems)
        return state


def spot(text: str) -> Spot:
    for machine, name in ((GPU, "gpu:"), (OTHER, "other:")):
        if text.startswith(name):
            return Spot(machine, text.removeprefix(name))
    return Spot(None, text)


@pytest.fixture
async def bench(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    here = tmp_path / "work"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(transfer, "TOLD_SECONDS", 0.0)
    made = Bench(sshd, here)
    yield made
    await made.copies.close()
    await made.reached.close()


def odd_tree(root: Path) -> None:
    """Everything that a name, a mode or a link can be."""
    (root / "empty").mkdir(parents=True)
    (root / "sub" / "deep").mkdir(parents=True)
    for name, mode in (("a b", 0o644), ("new\nline", 0o600), ("tool", 0o755), ("ro", 0o444)):
        (root / "sub" / name).write_text(name)
        (root / "sub" / name).chmod(mode)
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")).write_text("not UTF-8")
    (root / ("x" * 250)).write_text("a long name")
    (root / "nothing").touch()
    (root / "loss").write_bytes(os.urandom(700_000))
    (root / "link").symlink_to("sub/a b")
    (root / "broken").symlink_to("nowhere")
    os.utime(root / "loss", ns=(1_500_000_000_123_456_789,) * 2)
    (root / "sub" / "deep").chmod(0o500)
    os.utime(root / "sub", (1_400_000_000, 1_400_000_000))


def listing(root: Path) -> str:
    command = ["find", ".", "-printf", "%P %y %m %s %T@ %l\\n"]
    found = subprocess.run(command, cwd=root, check=True, capture_output=True)
    return "\n".join(sorted(found.stdout.decode(errors="replace").splitlines()[1:]))


def equal(one: Path, other: Path) -> None:
    """Names, links and contents."""
    subprocess.run(["diff", "-r", "--no-dereference", one, other], check=True)


def same(one: Path, other: Path) -> None:
    """Modes and times too."""
    equal(one, other)
    assert listing(one) == listing(other)


async def test_there_back_and_between_machines(bench: Bench) -> None:
    source, there = bench.here / "tree", bench.there
    odd_tree(source)
    state = await bench.done("tree", "gpu:")
    assert (state.files_done, state.same) == (10, 0)
    same(source, there / "tree")
    state = await bench.done("tree", "gpu:")
    assert (state.files_done, state.same, state.done) == (0, 10, 0)
    (source / "sub" / "tool").chmod(0o700)
    (source / "sub" / "ro").chmod(0o644)
    (source / "sub" / "ro").write_text("longer")
    state = await bench.done("tree/.", "gpu:tree")
    assert (state.files_done, state.same) == (2, 8)
    same(source, there / "tree")
    await bench.done("gpu:tree", "back")
    same(source, bench.here / "back")
    await bench.done("gpu:tree", "other:second")
    same(source, there / "second")
    os.utime(source / "loss", (5, 5))
    state = await bench.done("tree/.", "gpu:tree", check=True)
    assert state.done == 0
    (there / "tree" / "loss").write_bytes(bytes(700_000))
    os.utime(there / "tree" / "loss", (5, 5))
    assert (await bench.done("tree/.", "gpu:tree")).done == 0
    assert (await bench.done("tree/.", "gpu:tree", check=True)).done == 700_000
    same(source, there / "tree")
    await bench.done("tree", "gpu:followed", follow=True)
    assert (there / "followed" / "link").read_text() == "a b"
    assert not (there / "followed" / "link").is_symlink()


async def test_what_takes_a_while_of_thousands_of_files_holds_nothing_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd_tree(bench.here / "tree")
    aside: dict[str, bool] = {}
    for module, name in ((copying, "plan"), (copying, "_goals"), (looking, "_entries")):
        work = getattr(module, name)

        def noted(*words: Any, name: str, work: Callable[..., Any], **more: Any) -> Any:
            aside[name] = threading.current_thread() is not threading.main_thread()
            return work(*words, **more)

        monkeypatch.setattr(module, name, partial(noted, name=name, work=work))
    await bench.done("tree", "gpu:")
    assert aside == {"plan": True, "_goals": True, "_entries": True}


async def test_names_are_those_of_cp(bench: Bench) -> None:
    there = bench.there
    for name in ("one.json", "two.json", "[odd].json"):
        (there / name).write_text(name)
    (there / "runs").mkdir()
    await bench.done("gpu:*.json", "gpu:[odd].json", ".")
    assert sorted(p.name for p in bench.here.iterdir()) == ["[odd].json", "one.json", "two.json"]
    await bench.done("one.json", "gpu:runs")
    await bench.done("one.json", "gpu:~/runs/other")
    assert sorted(p.name for p in (there / "runs").iterdir()) == ["one.json", "other"]
    target = there / "pointed"
    target.write_text("old")
    (there / "pointer").symlink_to(target)
    await bench.done("two.json", "gpu:pointer")
    assert (there / "pointer").is_symlink()
    assert target.read_text() == "two.json"
    for paths, said in (
        (("gpu:*.csv", "."), "Nothing on bert-gpu matches *.csv."),
        (("absent", "gpu:"), "There is no absent on this computer."),
        (("one.json", "gpu:no/such/x"), "There is no folder no/such on bert-gpu"),
        (("one.json", "gpu:new/"), "new/ is not there on bert-gpu."),
        (("one.json", "two.json", "gpu:one"), "one is not there on bert-gpu."),
        (("gpu:runs", "one.json"), "one.json is a file, and runs is a folder."),
    ):
        state = await bench.copy(*paths)
        assert state.error
        assert state.error.title.startswith(said)
        assert isinstance(state.error, NotFound | UsageError)
    with pytest.raises(UsageError, match="Neither side"):
        bench.copies.start(CopyOrder((spot("a"),), spot("b")))
    reader = Copies(bench.reached, Events(), read_only=True)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        reader.start(CopyOrder((spot("one.json"),), spot("gpu:")))
    key = reader.start(CopyOrder((spot("gpu:one.json"),), spot("again")))
    assert (await reader.wait(key)).phase is CopyPhase.DONE


@pytest.mark.parametrize("paths", [("big", "gpu:"), ("gpu:big", "back")], ids=["up", "down"])
async def test_a_cut_copy_goes_on(
    bench: Bench,
    paths: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(copying, "WAITS", (0.05,))
    size = 3 * BLOCK
    data = os.urandom(1 << 20) * (size >> 20)
    source = bench.here / "big" if paths[0] == "big" else bench.there / "big"
    source.write_bytes(data)

    def cut(state: CopyState) -> None:
        if state.done > 2 * BLOCK:
            bench.on_state = lambda state: None
            bench.reached.stopped = 2
            bench.sshd.cut()

    bench.on_state = cut
    state = await bench.done(*paths)
    assert not bench.reached.stopped
    logging.getLogger("asyncio").warning("socket.send() raised exception.")
    assert not caplog.records, "nothing is printed beside the bar"
    target = bench.there / "big" if paths[0] == "big" else bench.here / "back"
    assert target.read_bytes() == data
    assert [p.name for p in target.parent.iterdir() if "part" in p.name] == []
    phases = [s.phase for s in bench.told]
    assert CopyPhase.WAITING in phases
    again = next(s for s in bench.told[phases.index(CopyPhase.WAITING) :] if s.done)
    assert again.done >= BLOCK
    assert (state.files_done, state.done) == (1, size)


async def test_a_stopped_copy_goes_on_from_what_is_right(bench: Bench) -> None:
    data = bytearray(os.urandom(1 << 20) * (3 * BLOCK >> 20))
    (bench.here / "big").write_bytes(data)
    part = bench.there / ".big.cloudtui-part"
    part.write_bytes(data[: 2 * BLOCK] + b"wrong")
    found = await bench.done("big", "gpu:")
    assert next(s.done for s in bench.told if s.done) >= 2 * BLOCK
    assert found.done == len(data)
    assert (bench.there / "big").read_bytes() == data
    (bench.there / "big").unlink()

    def stop(state: CopyState) -> None:
        if state.done > BLOCK:
            bench.on_state = lambda state: None
            asyncio.get_running_loop().create_task(bench.copies.cancel(state.key))

    bench.on_state = stop
    state = await bench.copy("big", "gpu:")
    assert state.phase is CopyPhase.CANCELLED
    assert not (bench.there / "big").exists()
    assert part.exists()
    data[0] ^= 1
    (bench.here / "big").write_bytes(data)
    await bench.done("big", "gpu:", check=True)
    assert (bench.there / "big").read_bytes() == data
    assert not part.exists()


async def test_what_fails_is_told_and_the_rest_is_copied(bench: Bench) -> None:
    source = bench.here / "tree"
    source.mkdir()
    (source / "a").write_bytes(os.urandom(1 << 20) * 48)
    for name in ("folder", "log", "z"):
        (source / name).write_text(name)
    os.mkfifo(source / "pipe")
    (bench.there / "tree" / "folder").mkdir(parents=True)

    def vanish(state: CopyState) -> None:
        if state.done and (source / "log").exists():
            (source / "log").unlink()
            with (source / "a").open("ab") as file:
                file.write(b"more")

    bench.on_state = vanish
    state = await bench.copy("tree", "gpu:")
    assert state.phase is CopyPhase.FAILED
    assert sorted(map(str, state.problems)) == [
        "tree/folder: a folder of that name is there",
        "tree/log: no such file or directory (this computer)",
    ]
    assert [str(s) for s in state.skipped] == ["tree/pipe: neither a file, a folder nor a link"]
    assert "tree/a changed while it was copied" in state.notes[0]
    assert (bench.there / "tree" / "z").read_text() == "z"
    (plan,) = [p for _, p in await bench.copies.plan(CopyOrder((spot("tree"),), spot("gpu:")))]
    assert [(s.act, s.target) for s in plan.of(Act.COPY)] == [(Act.COPY, "tree/a")]
    moved = await bench.copy("tree/z", "gpu:moved", move=True)
    assert moved.phase is CopyPhase.DONE
    assert not (source / "z").exists()
    left = await bench.copy("tree", "gpu:moved-tree", move=True)
    assert left.phase is CopyPhase.DONE
    assert (source / "a").exists(), "what cannot all be copied is not taken away"


async def test_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.here / "big").write_bytes(bytes(12 << 20))
    with (bench.here / "huge").open("wb") as file:
        file.truncate(1 << 43)
    state = await bench.copy("huge", "gpu:")
    assert state.error
    assert state.error.title.startswith("There is not enough room on bert-gpu: the copy needs")
    bench.sshd.script("python3", FULL_DISK)
    state = await bench.copy("big", "gpu:")
    assert state.error
    assert state.error.title == "The disk of bert-gpu is full."
    assert not (bench.there / "big").exists()
    (bench.sshd.bin / "python3").unlink()
    await bench.done("big", "gpu:")

    def full(self: Arriving, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Arriving, "write", full)
    state = await bench.copy("gpu:big", "back")
    assert state.error
    assert state.error.title == "The disk of this computer is full."


@pytest.fixture
def by_sftp(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A host without Python."""
    monkeypatch.setattr(copy, "PYTHONS", "no-such-python")
    bench.sshd.config.append(f"Subsystem sftp internal-sftp -d {bench.there}")
    bench.sshd.restart()
    return bench


def to_the_second(root: Path) -> None:
    for path in (*root.rglob("*"), root):
        if not path.is_symlink():
            second = int(path.stat().st_mtime)
            os.utime(path, (second, second))


async def test_a_host_without_python(by_sftp: Bench) -> None:
    bench, source, there = by_sftp, by_sftp.here / "tree", by_sftp.there
    odd_tree(source)
    to_the_second(source)
    assert (await bench.done("tree", "gpu:")).files_done == 10
    equal(source, there / "tree")
    state = await bench.done("tree", "gpu:")
    assert (state.files_done, state.same) == (0, 10)
    await bench.done("gpu:tr*", "back")
    equal(source, bench.here / "back")
    assert stat.S_IMODE((bench.here / "back/sub/ro").stat().st_mode) == 0o444
    data = os.urandom(1 << 20) * 20
    (bench.here / "big").write_bytes(data)
    (there / ".big.cloudtui-part").write_bytes(data[: BLOCK + 5])
    await bench.done("big", "gpu:", check=True)
    assert next(s.done for s in bench.told if s.done and s.sources == ("big",)) > BLOCK
    assert (there / "big").read_bytes() == data
    (there / "tree" / "loss").unlink()
    (there / "tree" / "loss").mkdir()
    state = await bench.copy("tree/.", "gpu:tree")
    assert [p.why for p in state.problems] == ["a folder of that name is there"]
    side = Browsing(GPU, bench.copies.file_system)
    folder = await side.folder("~")
    assert "big" in [row.key for row in folder.rows]
    await side.mkdir(f"{folder.path}/made")
    with pytest.raises(Refused):
        await side.rename(f"{folder.path}/made", f"{folder.path}/big")
    assert (await side.content(f"{folder.path}/big", 9))[0] == data[:9]
    assert await side.remove([f"{folder.path}/made", f"{folder.path}/tree"]) == ()
    await side.close()


async def test_a_host_with_neither(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy, "PYTHONS", "no-such-python")
    (bench.here / "a").write_text("a")
    state = await bench.copy("a", "gpu:")
    assert state.error
    assert "has neither a Python 3.6 that can be run nor SFTP" in state.error.title


async def test_two_at_once_to_the_same_place_end_whole(bench: Bench) -> None:
    data = os.urandom(1 << 20) * 20
    (bench.here / "big").write_bytes(data)
    states = await asyncio.gather(*(bench.copy("big", "gpu:", every=True) for _ in range(3)))
    assert [s.phase for s in states] == [CopyPhase.DONE] * 3, [s.error for s in states]
    assert (bench.there / "big").read_bytes() == data


async def test_a_side_is_walked_and_changed(bench: Bench) -> None:
    side = Browsing(GPU, bench.copies.file_system)
    (bench.there / "notes").write_text("one")
    folder = await side.folder("~")
    assert folder.path == str(bench.there)
    assert "notes" in [row.key for row in folder.rows]
    assert folder.free > 0
    bench.sshd.cut()
    await side.mkdir(f"{bench.there}/made")
    with pytest.raises(Refused, match="already"):
        await side.rename(f"{bench.there}/made", f"{bench.there}/notes")
    with pytest.raises(NotFound):
        await side.folder("/no/such")
    data, facts = await side.content(f"{bench.there}/notes")
    await side.write(f"{bench.there}/notes", data + b" two", facts)
    assert (bench.there / "notes").read_text() == "one two"
    with pytest.raises(Refused, match="changed by somebody else"):
        await side.write(f"{bench.there}/notes", b"three", facts)
    left = await side.remove([f"{bench.there}/notes", f"{bench.there}/absent"])
    assert [p.path for p in left] == [f"{bench.there}/absent"]
    await side.close()


async def test_what_came_or_changed_while_it_was_moved_stays(bench: Bench) -> None:
    folder = bench.there / "run"
    folder.mkdir()
    (folder / "early").write_text("early")

    def late(state: CopyState) -> None:
        if state.phase is CopyPhase.COPYING and not (folder / "late").exists():
            (folder / "late").write_text("late")

    bench.on_state = late
    state = await bench.copy("gpu:run", ".", move=True)
    assert state.phase is CopyPhase.FAILED
    assert [p.path for p in state.problems] == ["run/late"]
    assert sorted(p.name for p in folder.iterdir()) == ["early", "late"]
    assert (bench.here / "run/early").read_text() == "early"
    bench.on_state = lambda state: None
    await bench.done("gpu:run", ".", move=True)
    assert not folder.exists()
    assert (bench.here / "run/late").read_text() == "late"


async def test_a_file_on_a_disk_that_both_share_is_not_moved_away(bench: Bench) -> None:
    folder = bench.there / "shared"
    folder.mkdir()
    (folder / "model.pt").write_text("weights")
    for source in ("gpu:shared/model.pt", "gpu:shared"):
        target = folder if source.endswith("pt") else bench.there
        state = await bench.copy(source, str(target), move=True)
        assert state.phase is CopyPhase.FAILED
        assert "the very file" in state.problems[0].why
        assert (folder / "model.pt").read_text() == "weights"


async def test_a_machine_leads_nowhere_else_by_links(bench: Bench) -> None:
    outside = bench.here.parent / "outside"
    outside.mkdir()
    (outside / "keys").write_text("mine")
    (bench.there / "out").mkdir()
    (bench.there / "out/a").symlink_to(outside)
    (bench.there / "out/b").symlink_to(outside / "keys")
    await bench.done("gpu:out", ".")
    await bench.done("gpu:out/.", ".")
    for name in ("a", "b"):
        (bench.there / "out" / name).unlink()
    (bench.there / "out/a").mkdir()
    (bench.there / "out/a/keys").write_text("theirs")
    (bench.there / "out/b").write_text("theirs")
    for typed, found in (("gpu:out", ["out/a", "out/b"]), ("gpu:out/*", ["out/a", "out/b"])):
        state = await bench.copy(typed, ".")
        assert sorted(p.path for p in state.problems) == found, state
    assert (outside / "keys").read_text() == "mine"


async def test_what_cannot_be_read_ends_a_copy(bench: Bench) -> None:
    files = await bench.copies.file_system(None)
    with pytest.raises(OSError, match="null"):
        await files.ask("mkdir", path="a\0b")
    await files.ask("mkdir", path="made")
    files.came(b"N" + b"\xff" * 8)
    with pytest.raises(CloudtuiError, match="no answer that can be read"):
        await files.ask("mkdir", path="more")
    await files.close()


async def test_not_every_copy_that_ended_is_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "ENDED_KEPT", 1)
    (bench.there / "model").write_text("weights")
    for name in ("a", "b", "c"):
        await bench.done("gpu:model", name)
    assert [state.target for state in bench.copies.states] == ["b", "c"]
