"""`cloudtui hosts` as a user runs it: moto's addresses, a real sshd, plain ssh afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.here import Here, here
from tests.cli.test_commands import Result, cloudtui
from tests.network import Net
from tests.sshd import public_words

__all__ = ["here"]


@pytest.fixture
def known(net: Net) -> Net:
    """The host key is on record by the address, so nothing has to be asked."""
    address = net.address(net.lab.gpu)
    net.known_hosts.write_text(f"{address} {public_words(net.lab.sshd.host_key)}\n")
    return net


def add(net: Net, *words: str) -> Result:
    sshd = net.lab.sshd
    key = ("--user", sshd.user, "--key", str(sshd.key))
    return cloudtui("hosts", "add", "bert-gpu", *key, *words)


def add_here(net: Net, here: Here, *words: str) -> tuple[int, str]:
    sshd = net.lab.sshd
    return here(
        "hosts", "add", "bert-gpu", "--user", sshd.user, "--key", str(sshd.key), "--yes", *words
    )


def rows(here: Here) -> list[dict[str, object]]:
    code, told = here("hosts", "ls", "--json")
    assert code == 0, told
    found: list[dict[str, object]] = json.loads(told)["hosts"]
    return found


def own_file(net: Net) -> Path:
    return net.config.parent / "config.d/cloudtui.conf"


def test_add_then_stop_and_start_then_sync(known: Net, here: Here) -> None:
    told = add(known)
    assert (told.returncode, told.stdout) == (0, "ssh bert-gpu\n"), told.stderr
    assert known.ssh("bert-gpu", "true") == (0, "")

    old, new = known.address(known.lab.gpu), known.new_address(known.lab.gpu)
    (row,) = rows(here)
    assert (row["alias"], row["instance"], row["hostname"]) == ("bert-gpu", known.lab.gpu, old)
    assert [d["kind"] for d in row["drift"]] == ["address changed"]  # type: ignore[attr-defined]
    listed = here("hosts")[1]
    assert "! address changed" in listed or " address changed " in listed
    assert f"is at {new} now" in listed

    assert f"-    HostName {old}\n+    HostName {new}\n" in here("hosts", "diff")[1]
    (change,) = json.loads(here("hosts", "diff", "--json")[1])["changes"]
    assert change["alias"] == "bert-gpu"
    assert here("hosts", "sync")[0] == 0
    assert known.ssh("bert-gpu", "true") == (0, "")
    assert "Every entry has the address" in here("hosts", "diff")[1]
    assert "as it should be" in add(known).stderr


def test_sync_is_one_save_that_one_undo_takes_back(known: Net, here: Here) -> None:
    known.lab.launch("box")
    known.settle()
    for name in ("bert-gpu", "box"):
        code, told = here("hosts", "add", name, "--user", "u", "--no-connect", "--yes")
        assert code == 0, told
    written = own_file(known).read_text()
    for row in rows(here):
        known.new_address(str(row["instance"]))
    assert here("hosts", "sync")[0] == 0
    assert all(row["drift"] == [] for row in rows(here))
    assert here("hosts", "undo", "--yes")[0] == 0
    assert own_file(known).read_text() == written


def test_a_start_from_the_command_line_heals_at_once(known: Net, here: Here) -> None:
    assert add_here(known, here)[0] == 0
    known.lab.ec2.stop_instances(InstanceIds=[known.lab.gpu])
    code, told = here("start", "bert-gpu")
    assert code == 0, told
    known.settle()
    assert f"has the address {known.address(known.lab.gpu)} now" in told
    assert known.ssh("bert-gpu", "true") == (0, "")


def test_an_entry_of_the_users_own_is_shown_and_asked_about(known: Net, here: Here) -> None:
    text = f"Host bert-gpu # mine\n\tHostName 203.0.113.9\n{known.config.read_text()}"
    known.config.write_text(text)
    told = add(known)
    assert told.returncode == 4
    assert "+\tHostName" in told.stderr
    assert "cloudtui hosts add bert-gpu --yes" in told.stderr
    assert known.config.read_text() == text
    code, said = add_here(known, here)
    assert code == 0, said
    assert known.ssh("bert-gpu", "true") == (0, "")
    assert not own_file(known).exists()
    assert here("hosts", "undo", "--yes")[0] == 0
    assert known.config.read_text() == text


def test_a_terminated_instance_is_offered_for_removal(known: Net, here: Here) -> None:
    assert add_here(known, here)[0] == 0
    known.lab.ec2.terminate_instances(InstanceIds=[known.lab.gpu])
    told = cloudtui("hosts", "sync")
    assert told.returncode == 4
    assert "is terminated. Remove the entry" in told.stderr
    assert "-Host bert-gpu" in told.stderr
    assert rows(here)
    assert here("hosts", "sync", "--yes")[0] == 0
    assert rows(here) == []
    assert "cloudtui hosts add" in here("hosts", "ls")[1]
    assert json.loads(here("hosts", "--json")[1])["hosts"] == []


def test_edit_and_rm(known: Net, here: Here) -> None:
    assert add_here(known, here, "--alias", "b", "--no-connect")[0] == 0
    code, told = here("hosts", "edit", "b", "--jump", "ann@bastion:2022", "--set",
                      "Compression=yes", "--set", "User=", "--port", "2022", "--yes")  # fmt: skip
    assert code == 0, told
    said = known.config_of("b")
    assert ("proxyjump ann@bastion:2022" in said, "compression yes" in said) == (True, True)
    assert "port 2022" in said
    assert "says so already" in here("hosts", "edit", "b", "--port", "2022")[1]
    code, told = here("hosts", "edit", "b", "--set", "Bogus=1")
    assert code == 2, "what ssh does not take is not asked about first"
    assert "option: bogus" in told.partition("ssh does not take these values")[2]
    assert "Bogus" not in told, "nor is the change shown"
    assert cloudtui("hosts", "rm", "b").returncode == 4
    assert here("hosts", "rm", "b", "--yes")[0] == 0
    assert rows(here) == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["add", "nosuch"], 3, "nosuch"),
        (["add", "bert-gpu", "--key", "/nosuch.pem"], 3, "/nosuch.pem"),
        (["add", "bert-gpu", "--alias", "a b"], 2, "space"),
        (["add", "bert-gpu", "--read-only"], 4, "read-only"),
        (["edit", "nosuch", "--user", "x"], 3, "no entry 'nosuch'"),
        (["edit", "nosuch"], 2, "--user"),
        (["edit", "nosuch", "--set", "User"], 2, "KEYWORD=VALUE"),
        (["rm", "nosuch"], 3, "no entry 'nosuch'"),
        (["sync", "nosuch"], 3, "no entry 'nosuch'"),
        (["undo"], 3, ""),
    ],
)
def test_what_goes_wrong(net: Net, here: Here, words: list[str], code: int, sentence: str) -> None:
    before = net.config.read_text()
    ended, told = here("hosts", *words, "--yes")
    assert ended == code, told
    assert sentence in told
    assert net.config.read_text() == before
    assert not own_file(net).exists()


def test_a_host_key_that_nobody_looked_at_is_not_taken(net: Net) -> None:
    told = add(net, "--yes")
    assert told.returncode == 4
    assert "not trusted" in told.stderr
    assert "The entry bert-gpu is there" in told.stderr
    assert net.known_hosts.exists() is False
