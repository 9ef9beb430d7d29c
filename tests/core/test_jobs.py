"""Long runs of a real host, over a real SSH connection that is cut now and then."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cloudtui.core.jobs import Jobs
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import Ambiguous, CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Holder, Job, JobSpec, JobState
from cloudtui.model.session import Ending, Program
from cloudtui.ssh.connection import Connection
from tests.lab import Lab, Person
from tests.sshd import make_key, public_words

FOREVER = ("sh", "-c", "echo up; while :; do sleep 0.05; done")


async def until(question: Callable[[], object]) -> None:
    """Ask again until it is so; 30 s."""
    async with asyncio.timeout(30):
        while not question():
            await asyncio.sleep(0.01)


async def seen(jobs: Jobs, instance: Instance, id: str, *states: JobState) -> Job:
    """The run, once it is in one of those states; 30 s."""
    async with asyncio.timeout(30):
        while True:
            job = await jobs.find(instance, id)
            if job.state in states:
                return job
            await asyncio.sleep(0.02)


def arguments_with(text: str) -> list[Path]:
    """Processes with the text in an argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.append(path)
        except OSError:
            continue
    return found


def answer(keys: Path) -> None:
    """Enter, typed into a run."""
    with keys.open("r+b", 0) as file:
        file.write(b"\n")


async def gpu(bench: Workbench) -> Instance:
    return await bench.inventory.find("bert-gpu")


async def test_a_run_from_its_start_to_its_removal(lab: Lab) -> None:
    odd = [
        "",
        "-n",
        "a b",
        "it's",
        '"$HOME" `id` $(id)',
        "*",
        "new\nline",
        "tab\t",
        "ü漢",
        "\\",
        "!x",
    ]
    words = [*odd, os.fsdecode(bytes(range(1, 256)))]
    async with lab.bench() as bench:
        machine, jobs = await gpu(bench), bench.jobs
        with pytest.raises(NotFound, match="has no run yet"):
            await jobs.find(machine, "bert")
        job = await jobs.run(
            machine,
            JobSpec(
                ("sh", "-c", 'printf "%s\\0" "$@"; echo "$WORD"; read x; exit 3', "sh", *words),
                name="it's a run",
                env=(("WORD", "s3cret\nword"),),
            ),
        )
        assert (job.id, job.state, job.holder) == ("it's a run", JobState.RUNNING, Holder.TMUX)
        assert job.session == "it's a run"
        listing = (await bench.sessions.list(machine)).listing
        assert listing
        assert [session.name for session in listing.sessions] == [job.session]
        got = bytearray()
        following = asyncio.create_task(jobs.follow(machine, job, on_bytes=got.extend))
        wanted = b"".join(os.fsencode(word) + b"\0" for word in words) + b"s3cret\nword\n"
        await until(lambda: len(got) >= len(wanted))
        assert bytes(got) == wanted
        assert not arguments_with("s3cret\nword")
        with pytest.raises(Refused, match="goes on"):
            await jobs.remove(machine, job)
        answer(lab.sshd.home / ".local/share/cloudtui/runs" / job.id / "keys")
        ended = await following
        assert (ended.state, ended.exit_status, ended.words) == (JobState.FAILED, 3, "failed (3)")
        assert ended.command[:2] == ("sh", "-c")
        assert ended.started
        assert ended.ended
        assert (await jobs.find(machine, "it's")) == ended, "known runs are not told anew"
        again = await jobs.rerun(machine, job)
        assert again.id == "it's a run-2"
        with pytest.raises(Ambiguous):
            await jobs.find(machine, "it")
        stopped = await jobs.stop(machine, again, 5)
        assert stopped.words == "killed (INT)"
        await jobs.remove(machine, stopped)
        assert [j.id for j in jobs.state(machine.id).jobs] == ["it's a run"]
        with pytest.raises(NotFound, match="any more"):
            await jobs.remove(machine, stopped)
        for spec in (JobSpec(()), JobSpec(("a\0b",)), JobSpec(("a",), name="a/b"),
                     JobSpec(("a",), env=(("a-b", "c"),))):  # fmt: skip
            with pytest.raises(UsageError):
                await jobs.run(machine, spec)
        with pytest.raises(NotFound, match="no folder /nowhere"):
            await jobs.run(machine, JobSpec(("true",), cwd="/nowhere"))
        assert (await jobs.run(machine, JobSpec(("nosuch",)))).why == "command not found"


