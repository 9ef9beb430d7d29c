"""The morning after: what ended is told once and exactly, whatever became of its machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.__main__ import main
from cloudtui.core.workbench import Workbench
from cloudtui.model.digest import Digest, Ended, HostVisit, brought_up, known, looked, untold
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, Job, JobSpec, JobState
from cloudtui.model.then import StepState, ThenStep
from tests.lab import Lab

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


async def start(bench: Workbench, name: str, command: str, **more: object) -> None:
    instance = await bench.inventory.find("bert-gpu")
    spec = JobSpec(("sh", "-c", command), name=name, holder=Holder.NONE, **more)  # type: ignore[arg-type]
    await bench.jobs.run(instance, spec)


async def look(lab: Lab) -> Digest:
    """A visit: a new start of cloudtui."""
    async with lab.bench() as bench:
        await bench.inventory.load()
        found = await bench.digests.look(everywhere=True, ask=True)
        await bench.digests.told(found)
        await bench.fetching.settled()
        return found


def names(found: Digest) -> list[str]:
    return sorted(each.job.id for each in found.ended)


def there(path: Path) -> bool:
    return path.exists()


def child(run: Path) -> int:
    """The command of a run."""
    pid = int((run / "pid").read_text().split()[0])
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def exists(path: Path) -> None:
    async with asyncio.timeout(30):
        while not there(path):
            await asyncio.sleep(0.02)


def waits(state: Path) -> bool:
    """Whether the host has done its part of a copy to this computer."""
    return state.exists() and state.read_text() == "fetch\n"


async def until_it_waits(state: Path) -> None:
    async with asyncio.timeout(30):
        while not waits(state):
            await asyncio.sleep(0.02)


async def test_a_host_does_not_choose_what_is_written_here(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = lab.sshd.home / ".local/share/cloudtui/runs"
    (lab.sshd.home / "evil").mkdir()
    (lab.sshd.home / "evil/authorized_keys").write_text("theirs")
    monkeypatch.chdir(tmp_path)
    async with lab.bench() as bench:
        for name in ("moved", "renamed"):
            await start(bench, name, "mkdir -p out", then=("copy:out:got",))
            await exists(runs / name / "then/01/state")
    (runs / "moved/then/01/where").write_text(f"{tmp_path}/.ssh\n")
    (runs / "renamed/then/01/result").write_text(f"{lab.sshd.home}/evil\n")
    await look(lab)
    assert not there(tmp_path / ".ssh")
    assert not there(tmp_path / "got")


async def test_each_end_is_told_once_and_none_is_missed(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = lab.sshd.home / ".local/share/cloudtui/runs"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with lab.bench() as bench:
        await start(bench, "good", "seq 9; mkdir -p out; echo 1 >out/model", then=("copy:out:got",))
        await start(bench, "shot", r"printf '%05000d\nup\n' 1; sleep 100")
        await start(bench, "wide", r"printf '%05000d\n' 1")
        await start(bench, "long", "echo up; until [ -e ~/go ]; do sleep 0.1; done")
    await exists(runs / "good/then/01/state")
    await exists(runs / "good/ended")
    await exists(runs / "wide/ended")
    os.kill(child(runs / "shot"), signal.SIGKILL)
    await exists(runs / "shot/ended")

    found = await look(lab)
    assert names(found) == ["good", "shot", "wide"]
    assert [job.id for _, job in found.running] == ["long"]
    told = {each.job.id: each for each in found.ended}
    assert told["good"].lines == ("5", "6", "7", "8", "9")
    assert told["good"].job.state is JobState.DONE
    assert told["shot"].job.words == "killed (KILL)"
    assert told["shot"].lines[:1] == ("up",), "not the end of the line before"
    assert told["wide"].lines[0].endswith("01"), "the only line, though it is cut"
    assert told["shot"].cost is not None
    assert "on bert-gpu: killed (KILL) at 2" in told["shot"].words
    ended = told["shot"].job.ended
    real = float((runs / "shot/exit").read_text().split()[1])
    assert ended is not None
    assert abs(ended.timestamp() - real) <= 1
    assert (tmp_path / "here/got/out/model").read_text() == "1\n"
    assert (runs / "good/then/01/state").read_text() == "done\n"
    assert (await look(lab)).empty

    async with lab.bench() as bench:
        await start(bench, "listed", "echo quick")
        await exists(runs / "listed/ended")
        await bench.jobs.refresh(ask=True)
    lab.ec2.stop_instances(InstanceIds=[lab.gpu])
    found = await look(lab)
    assert [(run.id, run.last_line) for run in found.away[0].over] == [("listed", "quick")]
    assert found.words.startswith("1 run ended since 2")
    assert [away.words for away in found.away] == [
        "long was running on bert-gpu, which is stopped now; its runs are known again when it "
        "starts."
    ]
    assert not found.ended
    assert (await look(lab)).empty
    lab.ec2.start_instances(InstanceIds=[lab.gpu])
    (lab.sshd.home / "go").touch()
    await exists(runs / "long/ended")
    assert names(await look(lab)) == ["long"]
    assert (await look(lab)).empty

    async with lab.bench() as bench:
        await bench.inventory.load()
        await bench.digests.look(everywhere=False, ask=False)
        bench.digests.watch()
        await start(bench, "seen", "sleep 0.5")
        await exists(runs / "seen/ended")
        await bench.jobs.refresh(ask=True)
        await start(bench, "last", "until [ -e ~/go2 ]; do sleep 0.1; done")
    (lab.sshd.home / "go2").touch()
    await exists(runs / "last/ended")
    assert names(await look(lab)) == ["last"]


def job(id: str, queued: float, state: JobState = JobState.DONE, **more: object) -> Job:
    return Job(
        id, "i-1", ("x",), "", Holder.NONE, "", state,
        queued=datetime.fromtimestamp(queued, UTC), **more  # type: ignore[arg-type]
    )  # fmt: skip


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(-2, 2)), max_size=3),
        max_size=8,
    )
)
def test_looks_in_any_order_tell_every_end_once(looks: list[list[tuple[str, bool, float]]]) -> None:
    visit, told, over = HostVisit(), [], set()
    for moment in looks:
        jobs = {}
        for id, ends, skew in moment:
            over |= {id} if ends else set()
            state = JobState.DONE if id in over else JobState.RUNNING
            jobs[id] = job(id, 1000 * ord(id) + skew, state)
        jobs |= {id: job(id, 1000 * ord(id)) for id in over if id not in jobs}
        new = untold(jobs.values(), visit)
        told += [each.id for each in new]
        visit = looked(visit, list(jobs.values()), new)
        assert {run.id for run in visit.active} == {j.id for j in jobs.values() if not j.state.over}
    assert sorted(told) == sorted(over)


def test_a_name_that_is_used_again_is_another_run() -> None:
    visit = looked(HostVisit(), [job("a", 0)], [job("a", 0)])
    assert untold([job("a", 3)], visit) == ()
    assert [j.id for j in untold([job("a", 60)], visit)] == ["a"]
    assert known(job("a", 1)).is_it(known(job("a", 2)))


def test_runs_side_by_side_cost_the_machine_once() -> None:
    instance = Instance("i-1", "us-east-1", State.RUNNING, "bert-gpu")

    def ended(begin: float, end: float) -> Ended:
        start, stop = NOW + timedelta(hours=begin), NOW + timedelta(hours=end)
        one = job(f"r{begin}", 0, started=start, ended=stop)
        return Ended(instance, one, cost=2.0 * (end - begin))

    found = Digest(NOW, (ended(0, 2), ended(1, 3), ended(5, 6)))
    assert found.cost == pytest.approx(8.0)
    assert found.words.startswith("3 runs ended since 2026-11-21")
    assert found.words.endswith(", $8.00.")


def test_the_command_line_tells_it_once(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(
        [
            "run",
            "bert-gpu",
            "--name",
            "sh",
            "--follow",
            "--in",
            "none",
            "--",
            "sh",
            "-c",
            "echo hi; exit 3",
        ]
    )
    capfd.readouterr()
    assert main(["jobs", "--since", "last", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert [(run["run"], run["exit_status"], run["last_lines"]) for run in told["ended"]] == [
        ("sh", 3, ["hi"])
    ]
    assert main(["jobs", "--since", "last"]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "No run ended since" in err
    assert main(["run", "bert-gpu", "--then", "stpo", "--", "true"]) == 2
    assert "It looks like stop" in capfd.readouterr().err


def test_news_shown_again_have_what_became_known_since() -> None:
    machine = Instance("i-1", "us-east-1", State.RUNNING, "gpu")
    then = (ThenStep("copy:o:r", StepState.FETCH), ThenStep("always:stop"))
    over = Job("a", "i-1", ("x",), "~", Holder.TMUX, "", JobState.DONE, 0, queued=NOW, then=then)
    on = replace(over, id="b", state=JobState.RUNNING, then=())
    told = Digest(ended=(Ended(machine, over),), running=((machine, on),))
    assert brought_up(told, lambda _: (), lambda _: None) == told
    fetched = replace(over, then=(replace(then[0], state=StepState.DONE), then[1]))
    again = brought_up(told, lambda _: (fetched,), lambda _: machine)
    assert (again.ended[0].job, again.running) == (fetched, told.running)
    stopped = replace(machine, state=State.STOPPED)
    ended = replace(on, state=JobState.DONE)
    last = brought_up(again, lambda _: (ended,), lambda _: stopped)
    assert [(s.state, s.result) for s in last.ended[0].job.then] == [
        (StepState.DONE, ""),
        (StepState.DONE, "the machine is stopped"),
    ]
    assert last.running == ()
    namesake = replace(on, state=JobState.DONE, queued=NOW + timedelta(hours=1))
    assert brought_up(told, lambda _: (namesake,), lambda _: machine).running == told.running
