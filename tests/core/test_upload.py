"""A folder is sent to a real host: only what has changed, whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.core.upload import Sent, Upload
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, ConnectionCut, NotFound, Refused
from cloudtui.model.last_sent import Agreed, of_link, read, written
from cloudtui.model.upload import There, differences, parse_listing, sync_places
from tests.lab import Lab

ODD = "a 'b' \"c\" $d é"


@pytest.fixture
async def bench(lab: Lab) -> AsyncIterator[Workbench]:
    async with lab.bench() as bench:
        yield bench


@pytest.fixture
def project(tmp_path: Path) -> Path:
    top = tmp_path / "project"
    (top / "src/deep/er").mkdir(parents=True)
    (top / "data").mkdir()
    (top / ".git").mkdir()
    (top / "train.py").write_text("print('a')\n")
    (top / "src/deep/er/x.bin").write_bytes(os.urandom(700_000))
    (top / "src/run.sh").write_text("#!/bin/sh\n")
    (top / "src/run.sh").chmod(0o750)
    (top / "src" / ODD).write_text("odd")
    (top / ("long" * 60)).write_text("long")
    (top / os.fsdecode(b"\xff\xfe")).write_text("bytes")
    (top / "link").symlink_to("src/run.sh")
    (top / "nowhere").symlink_to("/no/such")
    (top / "data/big").write_text("not sent")
    (top / ".git/HEAD").write_text("not sent")
    (top / ".gitignore").write_text("data/\n")
    os.utime(top / "train.py", ns=(10**18, 10**18 + 123456789))
    return top


async def sync(bench: Workbench, project: Path, remote: str = "~/there") -> Upload:
    plan = await bench.uploads.plan(await bench.inventory.find("bert-gpu"), project, remote)
    told: list[Sent] = []
    await bench.uploads.send(plan, told.append)
    return plan


def names(plan: Upload) -> set[bytes]:
    return {file.path for file in plan.files if not file.is_folder}


def tree(top: Path) -> dict[str, tuple[int, bytes]]:
    """Modes, and content or target, by path."""
    found = {}
    for path in sorted(top.rglob("*")):
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            found[str(path.relative_to(top))] = (0, os.fsencode(path.readlink()))
        elif path.is_file():
            found[str(path.relative_to(top))] = (info.st_mode, path.read_bytes())
    return found


@pytest.mark.parametrize("tar", ["GNU", "python"])
async def test_what_changed_is_sent_and_nothing_else(
    bench: Workbench, lab: Lab, project: Path, tar: str
) -> None:
    if tar == "python":
        needed = ["bash", "cat", "chmod", "cp", "dirname", "df", "env", "find", "kill", "mkdir"]
        needed += [
            "mv",
            "printf",
            "readlink",
            "python3",
            "rm",
            "sh",
            "sha256sum",
            "stat",
            "tail",
            "xargs",
        ]
        for name in needed:
            (lab.sshd.bin / name).symlink_to(f"/usr/bin/{name}")
        lab.sshd.env["PATH"] = str(lab.sshd.bin)
        lab.sshd.restart()
    there = lab.sshd.home / "there"
    plan = await sync(bench, project)
    assert plan.remote == str(there)
    wanted = {k: v for k, v in tree(project).items() if not k.startswith(("data", ".git/"))}
    assert tree(there) == wanted
    assert abs((there / "train.py").stat().st_mtime_ns - 10**18 - 123456789) < 1000
    assert (await sync(bench, project)).words.startswith("Nothing to send")

    (there / "results.txt").write_text("stays")
    (project / "train.py").write_text("print('b')\n")  # of the same size
    os.utime(project / "train.py", ns=(10**18, 10**18 + 123456790))
    os.utime(project / "src/run.sh", (5, 5))  # touched only
    (project / "src/deep/er/x.bin").unlink()
    (project / "src/new").mkdir(mode=0o700)
    (project / "src/new/y").write_text("y")
    assert names(await sync(bench, project)) == {b"src/new/y"}
    (there / "train.py").unlink()
    os.utime(project / "train.py", (10**9, 10**9))
    assert names(await sync(bench, project)) == {b"train.py"}
    assert (there / "train.py").read_text() == "print('b')\n"
    assert (there / "results.txt").read_text() == "stays"
    assert (there / "src/deep/er/x.bin").exists()
    assert not list(there.glob(".cloudtui*"))
    (there / "train.py").write_text("changed by a run")
    plan = await sync(bench, project)
    assert (plan.newer, names(plan)) == (("train.py",), set())
    instance = await bench.inventory.find("bert-gpu")
    plan = await bench.uploads.plan(instance, project, "~/there", overwrite=True)
    assert (plan.newer, names(plan)) == ((), {b"train.py"})


async def test_what_was_changed_there_is_not_overwritten(
    bench: Workbench, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, there = tmp_path / "project", lab.sshd.home / "there"
    first = {"both": "1", "run": "1", "here": "1", "touched": "1", "git\\x": "1", "a\nb": "1"}
    top.mkdir()
    for name, text in first.items():
        (top / name).write_text(text)
        os.utime(top / name, (10**9, 10**9))
    (top / "link").symlink_to("run")
    await sync(bench, top)

    def write(where: Path, text: str, *names: str, time: int) -> None:
        for name in names:
            (where / name).write_text(text)
            os.utime(where / name, (time, time))

    # There later and earlier than here, of the same size, by clocks that are wrong.
    write(there, "2", "both", "run", "a\nb", time=10**9 - 50)
    write(there, "1", "touched", "git\\x", time=10**9 + 500)
    write(top, "3", "both", "here", "a\nb", "git\\x", time=10**9 + 100)
    with pytest.raises(Refused) as refused:
        await sync(bench, top)
    assert refused.value.title.startswith("a\\nb and both in ")
    assert "are not what was sent from here last, and changed here too" in refused.value.title
    assert "Nothing was sent" in refused.value.title
    assert "cloudtui cp" in refused.value.hint
    assert "--overwrite" in refused.value.hint
    assert ((there / "here").read_text(), (there / "both").read_text()) == ("1", "2")

    write(top, "1", "both", "a\nb", time=10**9 + 200)  # taken back, and touched
    (there / "link").unlink()
    (there / "link").symlink_to("elsewhere")
    plan = await sync(bench, top)
    assert names(plan) == {b"here", b"git\\x"}
    assert set(plan.newer) == {"both", "run", "a\\nb", "link"}
    assert said(there) == {"both": "2", "run": "2", "here": "3", "touched": "1",
                                 "git\\x": "3", "a\nb": "2"}  # fmt: skip
    assert (await sync(bench, top)).files == ()

    # Another computer has sent something else meanwhile; it knows nothing of what this one sent.
    write(top, "4", "here", time=10**9 + 300)
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        with pytest.raises(
            Refused, match=r"both, here, run .* are there already, otherwise than here"
        ):
            await sync(bench, top, "~/there")
        instance = await bench.inventory.find("bert-gpu")
        plan = await bench.uploads.plan(instance, top, "~/there", overwrite=True)
        await bench.uploads.send(plan, lambda sent: None)
    assert (there / "both").read_text() == "1"
    write(top, "5", "here", time=10**9 + 400)
    with pytest.raises(Refused, match=r"here in .* is not what was sent from here last"):
        await sync(bench, top)


def said(there: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in there.iterdir() if not p.is_symlink()}


async def test_what_changes_while_files_are_sent_stays(
    bench: Workbench, lab: Lab, tmp_path: Path
) -> None:
    top, there = tmp_path / "project", lab.sshd.home / "there"
    top.mkdir()
    for name in ("model.pt", "new", "old"):
        (top / name).write_text(name)
    instance = await bench.inventory.find("bert-gpu")
    for name in ("model.pt", "new"):
        plan = await bench.uploads.plan(instance, top, "~/there", overwrite=True)
        there.mkdir(exist_ok=True)
        (there / name).write_text("written by a run")
        with pytest.raises(Refused, match=rf"^{name} of .* changed on .* while the files were"):
            await bench.uploads.send(plan, lambda sent: None)
        assert (there / name).read_text() == "written by a run"
        assert not (there / "old").exists()
    plan = await bench.uploads.plan(instance, top, "~/there", overwrite=True)
    await bench.uploads.send(plan, lambda sent: None)
    assert (there / "model.pt").read_text() == "model.pt"
    assert sorted(os.listdir(there)) == ["model.pt", "new", "old"]  # noqa: PTH208


@given(
    st.dictionaries(
        st.binary(min_size=1).filter(lambda path: b"\0" not in path),
        st.builds(
            Agreed,
            st.integers(0, 2**60),
            st.integers(-(2**60), 2**60),
            st.sampled_from(["", "a" * 64, of_link(b"x y")]),
        ),
    )
)
def test_what_was_sent_is_remembered(agreed: dict[bytes, Agreed]) -> None:
    assert read(written(agreed)) == agreed
    assert read(b"of another version\0" + written(agreed)) == {}


async def test_what_cannot_be_sent_changes_nothing(
    bench: Workbench, lab: Lab, project: Path
) -> None:
    there = lab.sshd.home / "there"
    there.mkdir()
    (there / "src").write_text("a file")
    with pytest.raises(Refused, match="src is a folder here and a file there"):
        await sync(bench, project)
    (there / "src").unlink()
    with pytest.raises(Refused, match="is no folder on"):
        await sync(bench, project, "/dev/null/x")
    with pytest.raises(NotFound):
        await sync(bench, project / "nothing")
    lab.sshd.script(
        "tar",
        "#!/bin/sh\ncase $1 in --version) echo GNU;; *) head -c 1000 >/dev/null\n"
        "echo 'tar: x: Cannot write: No space left on device' >&2; exit 2;; esac\n",
    )
    with pytest.raises(CloudtuiError, match="is full: the files"):
        await sync(bench, project)
    (lab.sshd.bin / "tar").unlink()
    instance = await bench.inventory.find("bert-gpu")
    plan = await bench.uploads.plan(instance, project, "~/there")
    big = project / "src/deep/er/x.bin"
    os.truncate(big, 100)  # shorter than announced
    cut: list[Sent] = []

    def on_progress(sent: Sent) -> None:
        if not cut:
            cut.append(sent)
            lab.sshd.cut()

    (project / "more.bin").write_bytes(bytes(30 << 20))
    plan = await bench.uploads.plan(instance, project, "~/there")
    with pytest.raises(ConnectionCut):
        await bench.uploads.send(plan, on_progress)
    assert cut
    assert "left" in cut[0].words
    assert [p for p in there.iterdir() if not p.name.startswith(".cloudtui-sync")] == []
    (project / "more.bin").unlink()
    await sync(bench, project)
    assert (there / "src/deep/er/x.bin").stat().st_size == 100


def test_a_host_of_whole_seconds_leaves_doubts(tmp_path: Path) -> None:
    from cloudtui.files.local_tree import walk

    file = tmp_path / "one/a"
    file.parent.mkdir()
    file.write_text("abc")
    file.chmod(0o644)
    os.utime(file, ns=(0, 1000 * 10**9 + 5))
    (local,) = walk(file.parent)

    def there(mtime: int, ctime: int, exact: bool = False) -> There:
        return There(0o100644, 3, mtime, exact, ctime)

    assert differences([local], {b"a": there(1000 * 10**9, 5000)}).doubtful == ()
    assert differences([local], {b"a": there(1000 * 10**9, 1003)}).doubtful == (local,)
    assert differences([local], {b"a": there(1000 * 10**9 + 5, 1003, True)}).doubtful == ()
    assert differences([local], {b"a": there(1001 * 10**9, 5000)}).doubtful == (local,)
    assert differences([local], {}).send == (local,)
    assert parse_listing(b"bash: sh: not found\n") is None


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sync_places(".") == (Path(), f"~/{tmp_path.name}")
    assert sync_places("src:~/x:y") == (Path("src"), "~/x:y")
    Path("a:b").mkdir()
    assert sync_places("a:b") == (Path("a:b"), "~/a:b")
    for wrong in ("", ":x", "x:"):
        with pytest.raises(CloudtuiError):
            sync_places(wrong)
