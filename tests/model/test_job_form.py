"""A new run as it is typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.job import Holder, Job, JobState, check_job_name
from cloudtui.model.job_filter import job_matches
from cloudtui.model.job_form import FIELDS, read_form


@pytest.mark.parametrize(
    ("typed", "command", "name"),
    [
        ("python train.py --epochs 3", ("python", "train.py", "--epochs", "3"), "train"),
        ("python 'my file.py'", ("python", "my file.py"), "my-file"),
        ("cd ~/b && python eval.py | tee out", ("sh", "-c", "cd ~/b && python eval.py | tee out"),
         "eval"),
        ("SEED=1 ./run.sh", ("sh", "-c", "SEED=1 ./run.sh"), "run"),
        ("echo $HOME", ("sh", "-c", "echo $HOME"), "echo"),
    ],
)  # fmt: skip
def test_a_command_is_what_a_shell_would_make_of_it(
    typed: str, command: tuple[str, ...], name: str
) -> None:
    form, wrong = read_form({"command": typed})
    assert form is not None, wrong
    assert (form.spec.command, form.spec.name) == (command, name)


def test_every_field_goes_where_it_belongs_and_what_happens_is_told() -> None:
    values = {
        "command": "python train.py", "name": "bert", "cwd": "~/bert", "sync": ".:~/bert",
        "env": "SEED=1 HERE NOTE='a b'", "gpus": "2", "after": "prep, clean",
        "then": "copy:out:results 'run:python eval.py' stop",
    }  # fmt: skip
    form, wrong = read_form(
        values, ticks=("queue", "after_any", "overwrite"), holder="screen", runs=["prep", "clean"],
        environ={"HERE": "x"},
    )  # fmt: skip
    assert not wrong
    assert form is not None
    spec = form.spec
    assert spec.env == (("SEED", "1"), ("HERE", "x"), ("NOTE", "a b"))
    assert (spec.gpus, spec.queue, spec.holder) == (2, True, Holder.SCREEN)
    assert (spec.after_any, form.overwrite) == (True, True)
    assert (spec.after, form.sync) == (("prep", "clean"), (Path(), "~/bert"))
    assert spec.then == ("copy:out:results", "run:python eval.py", "stop")
    told = form.words("bert-gpu")
    for words in ("Sends what changed in . to ~/bert, also over what was changed there.",
                  "Starts bert on bert-gpu in ~/bert",
                  "2 GPUs", "waits for prep and clean, however they end.",
                  "Its terminal is shown in screen.",
                  "Then: copy:out:results, run:python"):  # fmt: skip
        assert words in told


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("command", "", "It needs a command."),
        ("command", "python 'x", "A quote is not closed."),
        ("name", "a/b", "has no '/'"),
        ("env", "1X=2", "NAME=VALUE, not 1X=2"),
        ("env", "SEED", "SEED has no value here."),
        ("gpus", "many", "A number up to 64."),
        ("gpus", "65", "A number up to 64."),
        ("gpus", "²", "A number up to 64."),
        ("after", "none", "No run none there."),
        ("then", "stopp", "stopp"),
        ("then", "'", "A quote is not closed."),
        ("sync", ":~/x", "is no LOCAL[:REMOTE]"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(field: str, typed: str, words: str) -> None:
    form, wrong = read_form({"command": "true", field: typed}, runs=["prep"])
    assert form is None
    assert list(wrong) == [field]
    assert words in wrong[field]


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@given(st.dictionaries(st.sampled_from(list(FIELDS)), _TEXTS))
def test_whatever_is_typed_is_a_run_or_a_reason(values: dict[str, str]) -> None:
    form, wrong = read_form(values)
    assert (form is None) == bool(wrong)
    if form is not None:
        check_job_name(form.spec.name)
        assert form.spec.command
        assert form.words("host")


@given(st.lists(st.text(st.characters(codec="ascii", min_codepoint=32), max_size=8), min_size=1))
def test_quoted_words_arrive_as_they_are(words: list[str]) -> None:
    form, _ = read_form({"command": shlex.join(words)})
    command = form.spec.command if form else ()
    assert command[:2] == ("sh", "-c") or list(command) == words or not "".join(words).strip()


def test_the_filter_looks_at_fields_and_everywhere() -> None:
    job = Job("bert-2", "i-1", ("python", "train.py"), "~", Holder.TMUX, "bert-2",
              JobState.FAILED, 127, last_line="OOM")  # fmt: skip
    for query in ("", "BERT oom", "state:fail host:gpu* exit:127", "-state:run in:tmux", "-zzz"):
        assert job_matches(job, "gpu-1", query), query
    for query in ("host:cpu", "-bert", "exit:12", "-exit:127", "in:hand", "name:ert"):
        assert not job_matches(job, "gpu-1", query), query
