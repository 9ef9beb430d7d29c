"""What a run waits for and what follows it, on a real host with a pretend shutdown and S3."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudtui.core.then import how_to_stop
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, Job, JobSpec, JobState
from cloudtui.model.then import StepState
from tests.lab import Lab

SUDO = '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n'


@pytest.fixture
def host(lab: Lab) -> Path:
    """The host's HOME. Its `shutdown` writes down that it was called, its `aws` copies."""
    home, out = lab.sshd.home, lab.sshd.folder
    lab.sshd.script("shutdown", f'#!/bin/sh\n[ "$1" = --help ] || echo "$@" >>{out}/down\n')
    lab.sshd.script("sudo", SUDO)
    lab.sshd.script("who", f"#!/bin/sh\ncat {out}/logins 2>/dev/null\n")
    lab.sshd.script(
        "aws",
        f'#!/bin/sh\necho "$@" >>{out}/aws.log\nshift 4\ncp -RL "$1" "{out}/s3" || exit 2\n'
        f"[ ! -e {out}/denied ] || {{ echo 'upload failed: AccessDenied' >&2; exit 1; }}\n",
    )
    for name in (".profile", ".zprofile"):
        (home / name).write_text(f"PATH={lab.sshd.bin}:$PATH\n")
    return home


@pytest.fixture
async def bench(lab: Lab) -> AsyncIterator[Workbench]:
    async with lab.bench() as bench:
        yield bench


async def machine(bench: Workbench) -> Instance:
    return await bench.inventory.find("bert-gpu")


def spec(command: str, name: str, **more: object) -> JobSpec:
    return JobSpec(("sh", "-c", command), name=name, holder=Holder.NONE, **more)  # type: ignore[arg-type]


async def until(
    bench: Workbench, instance: Instance, right: Callable[[dict[str, Job]], bool]
) -> dict[str, Job]:
    """The runs by id as soon as they are so."""
    async with asyncio.timeout(40):
        while True:
            state = await bench.jobs.list(instance)
            assert state.error is None
            jobs = {job.id: job for job in state.jobs}
            if right(jobs):
                return jobs
            await asyncio.sleep(0.1)


def finished(*names: str) -> Callable[[dict[str, Job]], bool]:
    return lambda jobs: all(jobs[name].finished for name in names)


