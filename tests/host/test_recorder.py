"""The recorder of a host's notebooks, with real kernels."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtui.host.recorder import keeping, reading, running, servers
from cloudtui.host.recorder.tape import TEXT_LIMIT, _overwrites, record_of
from cloudtui.host.recorder.wire import Message, Wire
from cloudtui.ssh.recorder import files


@pytest.mark.parametrize("name", [name for name in files() if name.endswith(".py")])
def test_python_3_6_can_read_it_and_it_stands_alone(name: str) -> None:
    tree = ast.parse(files()[name], feature_version=(3, 6))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = (node.module or "").partition(".")[0]
            assert module in sys.stdlib_module_names | {"recorder"}, node.module
            assert module not in ("__future__", "dataclasses")


# Which notebook


def test_a_path_means_that_notebook_and_the_inner_server_of_two_that_have_it() -> None:
    outer = servers.Server({"port": 8888, "root_dir": "/home/me"})
    inner = servers.Server({"port": 8889, "root_dir": "/home/me/work"})
    run = (outer, "work/train.ipynb", "a1b2c3")
    found: list[running.Found] = [(outer, "train.ipynb", "f0f0f0"), run]
    for name in ("/home/me/work/train.ipynb", "work/train.ipynb", "a1b2c3"):
        assert running.exactly(name, found) == [run], name
    assert running.exactly("train.ipynb", [run]) == []
    for name in ("train.ipynb", "train", "a1b2"):
        assert running.in_part(name, [run]) == [run], name
    same = [(outer, "work/a.ipynb", ""), (inner, "a.ipynb", "")]
    assert running.one_of_each_file(same) == same[1:]
    others = [(outer, "a.ipynb", ""), (inner, "a.ipynb", "")]
    assert sorted(running.one_of_each_file(others), key=lambda e: e[0].port) == others
    untold = [(servers.Server({"port": port}), "a.ipynb", "") for port in (1, 2)]
    assert running.one_of_each_file(untold) == untold


# On disk


def read(folder: Path, offset: int, tail: int = 0) -> list[tuple[int, dict[str, Any]]]:
    out = io.BytesIO()
    while True:
        moved = reading._print_from(out, str(folder), offset, cut=False)
        if moved == offset:
            break
        offset = moved
    pairs = [line.split(b" ", 1) for line in out.getvalue().splitlines()]
    return [(int(behind), json.loads(record)) for behind, record in pairs]


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(0, 400), min_size=1, max_size=60), at=st.data())
def test_from_any_offset_the_rest_is_read_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], at: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    limit, keeping.KERNEL_LIMIT = keeping.KERNEL_LIMIT, 4000
    reserve, keeping.RESERVE = keeping.RESERVE, 0
    try:
        log = keeping.Log(str(folder))
        for number, size in enumerate(sizes):
            log.add({"n": number, "text": "x" * size})
            if size % 7 == 0:
                log.close()
                log = keeping.Log(str(folder))
        log.close()
        assert keeping.held(str(folder)) <= 4000 + 500
    finally:
        keeping.KERNEL_LIMIT, keeping.RESERVE = limit, reserve
    every = read(folder, keeping.segments(str(folder))[0][0])
    numbers = [record["n"] for _, record in every]
    assert numbers == list(range(numbers[0], len(sizes)))
    place = at.draw(st.integers(0, len(every) - 1))
    assert read(folder, every[place][0]) == every[place + 1 :]


def test_a_line_cut_off_by_a_crash_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RESERVE", 0)
    log = keeping.Log(str(tmp_path))
    log.add({"id": "a"})
    log.close()
    with Path(keeping.segment(str(tmp_path), 0)).open("ab") as file:
        file.write(b'{"id": "b", "te')
    again = keeping.Log(str(tmp_path))
    again.add({"id": "c"})
    assert [record["id"] for _, record in read(tmp_path, 0)] == ["a", "c"]


def test_a_host_keeps_no_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RESERVE", 0)
    monkeypatch.setattr(keeping, "HOST_LIMIT", 5000)
    for number, name in enumerate(("old", "older", "live")):
        log = keeping.Log(str(tmp_path / name))
        for _ in range(4):
            log.add({"text": "x" * 1000})
        log.close()
        when = 1000 - number if name != "live" else 1
        os.utime(keeping.segment(str(tmp_path / name), 0), (when, when))
    assert keeping.prune(str(tmp_path), ["live"]) <= 5000
    assert [about["id"] for about in keeping.recordings(str(tmp_path))] == ["live"]


# What is kept of a message


def message(kind: str, **content: Any) -> Message:
    return Message("id", kind, "cell", "execute_request", content, 0)


def test_what_is_kept_of_each_message() -> None:
    shown = record_of(
        message("display_data", data={"text/plain": "<Figure>", "image/png": "A" * 800,
                                      "text/html": "<b>"})
    )  # fmt: skip
    assert shown
    assert shown["images"] == [{"type": "image/png", "bytes": 600, "data": "A" * 800}]
    big = record_of(message("display_data", data={"image/png": "A" * (1 << 20)}))
    assert big
    assert big["images"] == [{"type": "image/png", "bytes": 3 << 18}]
    long = record_of(message("stream", name="stdout", text="x" * (TEXT_LIMIT + 10)))
    assert long
    assert "10 characters left out" in long["text"]
    table = (
        "<style>td {}</style><div>[3/9 00:01]</div><table><tr><th>Step</th><th>Loss</th></tr>\n"
        "<tr><td>1</td>\n<td>0.5 &lt; 1</td></tr></table>"
    )
    shown = record_of(message("update_display_data", transient={"display_id": "d"}, data={
        "text/html": table, "text/plain": "<IPython.core.display.HTML object>"}))  # fmt: skip
    assert shown
    assert (shown["kind"], shown["display"]) == ("update", "d")
    assert shown["text"].splitlines() == ["[3/9 00:01]", "Step  Loss", "1   0.5 < 1"]
    assert record_of(message("comm_msg")) is None
    told = Message("id", "status", "", "kernel_info_request", {"execution_state": "busy"}, 0)
    assert record_of(told) is None


def test_a_progress_bar_is_replaced_only_by_one_that_covers_it() -> None:
    def bar(text: str, **more: Any) -> dict[str, Any]:
        return {"kind": "stream", "cell": "c", "name": "stderr", "text": text, **more}

    assert _overwrites(bar("\r 20%"), bar("\r 10%"))
    assert _overwrites(bar("\r100%\n"), bar("\r 10%"))
    assert not _overwrites(bar("\r1%"), bar("\r 10%"))
    assert not _overwrites(bar(" more"), bar("\r 10%"))
    assert not _overwrites(bar("\r 20%", cell="other"), bar("\r 10%"))
    assert not _overwrites(bar("\r\x1b[A 20%"), bar("\r 10%"))


# With a kernel


@dataclass
class Box:
    """A home with the program in it, as `cloudtui.ssh.recorder` leaves it on a host."""

    home: Path
    env: dict[str, str]

    @property
    def runtime(self) -> Path:
        return self.home / ".local/share/jupyter/runtime"

    @property
    def recordings(self) -> Path:
        return self.home / ".local/share/cloudtui/recordings"

    def place(self, version: str) -> Path:
        folder = self.home / version
        for name, text in files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    def ask(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-E", str(folder), *words]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)

    def state(self) -> dict[str, Any]:
        return keeping.read_json(str(self.recordings / "state.json"))

    def log(self, kernel: str) -> list[dict[str, Any]]:
        return [record for _, record in read(self.recordings / kernel, 0)]

    def printed(self, kernel: str) -> list[str]:
        """The lines that its cells printed; at its start a kernel may warn on stderr."""
        return "".join(
            r["text"] for r in self.log(kernel) if r.get("name") == "stdout"
        ).splitlines()


@pytest.fixture
def box(cut_off: Path) -> Iterator[Box]:
    env = {"HOME": str(cut_off), "PATH": os.environ["PATH"], "CLOUDTUI_RECORD_RESERVE": "0"}
    made = Box(cut_off, env)
    made.runtime.mkdir(parents=True)
    yield made
    if pid := made.state().get("pid"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """What `true` returns once it is something."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)
    return found


