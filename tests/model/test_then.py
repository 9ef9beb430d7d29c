"""What is typed after --then: read, refused with near words, and told from a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.errors import Refused, UsageError
from cloudtui.model.then import (
    Kind,
    StepState,
    When,
    check_terminating,
    files,
    parse,
    parse_all,
    steps_told,
)

PLAIN = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters=":"), min_size=1
)


@pytest.mark.parametrize(
    ("text", "kind", "when", "what", "where"),
    [
        ("stop", Kind.STOP, When.END, "", ""),
        ("always:stop", Kind.STOP, When.ALWAYS, "", ""),
        ("copy:out/:got", Kind.COPY, When.SUCCESS, "out/", "got"),
        ("copy:out", Kind.COPY, When.SUCCESS, "out", "."),
        ("s3:s3://bucket/a/b/", Kind.S3, When.SUCCESS, "", "s3://bucket/a/b"),
        ("s3://bucket", Kind.S3, When.SUCCESS, "", "s3://bucket"),
        ("on-fail:s3:out:s3://bucket/p", Kind.S3, When.FAILURE, "out", "s3://bucket/p"),
        ("on-end:run:a: b && c", Kind.RUN, When.END, "a: b && c", ""),
    ],
)
def test_actions(text: str, kind: Kind, when: When, what: str, where: str) -> None:
    action = parse(text)
    assert (action.kind, action.when, action.what, action.where) == (kind, when, what, where)
    assert action.text == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stpo", "It looks like stop"),
        ("cpoy:a:b", "It looks like copy"),
        ("onfail:stop", "It looks like on-fail"),
        ("stop:now", "nothing behind it"),
        ("copy:", "lacks what it is about"),
        ("copy::here", "lacks the path there"),
        ("s3:out", "needs an address"),
        ("s3:outs3://bucket", "needs an address"),
        ("s3:s3://B/x", "cannot be the name of a bucket"),
        ("run: ", "lacks what"),
        ("run:a\nb", "one line"),
        ("", "does not know"),
    ],
)
def test_what_is_no_action(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text)


def test_nothing_comes_after_the_shutdown() -> None:
    assert len(parse_all(["run:a", "stop"])) == 2
    assert len(parse_all(["on-success:stop", "on-fail:run:keep looking"])) == 2
    for wrong in (["stop", "run:a"], ["on-fail:stop", "always:run:a"], ["stop", "stop"]):
        with pytest.raises(UsageError, match="shuts the machine down"):
            parse_all(wrong)
    with pytest.raises(Refused, match="would find nothing"):
        check_terminating(parse_all(["copy:a:b", "stop"]), "bert-gpu")


@given(PLAIN, PLAIN.filter(lambda text: text not in (".", "./")))
def test_the_record_has_what_was_asked_for(there: str, here: str) -> None:
    actions = parse_all([f"copy:{there}:{here}", "stop"])
    record = files(
        actions,
        computer="me-1",
        folder="/work",
        terminates=True,
        seal=lambda text, where: f"{text} to {where}",
    )
    assert record["then/01/what"].decode() == there
    place = record["then/01/where"].decode()
    assert place.endswith(here.removeprefix("./"))
    assert place.startswith(("/", "~"))
    assert record["then/01/computer"] == b"me-1"
    assert record["then/01/seal"].decode() == f"copy:{there}:{here} to {place}"
    assert record["then/02/careful"] == b"1"
    assert "then/02/computer" not in record


def test_steps_of_a_machine_that_went_down() -> None:
    told = {
        "01": {"text": "run:x", "state": "running"},
        "02": {"text": "s3:s3://b", "result": ""},
        "03": {"text": "stop", "state": "running"},
    }
    now = steps_told(told, over=True, lost=False, alive=True, rebooted=False)
    assert [step.state for step in now] == [StepState.RUNNING, StepState.WAITING, StepState.RUNNING]
    later = steps_told(told, over=True, lost=False, alive=False, rebooted=True)
    assert [step.words for step in later] == [
        "run:x: failed (it was interrupted)",
        "s3:s3://b: not done (the machine went down before)",
        "stop: done",
    ]
    killed = steps_told(told, over=True, lost=False, alive=False, rebooted=False)
    assert killed[1].words.endswith("not done (what does it was killed)")
    lost = steps_told(told, over=True, lost=True, alive=False, rebooted=False)
    assert lost[0].words == "run:x: not done (the run was lost)"
