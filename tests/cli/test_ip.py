"""ip ls, allocate, associate, disassociate and release as typed, with a terminal and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.here import Here, here
from tests.cli.test_commands import cloudtui
from tests.core.test_addresses import allocated
from tests.core.test_lifecycle import Account
from tests.terminal import Terminal

__all__ = ["here"]


@pytest.fixture
def account(aws_env: str) -> Account:
    made = Account()
    made.launch("bert-gpu")
    return made


def public_ip(account: Account, name: str) -> str:
    found = account.ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])
    return str(found["Reservations"][0]["Instances"][0].get("PublicIpAddress", ""))


def test_an_address_from_first_to_last(account: Account, cut_off: Path, here: Here) -> None:
    code, told = here("ip")
    assert code == 0
    assert "No Elastic IP in us-east-1. Get one: cloudtui ip allocate" in told
    made = cloudtui("ip", "allocate", "old-notebook")
    assert made.returncode == 0
    ip = made.stdout.strip()
    assert "costs $0.005/h, $3.65 a month, used or not" in made.stderr
    _, told = here("ip", "ls")
    assert f"{ip}" in told
    assert "old-notebook  nothing  us-east-1  0.005  3.65" in told
    assert f"Give it back with: cloudtui ip release {ip}" in told

    # The entry of the ssh config follows.
    before = public_ip(account, "bert-gpu")
    machine = account.ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    config = cut_off / ".ssh/config.d/cloudtui.conf"
    config.parent.mkdir(mode=0o700)
    config.write_text(f"Host bert-gpu\n    HostName {before}\n    HostKeyAlias {machine}\n")
    (cut_off / ".ssh/config").write_text("Include config.d/cloudtui.conf\n")
    done = cloudtui("ip", "associate", "old-notebook", "bert-gpu", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["instance"] == machine
    assert public_ip(account, "bert-gpu") == ip
    assert f"loses its present public address {before}" in done.stderr
    assert f"HostName {ip}" in config.read_text()

    code, told = here("ip", "release", ip, "--yes")
    assert code == 4
    assert f"Cannot release old-notebook ({ip}): bert-gpu ({machine}) has it." in told
    (row,) = json.loads(here("ip", "ls", "--json")[1])["addresses"]
    assert set(row) == {
        "address",
        "name",
        "region",
        "profile",
        "id",
        "association",
        "instance",
        "interface",
        "holder",
        "hourly",
        "tags",
    }
    assert (row["holder"], row["hourly"]) == (f"bert-gpu ({machine})", 0.005)
    assert here("ip", "disassociate", ip, "--yes")[0] == 0
    _, told = here("ip", "release", ip, "--yes")
    assert f"old-notebook ({ip}) is released." in told
    assert account.ec2.describe_addresses()["Addresses"] == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["release", "spare", "--yes", "--read-only"], 4, "read-only"),
        (["allocate", "--read-only"], 4, "read-only"),
        (["associate", "nosuch", "bert-gpu", "--yes"], 3, "No Elastic IP is called 'nosuch'"),
        (["associate", "spare", "nosuch", "--yes"], 3, "No instance is called"),
        (["disassociate", "spare", "--yes"], 4, "nothing to disassociate"),
        (["allocate", "--region", "us-east-1", "--region", "eu-west-1"], 2, "one region"),
    ],
)
def test_what_is_not_done_says_why_and_changes_nothing(
    account: Account, words: list[str], status: int, said: str, here: Here
) -> None:
    ip = allocated(account, "spare")
    code, told = here("ip", *words)
    assert (code, said in told) == (status, True), told
    (left,) = account.ec2.describe_addresses()["Addresses"]
    assert left["PublicIp"] == ip
    assert not left.get("InstanceId")


def test_several_regions_are_one_list(account: Account, here: Here) -> None:
    near, far = allocated(account), allocated(account, region="eu-west-1")
    _, told = here("ip", "ls", "--region", "us-east-1", "--region", "eu-west-1", "--json")
    # What nothing uses is told after the document.
    rows = json.JSONDecoder().raw_decode(told)[0]["addresses"]
    assert {(row["address"], row["region"]) for row in rows} == {
        (near, "us-east-1"),
        (far, "eu-west-1"),
    }


@pytest.mark.parametrize(("typed", "status"), [("y", 0), ("", 4)])
def test_release_asks_and_the_answer_is_no_by_itself(
    account: Account, terminal: Terminal, typed: str, status: int
) -> None:
    ip = allocated(account, "spare")
    terminal.cloudtui("ip", "release", "spare")
    terminal.shows("Release 1 Elastic IP? [y/N]")
    terminal.shows(f"{ip} goes back to AWS")
    terminal.type(*filter(None, [typed]), "Enter")
    terminal.shows(f"left:{status}")
    assert len(account.ec2.describe_addresses()["Addresses"]) == (1 if status else 0)
