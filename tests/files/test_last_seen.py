"""What is kept of runs on this computer: whole, for its owner alone, and without secrets."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.files import last_seen
from cloudtui.model.job import Holder, Job, JobState
from cloudtui.model.last_seen import SeenRuns
from cloudtui.model.then import StepState, ThenStep
from cloudtui.model.training import Bar, Training

AT = datetime(2026, 11, 21, 22, 41, tzinfo=UTC)
RUN = Job(
    "bert", "i-1", ("python3", "train.py"), "~/bert", Holder.TMUX, "", JobState.RUNNING,
    queued=AT, started=AT, last_line="step 3", last_lines=("step 2", "step 3"), log_bytes=99,
    last_output=AT, gpus=(0, 1), after=("prep",), asked=1_795_300_000,
    then=(ThenStep("stop", StepState.WAITING, "", 1),),
    training=Training(step=3, steps=9, epoch=0.5, epochs=2, loss=0.3, eta=90.0, losses=(0.5, 0.3),
                      of_epoch=True, cell=(2, 7), bars=(Bar("train", 3, 9, 4.0),)),
)  # fmt: skip
SEEN = SeenRuns("i-1", "bert-gpu", "us-east-1", "", "123456789012", AT, (RUN,))


def keep(seen: SeenRuns) -> None:
    last_seen.change(seen.instance_id, lambda _: seen)


def test_all_that_is_told_later_is_kept_for_the_owner_alone() -> None:
    keep(SEEN)
    back = last_seen.load("i-1")
    assert back == SEEN
    assert back.runs[0].training == RUN.training
    assert (back.runs[0].training.done, back.runs[0].last_lines) == (
        RUN.training.done,
        RUN.last_lines,
    )
    file = last_seen.folder() / "i-1.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    keep(replace(SEEN, runs=()))
    assert not file.exists()
    last_seen.change("../../etc", lambda _: SEEN)
    assert [path.name for path in last_seen.folder().iterdir()] == [".lock"]


def test_secrets_are_not_written() -> None:
    command = ("env", "WANDB_MODE=S3CRET", "t.py", "--token", "S3CRET", "-p", "password=S3CRET")
    line = "key wandb_token=S3CRETS3CRET " + "x" * 450 + " api_key=S3CRETS3CRETS3CRETS3CRET" * 20
    step = ThenStep("run:curl -H 'Authorization: Bearer S3CRETS3CRET' x", result=line)
    keep(replace(SEEN, runs=(replace(RUN, command=command, last_lines=(line,), then=(step,)),)))
    assert "S3CRET" not in (last_seen.folder() / "i-1.json").read_text()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"seen": 1e300}', '{"runs": 3}', "\x00", '{"seen": "x", "runs": []}'],
)
def test_a_file_that_is_none_is_as_if_it_were_not_there(text: str) -> None:
    keep(SEEN)
    (last_seen.folder() / "i-1.json").write_text(text)
    assert last_seen.load("i-1") is None
    keep(SEEN)
    assert last_seen.load("i-1") == SEEN


@given(st.data())
def test_any_value_in_the_file_is_read_or_left_out(data: st.DataObject) -> None:
    raw = json.loads(json.dumps(last_seen._host(SEEN)))
    place = data.draw(st.sampled_from([raw, raw["runs"][0], raw["runs"][0]["training"],
                                       raw["runs"][0]["then"][0]]))  # fmt: skip
    odd: st.SearchStrategy[object] = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([[]])
    )
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(odd | st.just({}))
    last_seen.folder().mkdir(parents=True, exist_ok=True)
    (last_seen.folder() / "i-1.json").write_text(json.dumps(raw))
    seen = last_seen.load("i-1")
    assert seen is None or all(isinstance(run, Job) for run in seen.runs)


def test_a_disk_that_takes_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keep(SEEN)
    assert last_seen.load("i-1") is None
    assert [path.name for path in last_seen.folder().iterdir()] == [".lock"]
