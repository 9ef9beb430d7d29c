"""hosts rules, open, close and groups as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudtui.files import paths
from cloudtui.model.security_group import mark
from tests.cli.here import Here, here
from tests.cli.test_commands import cloudtui
from tests.core.test_security_groups import LONG_AGO, ME, Fenced
from tests.moto_child import StubEndpoint
from tests.terminal import Terminal

__all__ = ["here"]


@pytest.fixture
def account(aws_env: str) -> Fenced:
    return Fenced()


@pytest.fixture(autouse=True)
def my_page(cut_off: Path) -> object:
    """A page that says 203.0.113.7, named in the settings."""
    stub = StubEndpoint()
    stub.answer(200, "203.0.113.7\n", "text/plain")
    file = paths.settings_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"address_urls: [{stub.url}]\n")
    yield stub
    stub.close()


def test_rules_are_sentences_and_one_document(account: Fenced) -> None:
    group = account.group("nlp", (22, "0.0.0.0/0", ""), (22, "203.0.113.7/32", mark(ME, LONG_AGO)))
    account.put("bert-gpu", group)
    told = cloudtui("hosts", "rules", "bert-gpu")
    assert told.returncode == 0
    assert f"nlp ({group})" in told.stdout
    assert "! in  SSH (tcp 22) from anywhere (0.0.0.0/0)" in told.stdout
    host = ME.partition("@")[2]
    assert f"SSH (tcp 22) from 203.0.113.7/32 — me, {host}, added 12 days ago" in told.stdout
    assert "SSH from your address 203.0.113.7: open, by nlp" in told.stderr
    assert "cloudtui hosts close bert-gpu --from 0.0.0.0/0 --port 22" in told.stderr
    document = json.loads(cloudtui("hosts", "rules", "bert-gpu", "--json").stdout)
    assert document["addresses"] == ["203.0.113.7"]
    (found,) = document["groups"]
    assert [(r["source"], r["mine"], r["world"]) for r in found["rules"]] == [
        ("0.0.0.0/0", False, True),
        ("203.0.113.7/32", True, False),
        ("0.0.0.0/0", False, True),
    ]
    assert found["rules"][2]["direction"] == "out"


def test_open_and_close(account: Fenced, here: Here) -> None:
    group = account.group("nlp", (22, "198.51.100.9/32", mark(ME, LONG_AGO)))
    account.put("bert-gpu", group)
    told = cloudtui("hosts", "open", "bert-gpu", "--yes", "--json")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert [rule["source"] for rule in document["added"]] == ["203.0.113.7/32"]
    assert [rule["source"] for rule in document["removed"]] == ["198.51.100.9/32"]
    assert f"in group nlp ({group})" in told.stderr
    code, said = here("hosts", "open", "bert-gpu")  # it is open: nothing to ask
    assert code == 0
    assert "Open already: SSH (tcp 22) from 203.0.113.7/32" in said
    _, said = here("hosts", "open", "bert-gpu", "--port", "80", "--from", "0.0.0.0/0", "--yes")
    assert "Anyone on the internet" in said
    assert here("hosts", "close", "bert-gpu", "--yes")[0] == 0
    assert account.sources(group) == set()
    assert here("hosts", "close", "bert-gpu", "--yes")[0] == 3


def test_the_groups_of_a_machine(account: Fenced, here: Here) -> None:
    one, two = account.group("one"), account.group("two")
    account.put("bert-gpu", one)
    code, told = here("hosts", "groups", "bert-gpu")
    assert code == 0
    assert f"*  one      {one}" in told
    code, told = here("hosts", "groups", "bert-gpu", "--add", "two", "--remove", "one", "--yes")
    assert code == 0
    assert told.startswith(f"two ({two})\n")
    document = json.loads(here("hosts", "groups", "bert-gpu", "--json")[1])
    known = {g["name"] for part in ("groups", "others") for g in document[part]}
    assert known >= {"one", "two", "default"}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["open", "bert-gpu", "--yes", "--read-only"], 4, "read-only"),
        (["open", "bert-gpu", "--port", "ssh", "--yes"], 2, "'ssh' is no port"),
        (["open", "bert-gpu", "--from", "me", "--yes"], 2, "no address and no network"),
        (["open", "bert-gpu", "--group", "web", "--yes"], 2, "has no security group 'web'"),
        (["close", "bert-gpu", "--yes"], 3, f"No rule that cloudtui made for {ME}"),
        (["close", "bert-gpu", "--from", "1.2.3.4", "--yes"], 3, "No rule from 1.2.3.4/32"),
        (["groups", "bert-gpu", "--remove", "nlp", "--yes"], 2, "at least one security group"),
        (["groups", "bert-gpu", "--add", "nosuch", "--yes"], 2, "no 'nosuch'"),
        (["groups", "bert-gpu", "--remove", "nosuch"], 2, "has no security group 'nosuch'"),
        (["groups", "bert-gpu", "--set", "nlp", "--add", "x"], 2, "does not go with"),
        (["rules", "nosuch"], 3, "No instance is called"),
    ],
)
def test_what_is_not_done_says_why_and_changes_nothing(
    account: Fenced, words: list[str], status: int, said: str, here: Here
) -> None:
    group = account.group("nlp", (22, "198.51.100.8/32", "office"))
    account.put("bert-gpu", group)
    code, told = here("hosts", *words)
    assert (code, said in told) == (status, True), told
    assert account.sources(group) == {"198.51.100.8/32"}


def test_an_unknown_address_stops_only_what_needs_it(
    account: Fenced, my_page: StubEndpoint, here: Here
) -> None:
    my_page.answer(200, "<html>hotel</html>")
    account.put("bert-gpu", account.group("nlp", (22, "0.0.0.0/0", "")))
    code, told = here("hosts", "open", "bert-gpu", "--yes")
    assert code == 5
    assert "what 127.0.0.1" in told
    assert "answered is no address" in told
    assert here("hosts", "rules", "bert-gpu")[0] == 0
    assert here("hosts", "open", "bert-gpu", "--from", "203.0.113.9", "--yes")[0] == 0


@pytest.mark.parametrize(("typed", "status"), [("yes", 0), ("", 4)])
def test_open_asks_and_the_answer_is_no_by_itself(
    account: Fenced, terminal: Terminal, typed: str, status: int
) -> None:
    group = account.group("nlp")
    account.put("bert-gpu", group)
    terminal.cloudtui("hosts", "open", "bert-gpu")
    terminal.shows("Do it? [y/N]")
    terminal.type(*filter(None, [typed]), "Enter")
    terminal.shows(f"left:{status}")
    assert account.sources(group) == (set() if status else {"203.0.113.7/32"})
