"""`cloudtui hosts` as a user runs it: moto's addresses, a real sshd, plain ssh afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import Result, cloudtui
from tests.network import Net
from tests.sshd import public_words


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


def rows() -> list[dict[str, object]]:
    told = cloudtui("hosts", "ls", "--json")
    assert told.returncode == 0, told.stderr
    found: list[dict[str, object]] = json.loads(told.stdout)["hosts"]
    return found


def own_file(net: Net) -> Path:
    return net.config.parent / "config.d/cloudtui.conf"


def test_add_then_stop_and_start_then_sync(known: Net) -> None:
    told = add(known)
    assert (told.returncode, told.stdout) == (0, "ssh bert-gpu\n"), told.stderr
    assert known.ssh("bert-gpu", "true") == (0, "")
    assert "as it should be" in add(known).stderr

    old, new = known.address(known.lab.gpu), known.new_address(known.lab.gpu)
    (row,) = rows()
    assert (row["alias"], row["instance"], row["hostname"]) == ("bert-gpu", known.lab.gpu, old)
    assert [d["kind"] for d in row["drift"]] == ["address changed"]  # type: ignore[attr-defined]
    listed = cloudtui("hosts")
    assert "address changed" in listed.stdout
    assert f"is at {new} now" in listed.stderr

    told = cloudtui("hosts", "diff")
    assert f"-    HostName {old}\n+    HostName {new}\n" in told.stdout
    (change,) = json.loads(cloudtui("hosts", "diff", "--json").stdout)["changes"]
    assert change["alias"] == "bert-gpu"
    assert cloudtui("hosts", "sync").returncode == 0
    assert known.ssh("bert-gpu", "true") == (0, "")
    assert cloudtui("hosts", "diff").stdout == ""


def test_a_start_from_the_command_line_heals_at_once(known: Net) -> None:
    assert add(known).returncode == 0
    known.lab.ec2.stop_instances(InstanceIds=[known.lab.gpu])
    told = cloudtui("start", "bert-gpu")
    assert told.returncode == 0, told.stderr
    known.settle()
    assert f"has the address {known.address(known.lab.gpu)} now" in told.stderr
    assert known.ssh("bert-gpu", "true") == (0, "")


def test_an_entry_of_the_users_own_is_shown_and_asked_about(known: Net) -> None:
    text = f"Host bert-gpu # mine\n\tHostName 203.0.113.9\n{known.config.read_text()}"
    known.config.write_text(text)
    told = add(known)
    assert told.returncode == 4
    assert "+\tHostName" in told.stderr
    assert "cloudtui hosts add bert-gpu --yes" in told.stderr
    assert known.config.read_text() == text
    told = add(known, "--yes")
    assert (told.returncode, told.stdout) == (0, "ssh bert-gpu\n"), told.stderr
    assert known.ssh("bert-gpu", "true") == (0, "")
    assert not own_file(known).exists()
    assert cloudtui("hosts", "undo").returncode == 4
    assert cloudtui("hosts", "undo", "--yes").returncode == 0
    assert known.config.read_text() == text


def test_a_terminated_instance_is_offered_for_removal(known: Net) -> None:
    assert add(known).returncode == 0
    known.lab.ec2.terminate_instances(InstanceIds=[known.lab.gpu])
    told = cloudtui("hosts", "sync")
    assert told.returncode == 4
    assert "is terminated. Remove the entry" in told.stderr
    assert "-Host bert-gpu" in told.stderr
    assert rows()
    assert cloudtui("hosts", "sync", "--yes").returncode == 0
    assert rows() == []
    assert "cloudtui hosts add" in cloudtui("hosts", "ls").stderr


def test_edit_and_rm(known: Net) -> None:
    assert add(known, "--alias", "b", "--no-connect").returncode == 0
    told = cloudtui("hosts", "edit", "b", "--jump", "ann@bastion:2022", "--set", "Compression=yes",
                    "--set", "User=", "--port", "2022", "--yes")  # fmt: skip
    assert told.returncode == 0, told.stderr
    said = known.config_of("b")
    assert ("proxyjump ann@bastion:2022" in said, "compression yes" in said) == (True, True)
    assert "port 2022" in said
    assert cloudtui("hosts", "edit", "b", "--port", "2022").returncode == 0
    assert cloudtui("hosts", "rm", "b").returncode == 4
    assert cloudtui("hosts", "rm", "b", "--yes").returncode == 0
    assert rows() == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["add", "nosuch"], 3, "nosuch"),
        (["add", "bert-gpu", "--key", "/nosuch.pem"], 3, "/nosuch.pem"),
        (["add", "bert-gpu", "--alias", "a b"], 2, "space"),
        (["add", "bert-gpu", "--port", "0"], 2, "1 to 65535"),
        (["add", "bert-gpu", "--read-only"], 4, "read-only"),
        (["edit", "nosuch", "--user", "x"], 3, "no entry 'nosuch'"),
        (["edit", "nosuch"], 2, "--user"),
        (["edit", "nosuch", "--set", "User"], 2, "KEYWORD=VALUE"),
        (["rm", "nosuch"], 3, "no entry 'nosuch'"),
        (["sync", "nosuch"], 3, "no entry 'nosuch'"),
        (["undo"], 3, ""),
    ],
)
def test_what_goes_wrong(net: Net, words: list[str], code: int, sentence: str) -> None:
    before = net.config.read_text()
    told = cloudtui("hosts", *words, "--yes")
    assert told.returncode == code, told.stderr
    assert sentence in told.stderr
    assert told.stdout == ""
    assert net.config.read_text() == before
    assert not own_file(net).exists()


def test_a_host_key_that_nobody_looked_at_is_not_taken(net: Net) -> None:
    told = add(net, "--yes")
    assert told.returncode == 4
    assert "not trusted" in told.stderr
    assert "The entry bert-gpu is there" in told.stderr
    assert net.known_hosts.exists() is False
