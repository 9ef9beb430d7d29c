"""start, stop, reboot, terminate as typed, with a terminal and without."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cli.test_commands import cloudtui
from tests.core.test_lifecycle import Account
from tests.lab import Lab
from tests.moto_child import StubEndpoint
from tests.terminal import Terminal


@pytest.fixture
def account(aws_env: str) -> Account:
    made = Account()
    made.launch("bert-gpu")
    return made


def state_of(account: Account, name: str) -> str:
    found = account.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])
    return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])


def test_stop_prints_its_plan_and_what_became_of_it(account: Account) -> None:
    told = cloudtui("stop", "bert-gpu", "--yes")
    assert told.returncode == 0
    assert "will be stopped; it is running." in told.stderr
    assert told.stdout.startswith("bert-gpu (i-")
    assert " is stopped after " in told.stdout
    assert state_of(account, "bert-gpu") == "stopped"
    assert cloudtui("stop", "bert-gpu").returncode == 0  # as wanted already: nothing to ask
    assert cloudtui("start", "bert-gpu").returncode == 0
    assert state_of(account, "bert-gpu") == "running"


def test_several_names_and_one_document(account: Account) -> None:
    account.protect(account.launch("etl-box"))
    told = cloudtui("terminate", "bert-gpu", "etl-box", "--yes", "--json")
    assert told.returncode == 4
    document = json.loads(told.stdout)
    assert (document["verb"], document["dry_run"]) == ("terminate", False)
    by_name = {m["name"]: m for m in document["machines"]}
    assert set(by_name["bert-gpu"]) == {"id", "name", "region", "from", "to", "address", "error"}
    assert (by_name["bert-gpu"]["from"], by_name["bert-gpu"]["to"]) == ("running", "terminated")
    assert "termination protection" in by_name["etl-box"]["error"]["title"]
    assert "--no-disable-api-termination" in told.stderr
    assert state_of(account, "etl-box") == "running"


def test_a_dry_run_says_what_aws_would_and_changes_nothing(account: Account) -> None:
    told = cloudtui("stop", "bert-gpu", "--dry-run")
    assert told.returncode == 0
    assert "AWS would allow it: stop bert-gpu" in told.stdout
    assert state_of(account, "bert-gpu") == "running"
    document = json.loads(cloudtui("reboot", "bert-gpu", "--dry-run", "--json").stdout)
    assert document["dry_run"] is True
    assert document["machines"][0]["to"] is None


def test_the_plan_names_the_sessions_that_end(lab: Lab) -> None:
    cloudtui("ssh", "bert-gpu", "--", "tmux -u new-session -d -s bert cat")
    for verb in ("stop", "reboot"):
        told = cloudtui(verb, "bert-gpu", "--dry-run")
        assert "The session bert on it ends, with what runs in it." in told.stdout
        assert "open connection" not in told.stdout


def test_sessions_that_cannot_be_looked_at_without_a_question_are_told(lab: Lab) -> None:
    lab.name_in_config("bert-gpu", known=False)
    told = cloudtui("stop", "bert-gpu", "--dry-run")
    assert told.returncode == 0
    assert "Its tmux and screen sessions were not looked at: " in told.stdout
    assert "First contact" not in told.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stop", "bert-gpu"], "cloudtui stop bert-gpu --yes"),
        (["terminate", "bert-gpu"], "no terminal"),
        (["terminate", "bert", "--yes"], "named in full"),
        (["start", "bert-gpu", "--read-only"], "read-only"),
        (["stop", "bert-gpu", "--yes", "--hibernate"], "cannot hibernate"),
    ],
)
def test_what_is_refused_exits_with_4_and_changes_nothing(
    account: Account, words: list[str], said: str
) -> None:
    told = cloudtui(*words)
    assert told.returncode == 4
    assert said in told.stderr
    assert state_of(account, "bert-gpu") == "running"


def test_starting_by_a_beginning_of_a_name_asks(account: Account) -> None:
    cloudtui("stop", "bert-gpu", "--yes")
    assert cloudtui("start", "bert").returncode == 4
    assert cloudtui("start", "bert", "--yes").returncode == 0


def test_no_wait_returns_at_once(account: Account) -> None:
    told = cloudtui("stop", "bert-gpu", "--yes", "--no-wait", "--json")
    assert told.returncode == 0
    (machine,) = json.loads(told.stdout)["machines"]
    assert (machine["from"], machine["to"], machine["error"]) == ("running", None, None)
    assert "Followed" not in told.stderr
    assert "EC2 was asked to stop bert-gpu" in told.stderr
    assert "It is not followed; look with: cloudtui ls" in told.stderr


def test_no_such_machine_is_3_and_no_credentials_6(
    account: Account, stub_endpoint: StubEndpoint
) -> None:
    stub_endpoint.answer_error(400, "RequestExpired", "Request has expired.")
    assert cloudtui("stop", "bert-gpu", "--yes").returncode == 6


def test_a_name_nobody_has(account: Account) -> None:
    assert cloudtui("stop", "bert-gpu", "nosuch", "--yes").returncode == 3
    assert state_of(account, "bert-gpu") == "running"


@pytest.mark.parametrize(("typed", "status"), [("bert-gpu", 0), ("bert", 4), ("yes", 4)])
def test_terminate_wants_the_name_typed(
    account: Account, terminal: Terminal, typed: str, status: int
) -> None:
    terminal.cloudtui("terminate", "bert-gpu")
    terminal.shows("Type bert-gpu or its id to do it:")
    terminal.type(typed, "Enter")
    terminal.shows(f"left:{status}")
    assert state_of(account, "bert-gpu") == ("terminated" if status == 0 else "running")


@pytest.mark.parametrize(("typed", "status"), [("y", 0), ("", 4), ("n", 4)])
def test_stop_asks_and_the_answer_is_no_by_itself(
    account: Account, terminal: Terminal, typed: str, status: int
) -> None:
    terminal.cloudtui("stop", "bert-gpu")
    terminal.shows("[y/N]")
    terminal.type(typed, "Enter")
    terminal.shows(f"left:{status}")
    assert state_of(account, "bert-gpu") == ("stopped" if status == 0 else "running")


def test_ctrl_c_at_the_question_ends_its_line(account: Account, terminal: Terminal) -> None:
    inside = f"{sys.executable} -m cloudtui stop bert-gpu"
    terminal.run(f"trap : INT; {inside}")
    terminal.shows("[y/N]")
    terminal.type("C-c")
    assert "left:130" in terminal.shows("left:130").splitlines()
    assert state_of(account, "bert-gpu") == "running"


def test_ctrl_c_leaves_it_going_and_says_so(terminal: Terminal) -> None:
    inside = f"{sys.executable} -m cloudtui stop bert-gpu --yes"
    terminal.run(f"trap : INT; {sys.executable} -m cloudtui demo -- sh -c 'trap : INT; {inside}'")
    terminal.shows("EC2 was asked to stop bert-gpu")
    terminal.type("C-c")
    screen = terminal.shows("left:130")
    assert "no longer follows bert-gpu" in screen
    assert "cloudtui ls" in screen
