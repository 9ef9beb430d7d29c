"""Alerts: told once, by whatever the user set, with real commands and a real web server."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudtui.core import alert_hooks
from cloudtui.core.alerts import Alerts
from cloudtui.core.events import (
    Alerted,
    Event,
    Events,
    InventoryChanged,
    InventoryState,
    JobsChanged,
    JobsState,
    Noted,
    Severity,
)
from cloudtui.model.errors import Unreachable
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, Job, JobState
from cloudtui.model.then import StepState, ThenStep
from cloudtui.model.training import Training

NOW = datetime.now(UTC)
GPU = Instance("i-0123456789abcdef0", "us-east-1", State.RUNNING, "bert-gpu")
RUN = Job("bert", GPU.id, ("python3", "t.py", "--key=s3cret"), "~", Holder.TMUX, "bert",
          JobState.RUNNING, started=NOW - timedelta(hours=1), last_output=NOW,
          training=Training(step=9, loss=0.5))  # fmt: skip


class _Inventory:
    def by_id(self, instance_id: str) -> Instance | None:
        return GPU if instance_id == GPU.id else None


class Watch:
    """Alerts over events that a test emits."""

    def __init__(self, hook: str = "") -> None:
        self.events = Events()
        self.heard: list[Event] = []
        self.events.listen(self.heard.append)
        self.alerts = Alerts(_Inventory(), lambda: None, self.events, hook)  # type: ignore[arg-type]
        self.alerts.start()

    async def see(self, *jobs: Job, **changes: Any) -> None:
        state = JobsState(GPU.id, jobs, updated=NOW)
        self.events.emit(JobsChanged(replace(state, **changes)))
        await self.alerts.settled()

    @property
    def kinds(self) -> list[str]:
        return [e.alert.kind.value for e in self.heard if isinstance(e, Alerted)]

    @property
    def notes(self) -> list[str]:
        return [e.note.text for e in self.heard if isinstance(e, Noted)]


async def test_each_event_is_told_once_also_by_the_next_console() -> None:
    broken = replace(RUN, training=Training(step=9, loss=float("nan"), broken=True))
    failed = replace(broken, state=JobState.FAILED, exit_status=1, ended=NOW)
    first = Watch()
    await first.see(RUN)
    await first.see(broken)
    await first.see(broken)
    await first.see(broken, loading=True)
    await first.see(error=Unreachable("bert-gpu does not answer."))
    await first.see(failed)
    await first.see(failed)
    assert first.kinds == ["nan", "failed"]
    assert first.notes[0] == "bert on bert-gpu has a loss of nan at step 9."
    severities = [e.note.severity for e in first.heard if isinstance(e, Noted)]
    assert severities == [Severity.WARNING] * 2
    await first.alerts.close()
    second = Watch()
    await second.see(broken)
    assert second.kinds == []
    assert second.notes == []
    await second.see(replace(failed, id="old", ended=NOW - timedelta(hours=2)))
    assert second.kinds == []
    await second.alerts.close()


async def test_of_two_consoles_both_show_it_and_one_calls_for_attention() -> None:
    one, two = Watch(), Watch()
    broken = replace(RUN, id="both", training=Training(step=9, loss=float("nan"), broken=True))
    await one.see(broken)
    await two.see(broken)
    await two.see(broken)
    assert (one.kinds, two.kinds) == (["nan"], [])
    assert one.notes == two.notes == ["both on bert-gpu has a loss of nan at step 9."]
    one.alerts.expect(GPU.id, "both")
    killed = replace(broken, state=JobState.KILLED, ended=NOW)
    await two.see(killed)
    await one.see(killed)
    assert (len(one.notes), len(two.notes)) == (1, 2), "no news for who ended it"
    await one.alerts.close()
    await two.alerts.close()


async def test_a_host_that_does_not_answer_holds_up_no_look_at_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cloudtui.core.alerts.WATCH_SECONDS", 0.001)

    class _Jobs:
        looked, tried = asyncio.Semaphore(0), asyncio.Event()

        async def refresh(self, *, ask: bool) -> None:
            self.looked.release()

        async def reach_again(self) -> None:
            self.tried.set()
            await asyncio.Event().wait()

    jobs = _Jobs()
    watch = Alerts(_Inventory(), lambda: jobs, Events())  # type: ignore[arg-type, return-value]
    watch.start()
    async with asyncio.timeout(30):
        await jobs.tried.wait()
        for _ in range(5):
            await jobs.looked.acquire()
        await watch.close()


async def test_what_the_user_ends_is_no_news_and_a_machine_that_goes_is() -> None:
    watch = Watch()
    await watch.see(RUN, replace(RUN, id="other"))
    watch.alerts.expect(GPU.id, "bert")
    await watch.see(replace(RUN, state=JobState.KILLED, ended=NOW), replace(RUN, id="other"))
    assert watch.kinds == []
    watch.alerts.expect(GPU.id, "more")
    watch.alerts.unexpect(GPU.id, "more")
    await watch.see(replace(RUN, id="more"), replace(RUN, id="other"))
    await watch.see(
        replace(RUN, id="more", state=JobState.DONE, ended=NOW), replace(RUN, id="other")
    )
    assert watch.kinds == ["done"]
    stopped = InventoryState(instances=(replace(GPU, state=State.STOPPING),))
    watch.events.emit(InventoryChanged(stopped))
    watch.events.emit(InventoryChanged(stopped))
    await watch.alerts.settled()
    assert watch.notes[1:] == ["other on bert-gpu: its machine has stopped."]
    await watch.alerts.close()


async def test_a_machine_that_a_run_shut_down_is_told_when_its_end_was_seen() -> None:
    watch = Watch()
    done = replace(RUN, state=JobState.DONE, ended=NOW, then=(ThenStep("stop", StepState.DONE),))
    old, refused = replace(done, id="old", ended=NOW - timedelta(days=2)), replace(RUN, id="no")
    step = ThenStep("on-end:stop", StepState.WAITING)
    await watch.see(replace(RUN, then=(step,)), old, replace(refused, then=(step,)))
    failed = replace(step, state=StepState.FAILED)
    await watch.see(done, old, replace(done, id="no", then=(failed,)))
    gone = InventoryState(instances=(replace(GPU, state=State.STOPPED),))
    watch.events.emit(InventoryChanged(gone))
    await watch.alerts.settled()
    assert watch.notes[2:] == ["bert on bert-gpu: its machine has stopped, as asked."]
    assert sorted(watch.kinds) == ["done", "done", "ended"]
    await watch.alerts.close()


async def test_a_command_gets_the_details_and_no_secret(tmp_path: Path) -> None:
    hook = f'cat >"{tmp_path}/json"; printf "%s|%s|%s" "$CLOUDTUI_TITLE" "$CLOUDTUI_EXIT" \
"$CLOUDTUI_RUN" >"{tmp_path}/env"; env >"{tmp_path}/all"'
    watch = Watch(hook)
    await watch.see(RUN)
    await watch.see(replace(RUN, state=JobState.FAILED, exit_status=2, ended=NOW))
    told = json.loads((tmp_path / "json").read_text())
    assert (told["kind"], told["host"], told["exit"], told["loss"]) == (
        "failed", "bert-gpu", 2, 0.5,
    )  # fmt: skip
    title = "bert on bert-gpu failed with exit code 2 after 1h 00m."
    assert (tmp_path / "env").read_text() == f"{title}|2|bert"
    for name in ("json", "env", "all"):
        assert "s3cret" not in (tmp_path / name).read_text()
    await watch.alerts.close()


async def test_a_failure_of_the_hook_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch("echo no such channel >&2; exit 3")
    await watch.see(RUN, replace(RUN, id="b"))
    await watch.see(
        *(replace(j, state=JobState.DONE, ended=NOW) for j in (RUN, replace(RUN, id="b")))
    )
    assert watch.notes.count("The command for alerts failed with exit code 3.") == 1
    await watch.alerts.close()
    monkeypatch.setattr(alert_hooks, "COMMAND_SECONDS", 0.2)
    late = Watch(f'(sleep 5; touch "{tmp_path}/late") & sleep 5')
    await late.see(replace(RUN, id="c"))
    await late.see(replace(RUN, id="c", state=JobState.DONE, ended=NOW))
    assert late.notes[-1] == "The command for alerts had not ended after 0.2 s."
    await late.alerts.close()


async def test_an_address_gets_it_as_json_and_is_never_told(unused_tcp_port: int) -> None:
    got: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.json())
        status = {"/ok/T0KEN": 204, "/moved/T0KEN": 302}.get(request.path, 500)
        return web.Response(status=status, headers={"Location": "/ok/T0KEN"})

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    here = f"http://127.0.0.1:{unused_tcp_port}"
    said: list[str] = []
    try:
        for number, path in enumerate(("/ok/T0KEN", "/moved/T0KEN", "/broken/T0KEN")):
            watch, job = Watch(here + path), replace(RUN, id=f"run-{number}")
            await watch.see(job)
            await watch.see(replace(job, state=JobState.DONE, ended=NOW))
            said += [f"{e.note.text} {e.note.detail}" for e in watch.heard if isinstance(e, Noted)]
            await watch.alerts.close()
    finally:
        await runner.cleanup()
    assert len(got) == 3
    assert got[0]["text"] == "run-0 on bert-gpu is done after 1h 00m."
    assert sum("took no alert: it answered with HTTP" in text for text in said) == 2
    gone = Watch(here + "/T0KEN")
    await gone.see(replace(RUN, id="x"))
    await gone.see(replace(RUN, id="x", state=JobState.DONE, ended=NOW))
    assert "127.0.0.1 took no alert." in gone.notes
    assert "T0KEN" not in repr((said, gone.heard))
    await gone.alerts.close()


async def test_leaving_ends_a_command_that_is_under_way(tmp_path: Path) -> None:
    watch = Watch(f'echo $$ >"{tmp_path}/pid"; sleep 60')
    watch.events.emit(JobsChanged(JobsState(GPU.id, (RUN,), updated=NOW)))
    watch.events.emit(
        JobsChanged(JobsState(GPU.id, (replace(RUN, state=JobState.DONE, ended=NOW),), updated=NOW))
    )
    pid = tmp_path / "pid"
    async with asyncio.timeout(30):
        while not (pid.exists() and pid.read_text().strip()):
            await asyncio.sleep(0.01)
        await watch.alerts.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
