"""Which changes of runs are told."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtui.files import alerts_told
from cloudtui.model.alerts import Alert, AlertKind, alerts, with_machine
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, Job, JobState, ThenStep
from cloudtui.model.job_filter import name_in_list
from cloudtui.model.training import Training

NOW = datetime.now(UTC)
STARTED = NOW - timedelta(hours=3, minutes=12)
RUN = Job(
    "bert", "i-0123456789abcdef0", ("python3", "train.py", "--token=s3cret"), "~", Holder.TMUX,
    "bert", JobState.RUNNING, started=STARTED, last_output=NOW, last_line="key=s3cret",
    training=Training(step=4018, steps=18_750, loss=0.3248),
)  # fmt: skip


def kinds(before: list[Job] | None, *now: Job) -> list[str]:
    known = None if before is None else {name_in_list(job): job for job in before}
    return [a.kind.value for a in alerts(known, now, "bert-gpu", NOW - timedelta(minutes=1))]


def ended(state: JobState, **more: object) -> Job:
    return replace(RUN, state=state, ended=NOW, **more)  # type: ignore[arg-type]


def test_an_end_is_told_when_it_was_seen_to_run_or_is_newer_than_the_console() -> None:
    for state in JobState:
        if state.over and state is not JobState.UNKNOWN:  # what no host says of a run
            assert kinds([RUN], ended(state)) == [state.value]
            assert kinds([], ended(state)) == [state.value]
            assert kinds(None, ended(state)) == [state.value]
            assert kinds([ended(state)], ended(state)) == []
            old = replace(ended(state), ended=NOW - timedelta(hours=1))
            assert kinds(None, old) == []
            assert kinds([], old) == []
    assert kinds([RUN], RUN) == []
    assert kinds([RUN]) == []


def test_a_run_that_was_never_started_did_not_fail() -> None:
    why = "the run oom it came after failed (1)"
    queued = replace(RUN, state=JobState.QUEUED, started=None)
    never = replace(queued, state=JobState.NOT_STARTED, exit_status=1, ended=NOW, why=why)
    (told,) = alerts({"bert": queued}, [never], "bert-gpu", NOW)
    assert told.title == f"bert on bert-gpu was not started: {why}."
    assert told.bad


def test_a_broken_loss_and_a_stall_are_told_of_runs_that_go_on() -> None:
    broken = replace(RUN, training=replace(RUN.training, loss=float("nan"), broken=True))
    assert kinds(None, broken) == ["nan"]
    assert kinds([RUN], broken) == ["nan"]
    assert kinds([broken], replace(broken, state=JobState.FAILED, ended=NOW)) == ["failed"]
    quiet = replace(RUN, state=JobState.STALLED, last_output=NOW - timedelta(minutes=12))
    assert kinds([RUN], quiet) == ["stall"]


def test_a_session_begun_by_hand_is_told_when_it_trained() -> None:
    hand = replace(RUN, id="train", by_hand=True)
    assert kinds([hand]) == ["ended"]
    assert kinds([replace(hand, training=Training())]) == []
    assert kinds([replace(hand, training=Training(loss=float("nan"), broken=True))]) == ["ended"]


@pytest.mark.parametrize(
    ("job", "title"),
    [
        (ended(JobState.DONE, exit_status=0), "bert on bert-gpu is done after 3h 12m."),
        (ended(JobState.FAILED, exit_status=1), "bert on bert-gpu failed with exit code 1 after"),
        (ended(JobState.FAILED, exit_status=127, why="command not found"),
         "exit code 127 (command not found) after"),
        (ended(JobState.KILLED, signal="KILL"), "bert on bert-gpu was killed by KILL after"),
        (replace(ended(JobState.LOST, why="its machine was rebooted"), ended=None),
         "bert on bert-gpu is lost: its machine was rebooted."),
        (replace(RUN, training=replace(RUN.training, loss=float("inf"), broken=True)),
         "bert on bert-gpu has a loss of inf at step 4,018."),
        (ended(JobState.FAILED, exit_status=2, training=Training(loss=float("nan"), broken=True)),
         "bert on bert-gpu failed with exit code 2 after 3h 12m, with a loss of nan."),
        (replace(RUN, state=JobState.STALLED, last_output=NOW - timedelta(days=2, hours=3.5)),
         "bert on bert-gpu has printed nothing for 2d 3h."),
    ],
)  # fmt: skip
def test_the_sentences_hold_no_secret_of_the_run(job: Job, title: str) -> None:
    (alert,) = alerts({"bert": RUN}, [job], "bert-gpu", NOW)
    assert title in alert.title
    assert "s3cret" not in json.dumps(alert.words(), allow_nan=False)
    assert "s3cret" not in repr(alert)


def test_a_corrected_clock_tells_nothing_twice() -> None:
    queued, hour = STARTED - timedelta(seconds=2), timedelta(hours=1)
    nan = Training(loss=float("nan"), broken=True)
    broken = replace(RUN, training=nan, asked=1_000_000, queued=queued)
    later = replace(broken, queued=queued + hour, started=STARTED + hour)
    first, second = (alerts(None, [job], "bert-gpu", NOW)[0] for job in (broken, later))
    assert first.same(second)
    assert (first.moment, first.when) == (1_000_002, STARTED)
    again = replace(later, asked=1_000_900)
    assert not first.same(alerts(None, [again], "bert-gpu", NOW)[0])


def test_a_machine_that_goes_takes_its_runs_along() -> None:
    gone = Instance("i-1", "us-east-1", State.STOPPED, "bert-gpu")
    alert = with_machine(RUN, gone)
    assert (alert.kind, alert.title) == (
        AlertKind.LOST,
        "bert on bert-gpu: its machine has stopped.",
    )
    asked = with_machine(replace(RUN, then=(ThenStep("stop"),)), gone)
    assert (asked.kind.bad, asked.title[-10:]) == (False, " as asked.")
    assert ThenStep("always:stop").stops
    assert not ThenStep("run:stop").stops


_ALERTS = st.builds(
    Alert,
    st.sampled_from(AlertKind),
    st.sampled_from(["i-1", "i-2"]),
    st.just("h"),
    st.sampled_from(["a", "b"]),
    st.floats(0, 100),
    st.just(""),
)


@settings(max_examples=15, deadline=None)  # each example writes to the disk
@given(st.lists(_ALERTS, max_size=10))
def test_each_event_is_claimed_once_also_after_a_restart(found: list[Alert]) -> None:
    alerts_told.told_file().unlink(missing_ok=True)
    new = [alert for one in found for alert in alerts_told.claim([one])[0]]
    for number, alert in enumerate(new):
        assert not any(alert.same(other) for other in new[:number])
    for alert in found:
        assert any(alert.same(other) for other in new)
    assert alerts_told.claim(found) == ([], [])


def test_a_file_that_is_none_is_no_failure() -> None:
    told = alerts_told.told_file()
    told.parent.mkdir(parents=True, exist_ok=True)
    told.write_text('{"told": [["nan"], ["odd", "i-1", "a", 1], 7]}')
    alert = Alert(AlertKind.NAN, "i-1", "h", "a", 1.0, "")
    assert alerts_told.claim([alert]) == ([alert], [])
    told.write_text("}")
    assert alerts_told.claim([alert]) == ([alert], [])


def test_of_many_consoles_at_once_one_alone_tells_each_alert() -> None:
    start = time.time()
    with ThreadPoolExecutor(4) as consoles:
        for moment in range(10):
            alert = Alert(AlertKind.NAN, "i-1", "gpu", "race", 100.0 * moment, title="")
            answers = consoles.map(lambda _, a=alert: alerts_told.claim([a], start), range(4))
            assert sorted(answers) == [([], [alert])] * 3 + [([alert], [])]
    assert alerts_told.claim([alert], time.time() + 1) == ([], [])