@contextmanager
def somebody(lab: Lab) -> Iterator[tuple[str, Callable[..., None]]]:
    """Somebody at a terminal of the host, with work in one tmux session and none in others."""
    keyboard, terminal = os.openpty()
    tty = os.ttyname(terminal)
    login = f"ann      {tty.removeprefix('/dev/')}   Jan 1 10:00\n"
    (lab.sshd.folder / "logins").write_text(login)
    folder = Path(lab.sshd.folder / "tmux" / f"tmux-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)

    def tmux(*words: str) -> None:
        command = ["tmux", "-S", str(folder / "work"), "-f", "/dev/null", *words]
        subprocess.run(command, check=True)

    for name, command in (("my work", "exec sleep 60"), ("idle", "exec sh"), ("seen", "exec top")):
        tmux("new-session", "-d", "-s", name, command)
    try:
        yield tty, tmux
    finally:
        tmux("kill-server")
        os.close(keyboard)
        os.close(terminal)


async def test_a_chain_ends_with_the_shutdown_when_nobody_else_runs(
    bench: Workbench, lab: Lab, host: Path
) -> None:
    instance = await machine(bench)
    (host / "work").mkdir()
    (host / "work/old.txt").write_text("old")
    send = "run:until [ -e ~/sent ]; do sleep 0.1; done"
    wait = "until [ -e ~/go ]; do sleep 0.1; done"
    other = await bench.jobs.run(instance, spec(wait, "other", then=(send,)))
    assert other.state is JobState.RUNNING
    await bench.jobs.run(
        instance,
        spec(
            "sleep 1; echo trained >'a file.txt'; mkdir out; echo 1 >out/x; ln -s nowhere out/none;"
            "mkfifo out/pipe; ln -s . out/self",
            "bert",
            cwd="~/work",
            env=(("WORD", "it's set"),),
            then=(
                "run:echo \"$WORD $CLOUDTUI_EXIT\" >after.txt; echo 'all well'",
                "on-fail:run:touch ~/never",
                "s3:s3://bucket/bert/",
                "s3:out:s3://bucket/out",
                "stop",
            ),
        ),
    )
    jobs = await until(bench, instance, lambda jobs: "other" in jobs["bert"].then[-1].result)
    steps = jobs["bert"].then
    assert [step.state for step in steps] == [
        StepState.DONE, StepState.SKIPPED, StepState.DONE, StepState.DONE, StepState.WAITING
    ]  # fmt: skip
    assert steps[0].result == "all well"
    assert steps[3].result.startswith("1 file in s3://bucket/out/; left out: ")
    assert (host / "work/after.txt").read_text() == "it's set 0\n"
    assert not (host / "never").exists()
    sent = sorted(p.name for p in (lab.sshd.folder / "s3").rglob("*") if p.is_file())
    assert sent == ["a file.txt", "after.txt", "bert.log", "x", "x"]
    assert "s3://bucket/bert/\n" in (lab.sshd.folder / "aws.log").read_text()
    assert not (lab.sshd.folder / "down").exists()
    (host / "go").touch()
    with somebody(lab) as (tty, tmux):

        async def waits_until(what: str) -> None:
            result = f"until {what}"
            await until(bench, instance, lambda jobs: jobs["bert"].then[-1].result == result)

        await waits_until("what follows other has ended")
        (host / "sent").touch()
        await waits_until(f"ann has not touched {tty.removeprefix('/dev/')} for 10 minutes")
        os.utime(tty, (1, 1))
        await waits_until("sleep in the tmux session my work has ended")
        down = lab.sshd.folder / "down"
        assert not down.exists()
        lab.sshd.cut()
        tmux("kill-session", "-t", "my work")
    async with asyncio.timeout(40):
        while not down.exists():
            await asyncio.sleep(0.05)
    assert down.read_text() == "-h now\n"
    jobs = await until(bench, instance, finished("bert", "other"))
    assert jobs["bert"].then[-1].state is StepState.DONE


async def test_a_failed_run_stops_the_machine_too_and_its_queue_knows(
    bench: Workbench, lab: Lab, host: Path
) -> None:
    instance = await machine(bench)
    (lab.sshd.folder / "denied").touch()
    run = bench.jobs.run
    await run(
        instance,
        spec(
            "sleep 0.5; exit 3",
            "bad",
            then=("run:true", "on-fail:s3:s3://bucket/logs", "always:run:exit 4", "stop"),
        ),
    )
    await run(instance, spec("echo never", "next", after=("bad",)))
    await run(instance, spec("echo first", "any", after=("bad",), after_any=True))
    await run(instance, spec("echo last", "queued", queue=True))
    await run(instance, spec("true", "behind", after=("queued",)))
    await run(instance, spec("true", "behind it", after=("behind",)))
    jobs = await until(bench, instance, finished("bad", "next", "any", "queued", "behind it"))
    assert jobs["next"].state is JobState.NOT_STARTED
    assert jobs["next"].why == "the run bad it came after failed (3)"
    assert jobs["next"].started is None
    assert jobs["next"].after == ("bad",)
    assert jobs["any"].state is jobs["queued"].state is JobState.DONE
    states = [(step.state, step.result) for step in jobs["bad"].then]
    assert states[0] == (StepState.SKIPPED, "the run failed")
    assert states[1][0] is StepState.FAILED
    assert "needs s3:PutObject" in states[1][1]
    assert states[2] == (StepState.FAILED, "exit 4: ")
    assert states[3][0] is StepState.DONE
    assert (lab.sshd.folder / "down").exists()


async def test_a_queued_run_waits_for_what_was_there_before_it_alone(
    bench: Workbench, host: Path
) -> None:
    instance = await machine(bench)

    async def begin(name: str, **more: object) -> None:
        await bench.jobs.run(
            instance, spec(f"until [ -e ~/{name} ]; do sleep 0.1; done", name, **more)
        )

    async def waits(name: str, other: str) -> None:
        await until(bench, instance, lambda jobs: jobs[name].why == f"for {other}")

    await begin("first")
    await begin("queued", queue=True)
    await waits("queued", "first")
    await begin("later")
    await begin("second", queue=True)
    await waits("second", "queued")
    (host / "first").touch()
    jobs = await until(bench, instance, lambda jobs: jobs["queued"].state is JobState.RUNNING)
    assert jobs["later"].state is JobState.RUNNING
    (host / "queued").touch()
    await waits("second", "later")
    (host / "later").touch()
    (host / "second").touch()
    await until(bench, instance, finished("first", "queued", "later", "second"))


async def test_gpus_are_given_one_by_one_and_freed_by_a_kill(
    bench: Workbench, lab: Lab, host: Path
) -> None:
    instance = await machine(bench)
    lab.sshd.script(
        "nvidia-smi",
        f"#!/bin/sh\ncase $1 in *compute*) cat {host}/busy 2>/dev/null; exit 0 ;; esac\n"
        'for n in 0 1; do echo "GPU $n: Tesla T4 (UUID: GPU-$n$n)"; done\n',
    )
    show = "echo gpu=$CUDA_VISIBLE_DEVICES; until [ -e ~/go ]; do sleep 0.1; done"
    for name in ("one", "two", "three", "four"):
        await bench.jobs.run(instance, spec(show, name, gpus=1))

    def settled(jobs: dict[str, Job]) -> bool:
        whys = sorted(job.why for job in jobs.values() if job.state is JobState.QUEUED)
        return len(whys) == 2 and whys[0] == "for 1 GPU, 0 free" and "behind" in whys[1]

    jobs = await until(bench, instance, settled)
    running = [job for job in jobs.values() if job.state is JobState.RUNNING]
    assert sorted(job.gpus for job in running) == [(0,), (1,)]
    await until(bench, instance, lambda jobs: all(jobs[job.id].last_line for job in running))
    for job in running:
        assert (await bench.jobs.find(instance, job.id)).last_line == f"gpu={job.gpus[0]}"
    first = next(job for job in jobs.values() if job.why == "for 1 GPU, 0 free")
    second = next(job for job in jobs.values() if job.why == f"for 1 GPU, behind {first.id}")
    runs = host / ".local/share/cloudtui/runs"
    gone = running[0]
    for job, file in ((first, "supervisor"), (gone, "supervisor"), (gone, "pid")):
        group = os.getpgid(int((runs / job.id / file).read_text().split()[0]))
        os.killpg(group, signal.SIGKILL)
    jobs = await until(bench, instance, lambda jobs: jobs[second.id].state is JobState.RUNNING)
    assert jobs[first.id].state is JobState.LOST
    assert jobs[second.id].gpus == gone.gpus
    (host / "go").touch()
    await until(bench, instance, finished(running[1].id, second.id))
    with pytest.raises(NotFound, match="fewer than the 3"):
        await bench.jobs.run(instance, spec("true", "many", gpus=3))


MY_NAME = Path("/proc/self/comm").read_text().strip()
MIG = """\
#!/bin/sh
[ ! -e ~/broken ] || { echo 'NVIDIA-SMI has failed because it is broken.'; exit 9; }
pid=$(cat ~/pid)
case $* in
  -L)
    echo 'GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aa)'
    for n in 0 1; do echo "  MIG 3g.20gb     Device  $n: (UUID: MIG-$n-aa)"; done ;;
  *compute*) [ -z "$pid" ] || echo "GPU-aa, $pid" ;;
  '-q -x')
    echo '<gpu id="00000000:00:1E.0">'
    for n in 0 1; do printf '<mig_device>\n<index>%s</index>\n' $n
    printf '<gpu_instance_id>%s</gpu_instance_id>\n' $((n + 1))
    printf '<compute_instance_id>0</compute_instance_id>\n</mig_device>\n'; done
    [ -z "$pid" ] || printf '<process_info>\n<gpu_instance_id>1</gpu_instance_id>
<compute_instance_id>0</compute_instance_id>\n<pid>%s</pid>\n</process_info>\n' "$pid" ;;
esac
"""


async def test_a_part_of_a_gpu_is_given_where_the_login_shell_finds_its_driver(
    bench: Workbench, lab: Lab, host: Path
) -> None:
    instance = await machine(bench)
    program = host / "driver/nvidia-smi"
    program.parent.mkdir()
    program.write_text(MIG)
    program.chmod(0o755)
    for name in (".profile", ".zprofile"):
        with (host / name).open("a") as file:
            file.write("PATH=$PATH:$HOME/driver\n")
    (host / "pid").write_text(str(os.getpid()))
    show = "echo gpu=$CUDA_VISIBLE_DEVICES; until [ -e ~/go ]; do sleep 0.1; done"
    for name in ("one", "two"):
        await bench.jobs.run(instance, spec(show, name, gpus=1))
    await until(bench, instance, lambda jobs: jobs["one"].last_line == "gpu=MIG-1-aa")
    jobs = await until(bench, instance, lambda jobs: "is on" in jobs["two"].why)
    assert jobs["one"].gpus == (0,)
    assert jobs["two"].why == f"for 1 GPU, 0 free; {MY_NAME} (pid {os.getpid()}) is on GPU 0:0"
    (host / "broken").touch()
    await until(bench, instance, lambda jobs: "nvidia-smi fails (exit 9)" in jobs["two"].why)
    with pytest.raises(NotFound, match=r"could get: nvidia-smi fails \(exit 9\): NVIDIA-SMI has"):
        await bench.jobs.run(instance, spec("true", "three", gpus=1))
    (host / "broken").unlink()
    (host / "pid").write_text("")
    await until(bench, instance, lambda jobs: jobs["two"].last_line == "gpu=MIG-0-aa")
    (host / "go").touch()
    await until(bench, instance, finished("one", "two"))


def test_without_sudo_nothing_with_sudo_is_proposed() -> None:
    odd = Instance("i-1", "us-east-1", State.RUNNING, "my box")
    assert how_to_stop("it has no sudo", odd).endswith("from here: cloudtui stop 'my box'")
    assert "sudo tee" in how_to_stop("sudo does not let you run shutdown", odd)


async def test_what_cannot_be_is_refused_before_the_start(
    bench: Workbench, lab: Lab, host: Path
) -> None:
    lab.launch("brief", InstanceInitiatedShutdownBehavior="terminate")
    lab.name_in_config("brief")
    instance = await bench.inventory.find("brief")
    told = "echo 'sudo: a password is required' >&2; exit 1"
    # One that remembers for some minutes that it was given one.
    nobody = lab.sshd.script("id", "#!/bin/sh\necho 1000\n")
    lab.sshd.script("sudo", f"#!/bin/sh\ncase $* in *-k*) ;; *) exit ;; esac\n{told}\n")
    with pytest.raises(Refused, match="without a password: a password is required") as refused:
        await bench.jobs.run(instance, spec("true", "a", then=("stop",)))
    assert "sudo tee" in refused.value.hint
    nobody.unlink()
    lab.sshd.script("sudo", SUDO)
    (lab.sshd.bin / "aws").unlink()
    lab.sshd.script("python3", "#!/bin/sh\nexit 1\n")
    with pytest.raises(Refused, match="neither aws nor Python's boto3"):
        await bench.jobs.run(instance, spec("true", "a", then=("s3:s3://bucket",)))
    with pytest.raises(UsageError, match="It looks like stop"):
        await bench.jobs.run(instance, spec("true", "a", then=("stpo",)))
    with pytest.raises(CloudtuiError, match="has no run"):
        await bench.jobs.run(instance, spec("true", "a", after=("nothing",)))
    with pytest.raises(Refused, match="terminates it, for good"):
        await bench.jobs.run(instance, spec("true", "a", then=("stop",)))
    asked = []

    async def confirm(question: str) -> bool:
        asked.append(question)
        return True

    with pytest.raises(Refused, match="would find nothing"):
        await bench.jobs.run(instance, spec("true", "a", then=("copy:o:o", "stop")), confirm)
    await bench.jobs.run(instance, spec("true", "a", then=("run:exit 1", "stop")), confirm)
    assert "terminates it" in asked[0]
    jobs = await until(bench, instance, finished("a"))
    assert jobs["a"].then[1].state is StepState.SKIPPED
    assert not (lab.sshd.folder / "down").exists()
    assert list(jobs) == ["a"]


async def test_a_notebook_is_a_run_whose_outputs_are_saved(
    bench: Workbench, lab: Lab, host: Path
) -> None:
    lab.sshd.with_jupyter()
    instance = await machine(bench)
    cells = ["print('loss 0.5')\n1 + 1", "import time\nopen('go')"]
    notebook = {
        "cells": [
            {"cell_type": "code", "id": f"c{n}", "source": text, "metadata": {}, "outputs": [],
             "execution_count": None}
            for n, text in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    (host / "my work.ipynb").write_text(json.dumps(notebook))
    await bench.jobs.run(instance, JobSpec(("my work.ipynb",), holder=Holder.NONE))
    jobs = await until(bench, instance, finished("my-work"))
    job = jobs["my-work"]
    log = (host / ".local/share/cloudtui/runs/my-work/log").read_text()
    assert job.command == ("my work.ipynb",)
    assert job.words == "failed (1)", log
    assert "[cell 1 of 2] print('loss 0.5')\nloss 0.5\n2\n[cell 2 of 2] import time\n" in log
    assert "FileNotFoundError" in log
    saved = json.loads((host / "my work.ipynb").read_text())["cells"]
    assert saved[0]["outputs"][0]["text"] in ("loss 0.5\n", ["loss 0.5\n"])
    assert saved[1]["outputs"][0]["output_type"] == "error"