async def test_every_line_comes_once_over_cut_connections(lab: Lab) -> None:
    # It does not get past a gate until the connection was cut.
    gates = {1200: lab.home / "500", 3000: lab.home / "1000"}
    script = (
        "import os, time\nfor n in range(2000):\n print(n, flush=True)\n n % 10 or time.sleep(.008)"
        f"\n while n in (500, 1000) and not os.path.exists(f'{lab.home}/{{n}}'): time.sleep(.01)"
    )
    async with lab.bench() as bench:
        machine, jobs = await gpu(bench), bench.jobs
        job = await jobs.run(machine, JobSpec(("/usr/bin/python3", "-c", script), name="lines"))
        first, second = bytearray(), bytearray()
        troubles: list[object] = []

        def take(data: bytes) -> None:
            first.extend(data)
            for length, gate in gates.items():
                if len(first) > length and not gate.exists():
                    lab.sshd.cut()
                    gate.touch()

        ends = await asyncio.gather(
            jobs.follow(machine, job, on_bytes=take, on_trouble=troubles.append),
            jobs.follow(machine, job, on_bytes=second.extend),
        )
        assert lab.sshd.log.count("Accepted publickey") >= 3
        assert troubles[1::2] == [None] * (len(troubles) // 2), "what was lost is back"
        lines = "".join(f"{n}\n" for n in range(2000)).encode()
        assert bytes(first) == bytes(second) == lines
        assert {job.state for job in ends} == {JobState.DONE}
        last = bytearray()
        await jobs.read(machine, job, lines=3, on_bytes=last.extend)
        assert last == b"1997\n1998\n1999\n"


async def test_a_log_of_nonsense_is_refused_in_words(lab: Lab) -> None:
    async with lab.bench() as bench:
        machine, jobs = await gpu(bench), bench.jobs
        job = await jobs.run(machine, JobSpec(("true",), name="short"))
        (program,) = lab.sshd.home.rglob("job-*.sh")
        for answer in ("not a number\\nline", "x" * 200):
            program.write_text(f"printf '{answer}'; exec sleep 60")
            with pytest.raises(CloudtuiError, match="did not say where the log of short begins"):
                await jobs.follow(machine, job, on_bytes=lambda _: None)


async def test_a_look_that_nobody_asked_for_puts_no_question(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab.bench() as bench:
        machine, reach, asked = await gpu(bench), bench.connections.get, []
        await reach(machine)

        async def get(instance: Instance, *, ask: bool = True) -> Connection:
            asked.append(ask)
            return await reach(instance, ask=ask)

        monkeypatch.setattr(bench.connections, "get", get)
        for room in (bench.jobs, bench.notebooks, bench.all_sessions):
            await room.refresh()
        assert asked == [False] * 3


async def test_a_host_that_was_lost_is_asked_again_without_a_question(lab: Lab) -> None:
    locked = make_key(lab.home / "locked", "ed25519", "secret", "-a", "1")
    lab.sshd.authorized.write_text(public_words(locked) + "\n")
    config = lab.home / ".ssh/config"
    text = config.read_text().replace(str(lab.sshd.key), str(locked))
    config.write_text(f"{text}IdentitiesOnly yes\n")
    person = Person(passphrases=["secret"])
    async with lab.bench(person) as bench:
        jobs, machine = bench.jobs, await gpu(bench)
        await jobs.reach_again()
        assert not jobs.hosts[0].connected, "it never answered: connecting may ask something"
        await jobs.run(machine, JobSpec(("true",), name="short"))
        lab.sshd.cut()
        await until(lambda: jobs.hosts[0].lost)
        await jobs.refresh()
        assert not jobs.hosts[0].connected
        before = jobs.state(machine.id).updated
        await jobs.reach_again()
        found = jobs.hosts[0]
        assert found.connected
        assert not found.lost
        assert not found.words
        assert before
        assert found.state.updated
        assert found.state.updated > before
        assert len(person.asked) == 1, "the passphrase is remembered"
        await bench.all_sessions.refresh()
        lab.sshd.cut()
        await until(lambda: jobs.hosts[0].lost)
        await bench.all_sessions.reach_again()
        assert bench.all_sessions.hosts[0].connected
        lab.sshd.cut()
        await until(lambda: jobs.hosts[0].lost)
        (lab.home / ".ssh/known_hosts").write_text("")
        await jobs.reach_again()
        assert not jobs.hosts[0].connected, "its host key is a question"
        assert not jobs.hosts[0].lost
        assert jobs.hosts[0].state.error


async def test_sessions_by_hand_are_runs_too_and_those_of_runs_are_not_told_twice(lab: Lab) -> None:
    async with lab.bench() as bench:
        machine, jobs = await gpu(bench), bench.jobs
        by_tmux = await bench.sessions.new(
            machine, Program.TMUX, "tune", "echo step 3 loss=0.5; cat"
        )
        await bench.sessions.new(machine, Program.SCREEN, "serve", "echo step 4 loss=0.25; cat")
        await jobs.run(machine, JobSpec(FOREVER, name="a"))
        await jobs.run(machine, JobSpec(FOREVER, name="b", holder=Holder.SCREEN))
        state = await jobs.list(machine)
        assert {(j.id, j.by_hand, j.state) for j in state.jobs} == {
            ("tune", True, JobState.RUNNING),
            ("serve", True, JobState.RUNNING),
            ("a", False, JobState.RUNNING),
            ("b", False, JobState.RUNNING),
        }
        tune = await jobs.find(machine, "tune")
        assert (tune.last_line, tune.training.loss) == ("step 3 loss=0.5", 0.5)
        async with asyncio.timeout(30):
            while (serve := await jobs.find(machine, "serve")).last_line != "step 4 loss=0.25":
                assert serve.last_line == "", "it has printed nothing yet"
        assert serve.training.loss == 0.25
        for act in (jobs.rerun, jobs.remove):
            with pytest.raises(Refused, match="begun by hand"):
                await act(machine, tune)
        with pytest.raises(Refused, match="no run can come after it"):
            await jobs.run(machine, JobSpec(("true",), after=("tune",)))
        with pytest.raises(Refused, match="has no log"):
            await jobs.follow(machine, tune, on_bytes=lambda data: None)
        assert await jobs.session(machine, tune) == replace(by_tmux, command="cat")


async def test_a_session_begun_by_hand_is_stopped_with_all_that_runs_in_it(lab: Lab) -> None:
    mark = lab.home / "mark"
    saves = f"trap 'sleep 0.2; echo saved >{mark}; exit' INT; sleep 600 & while :; do wait; done"
    async with lab.bench() as bench:
        machine, jobs = await gpu(bench), bench.jobs
        new = partial(bench.sessions.new, machine)
        other = await new(Program.TMUX, "other", "cat")
        for program, name, command in (
            (Program.TMUX, "saves", f"sh -c {shlex.quote(saves)}"),
            (
                Program.TMUX,
                "deaf",
                "sh -c 'trap \"\" INT; sleep 0.1 & while :; do sleep 0.05; done'",
            ),
            (Program.SCREEN, "serve", "cat"),
            (Program.TMUX, "idle", ""),
        ):
            await new(program, name, command)
        await until(lambda: arguments_with(saves))
        begun = [job for job in (await jobs.list(machine)).jobs if job.id != "other"]
        over = await asyncio.gather(*(jobs.stop(machine, job, 0.5) for job in begun))
        ended = {job.id: job.words for job in over}
        assert ended == {
            "saves": "killed (INT)", "deaf": "killed (TERM)", "serve": "killed (INT)",
            "idle": "done",
        }  # fmt: skip
        assert mark.read_text() == "saved\n"
        left = bench.sessions.state(machine.id).listing
        assert left
        assert [session.id for session in left.sessions] == [other.id]
        assert [job.id for job in jobs.state(machine.id).jobs] == ["other"]
        with pytest.raises(NotFound, match="has gone"):
            await jobs.stop(machine, begun[0])


async def test_a_run_is_attached_whether_its_session_lives_or_not(lab: Lab) -> None:
    async with lab.bench() as bench:
        machine, jobs = await gpu(bench), bench.jobs
        job = await jobs.run(machine, JobSpec(FOREVER, name="bert"))
        before = await jobs.session(machine, job)
        assert before
        connection = await bench.connections.get(machine)
        await connection.run("tmux kill-server")
        job = await jobs.find(machine, "bert")
        assert (job.state, job.session) == (JobState.RUNNING, "")
        after = await jobs.session(machine, job)
        assert after
        assert after.name == "bert"
        plain = await jobs.run(machine, JobSpec(FOREVER, name="plain", holder=Holder.NONE))
        assert await jobs.session(machine, plain) is None
        shown = bytearray()
        for keys, ending in ((b"\x1d", Ending.DETACHED), (b"\x03", Ending.ENDED)):
            attachment = await jobs.attach(machine, plain, 80, 24, shown.extend)
            assert attachment.title == "bert-gpu: plain"
            await until(lambda: b"up" in shown)
            attachment.write(keys)
            end = await attachment.wait()
            assert end.ending is ending, end.sentence
            shown.clear()
        over = await seen(jobs, machine, "plain", JobState.KILLED)
        with pytest.raises(Refused, match=r"is over: killed \(INT\)"):
            await jobs.attach(machine, over, 80, 24, shown.extend)


async def test_a_reboot_is_told_and_a_start_that_was_cut_off(lab: Lab) -> None:
    async with lab.bench() as bench:
        machine, jobs = await gpu(bench), bench.jobs
        job = await jobs.run(machine, JobSpec(FOREVER, name="bert"))
        folder = lab.sshd.home / ".local/share/cloudtui/runs"
        (folder / "half").mkdir()
        (folder / job.id / "boot").write_text("another\n")
        state = await jobs.list(machine)
        told = {j.id: j.words for j in state.jobs}
        assert told == {
            "bert": "lost (its machine was rebooted)",
            "half": "lost (its start was interrupted)",
        }


async def test_read_only_starts_and_changes_nothing(lab: Lab) -> None:
    async with lab.bench() as bench:
        job = await bench.jobs.run(await gpu(bench), JobSpec(FOREVER, name="bert"))
    async with lab.bench(read_only=True) as bench:
        machine, jobs = await gpu(bench), bench.jobs
        for act in (
            jobs.run(machine, JobSpec(FOREVER)),
            jobs.stop(machine, job),
            jobs.rerun(machine, job),
            jobs.remove(machine, job),
        ):
            with pytest.raises(Refused, match="read-only"):
                await act
        assert (await jobs.find(machine, "bert")).state is JobState.RUNNING