class Kernel:
    """An ipykernel of its own, without a server."""

    def __init__(self, box: Box, name: str) -> None:
        self.file = box.runtime / f"kernel-{name}.json"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ipykernel_launcher", "-f", str(self.file)],
            env={**box.env, "JPY_SESSION_NAME": f"{box.home}/work/{name}.ipynb"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        info = until(lambda: keeping.read_json(str(self.file)))
        self.wire = until(lambda: self._shell(info))

    def _shell(self, info: dict[str, Any]) -> Wire | None:
        try:
            return Wire(info, "shell")
        except (OSError, EOFError):
            return None

    def run(self, code: str) -> Message:
        request = self.wire.send("execute_request", {"code": code, "store_history": True})
        while True:
            reply: Message | None = self.wire.receive(30)
            if reply and reply.parent == request:
                return reply

    def end(self) -> None:
        self.wire.close()
        self.process.kill()
        self.process.wait()


@pytest.mark.timeout(240)
def test_a_kernel_is_recorded_through_all_that_befalls_it(box: Box) -> None:
    program = box.place("recorder-new")
    older = box.place("recorder-old")
    first = subprocess.Popen([sys.executable, "-E", str(older), "record"], env=box.env)
    until(lambda: box.state().get("version") == "recorder-old")
    loop = subprocess.Popen(["sh", str(program / "keep.sh"), sys.executable], env=box.env)
    kernel = Kernel(box, "a")
    try:
        assert first.wait(10) == 0, "the older version was to end in order"
        until(lambda: [k["state"] for k in box.state()["kernels"]] == ["recorded"])
        assert box.ask(program, "record").returncode == 0, "there is one already"
        assert (
            kernel.run("for i in range(600): print('line', i, flush=True)").content["status"]
            == "ok"
        )
        until(lambda: len(box.printed("a")) == 600)
        assert box.printed("a") == [f"line {i}" for i in range(600)]
        assert kernel.run("1/0").content["status"] == "error"
        until(lambda: any(r["kind"] == "error" for r in box.log("a")))
        about = until(lambda: keeping.read_json(str(box.recordings / "a/about.json")))
        assert about["path"].endswith("work/a.ipynb")
        for path in box.recordings.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path

        # The disk is full: nothing more is kept, nobody is harmed, and it goes on with room.
        pid = box.state()["pid"]
        size = max(16384, sum(p.stat().st_size for p in (box.recordings / "a").glob("*.jsonl")))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        kernel.run("print('lost')")
        until(lambda: box.state()["problem"] == "full")
        assert kernel.run("print('lost too')").content["status"] == "ok"
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        until(lambda: box.state()["problem"] == "")
        kernel.run("print('kept again')")
        until(lambda: box.printed("a")[-1] == "kept again")
        assert "lost" not in box.printed("a")
        assert next(r["lost"] for r in box.log("a") if r["kind"] == "gap") > 0

        # Killed, it is begun again, and tells since when it knows nothing.
        os.kill(pid, signal.SIGKILL)
        until(lambda: box.state()["pid"] != pid and box.state()["kernels"])
        until(lambda: box.state()["kernels"][0]["state"] == "recorded")
        kernel.run("print('after the kill')")
        until(lambda: box.printed("a")[-1] == "after the kill")
        again = [r for r in box.log("a") if r["kind"] == "kernel"]
        assert again[-1]["after"] > again[0]["t"]

        kernel.end()
        kernel.file.unlink()
        until(lambda: box.log("a")[-1].get("state") == "ended")
        assert box.ask(program, "stop").returncode == 0
        assert loop.wait(10) == 0, "asked to end, it is not begun again"
    finally:
        kernel.end()
        loop.kill()
        loop.wait()
        first.kill()
        first.wait()


def test_a_kernel_with_encrypted_sockets_is_told(box: Box) -> None:
    program = box.place("recorder-x")
    info = {"ip": "127.0.0.1", "iopub_port": 1, "key": "k", "curve_publickey": "p"}
    (box.runtime / "kernel-locked.json").write_text(json.dumps(info))
    with subprocess.Popen([sys.executable, "-E", str(program), "record"], env=box.env) as process:
        until(lambda: box.state().get("kernels") and box.state()["kernels"][0]["state"] == "locked")
        (told,) = json.loads(box.ask(program, "list").stdout)["kernels"]
        process.terminate()
        assert (told["id"], told["state"]) == ("locked", "locked")


def test_kernels_of_another_home_are_left_to_its_own_recorder(box: Box, tmp_path: Path) -> None:
    file = str(box.runtime / "kernel-k.json")
    command = [sys.executable, "-c", "import time; time.sleep(60)", file]
    for home, ours in ((str(box.home), True), (str(tmp_path / "other"), False)):
        with subprocess.Popen(command, env={**box.env, "HOME": home}) as process:
            cmdline = Path(f"/proc/{process.pid}/cmdline")
            until(lambda: file.encode() in cmdline.read_bytes())  # noqa: B023
            found = servers.kernel_processes().get(file)
            process.kill()
            assert (found == process.pid) is ours
