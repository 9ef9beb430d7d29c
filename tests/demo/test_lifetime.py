"""Nothing of a demo outlives it, however it ends; and what happens when it cannot begin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtui.demo import launch, processes
from cloudtui.demo.launch import Demo
from cloudtui.model.errors import CloudtuiError
from tests.demo.conftest import client, instances, name, reaches, until

PARENT = """
import sys
from cloudtui.demo.launch import Demo
with Demo() as demo:
    demo.wait_booted(120)
    print(demo.folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process that keeps a demo until its standard input ends."""
    child = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        yield child


def folder_of(parent: subprocess.Popen[str]) -> Path:
    assert parent.stdout is not None
    return Path(parent.stdout.readline().strip())


async def gone(folder: Path) -> None:
    mark = f"CLOUDTUI_DEMO={folder}"
    await until(lambda: not processes.marked(mark) and not folder.exists(), "an empty machine")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_console_that_dies_takes_everything_with_it(
    parent: subprocess.Popen[str], number: signal.Signals
) -> None:
    folder = folder_of(parent)
    mark = f"CLOUDTUI_DEMO={folder}"
    assert processes.marked(mark)
    parent.send_signal(number)
    assert parent.wait(30) == -number
    await gone(folder)


async def test_leaving_waits_until_all_is_gone() -> None:
    with Demo() as demo:
        demo.wait_booted(120)
        folder, mark = demo.folder, demo.plan.mark
        assert processes.marked(mark)
        assert (folder.stat().st_mode & 0o777) == 0o700
        async with client(demo, "us-east-1") as ec2:
            bert = next(i for i in await instances(ec2) if name(i) == "bert-gpu")
        sleep = f"sleep {90_000 + os.getpid()}"
        hidden = f"env -i setsid -f {sleep} >/dev/null 2>&1 </dev/null"
        assert ssh(demo, bert["PublicIpAddress"], hidden).returncode == 0
        child = children(os.getpid(), str(folder))[0]
        await until(lambda: children(child, sleep), "the hidden process")
    assert not processes.marked(mark)
    assert not folder.exists()
    assert not children(1, sleep)
    assert not children(os.getpid(), sleep)


def ssh(demo: Demo, target: str, *rest: str) -> subprocess.CompletedProcess[str]:
    """OpenSSH on the demo's config; options may precede the target."""
    argv = ["ssh", "-F", str(demo.ssh_config), target, *rest]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


def run_in(demo: Demo, *words: str) -> subprocess.CompletedProcess[str]:
    """The program on the demo's cloud."""
    return subprocess.run(
        [sys.executable, "-m", "cloudtui", *words],
        env=demo.merged(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        start_new_session=True,
    )


def test_a_machine_of_the_demo_gets_an_entry_in_the_demos_own_config(cut_off: Path) -> None:
    with Demo(phase_seconds=0.3) as demo:
        demo.wait_booted(120)
        added = run_in(demo, "hosts", "add", "bert-gpu")
        assert (added.returncode, added.stdout) == (0, "ssh bert-gpu\n"), added.stderr
        assert ssh(demo, "bert-gpu", "tmux list-sessions").stdout.startswith("bert: ")
        for verb in ("stop", "start"):
            changed = run_in(demo, verb, "bert-gpu", "--yes")
            assert changed.returncode == 0, changed.stderr
        assert "The ssh entry bert-gpu has the address" in changed.stderr
        told = ssh(demo, "-o", "BatchMode=yes", "bert-gpu", "true")
        assert (told.returncode, told.stderr) == (0, "")
        assert demo.plan.known_hosts.read_text().count("ssh-ed25519") == 1
    assert list((cut_off / ".ssh").iterdir()) == []


async def test_leaving_at_once_is_clean_too() -> None:
    with Demo() as demo:
        folder = demo.folder
    assert not folder.exists()
    assert not processes.marked(demo.plan.mark)


async def test_a_killed_child_is_cleaned_up_by_the_console() -> None:
    with Demo() as demo:
        demo.wait_booted(120)
        assert demo.failure() is None
        child = children(os.getpid(), str(demo.folder))[0]
        os.kill(child, signal.SIGKILL)
        await until(lambda: demo.failure(), "the news")
        assert processes.marked(demo.plan.mark)
    assert not processes.marked(demo.plan.mark)
    assert not demo.folder.exists()


def test_terminal_signals_do_not_reach_the_child(shared_demo: Demo) -> None:
    child = children(os.getpid(), str(shared_demo.folder))[0]
    assert os.getsid(child) == child != os.getsid(0)


def children(of: int, word: str) -> list[int]:
    listed = subprocess.run(
        ["ps", "-e", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == of and word in args]


async def test_two_side_by_side() -> None:
    with Demo() as first, Demo() as second:
        first.wait_booted(120)
        second.wait_booted(120)
        async with client(first, "us-east-1") as one, client(second, "us-east-1") as other:
            ours, theirs = await instances(one), await instances(other)
        assert {i["InstanceId"] for i in ours}.isdisjoint(i["InstanceId"] for i in theirs)
        for demo, listed in ((first, ours), (second, theirs)):
            address = next(i["PublicIpAddress"] for i in listed if name(i) == "bert-gpu")
            assert ssh(demo, address, "tmux list-sessions").stdout.startswith("bert: ")
            wrong = first if demo is second else second
            options = ["-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]
            options += ["-p", str(demo.plan.ssh_port), "-l", "ubuntu", "-i", str(wrong.key)]
            refused = ssh(wrong, "-oBatchMode=yes", *options, address, "true")
            assert "Permission denied (publickey)" in refused.stderr


async def test_a_system_with_one_loopback_address() -> None:
    with Demo(phase_seconds=0.3, one_address=True) as demo:
        demo.wait_booted(120)
        async with client(demo, "us-east-1") as ec2:
            machines = {name(i): i for i in await instances(ec2)}
            bert, box = machines["bert-gpu"], machines["jupyter-lab"]
            told = ssh(demo, bert["PublicIpAddress"], "tmux list-sessions")
            assert told.stdout.startswith("bert: "), told.stderr
            old = box["PublicIpAddress"]
            assert "jupyter" in ssh(demo, old, "ls .local/bin").stdout
            await ec2.stop_instances(InstanceIds=[box["InstanceId"]])
            await reaches(ec2, box["InstanceId"], "stopped")
            await until(lambda: ssh(demo, old, "true").returncode != 0, "the end of it")
            await ec2.start_instances(InstanceIds=[box["InstanceId"]])
            started = await reaches(ec2, box["InstanceId"], "running")
        moved = started["PublicIpAddress"]
        assert moved != box["PublicIpAddress"]
        await until(lambda: ssh(demo, moved, "true").returncode == 0, "the SSH server")
        added = run_in(demo, "hosts", "add", "jupyter-lab")
        assert (added.returncode, added.stdout) == (0, "ssh jupyter-lab\n"), added.stderr
        assert ssh(demo, "jupyter-lab", "true").returncode == 0


def test_the_first_question_waits_for_its_answer() -> None:
    with Demo() as demo:
        assert not demo._said
        subprocess.run(
            [sys.executable, "-c", "import boto3; boto3.client('ec2').describe_instances()"],
            env=demo.merged(os.environ) | {"AWS_DEFAULT_REGION": "us-east-1"},
            check=True,
        )


def test_a_missing_extra_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda name: None if name == "moto" else object())
    with pytest.raises(CloudtuiError) as caught, Demo():
        pass
    assert "moto" in caught.value.detail
    assert "pipx install 'cloudtui[demo]'" in caught.value.hint


def test_a_child_that_cannot_start_shows_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "REGIONS", ("nowhere-9",))
    with Demo() as demo, pytest.raises(CloudtuiError) as caught:
        demo.wait_ready()
    assert "nowhere-9" in caught.value.detail or "Error" in caught.value.detail
