"""Which private key belongs to which key pair, and names that EC2 takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.instance import Instance, State
from cloudtui.model.key_pair import (
    AgentKey,
    KeyPair,
    LocalKey,
    file_name,
    match,
    name_problem,
    plain_fingerprint,
    sha256_fingerprint,
    users,
)

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOvBLW1IiPVLnaCpgH7+MhDm6gR5a7f0KEVP2N90tzJ+"
PRINTED = "SHA256:oNUnRvVYheLAgvaKKtkNq4U2IAPcEar57PjqR+YJH5E"


@given(st.binary(min_size=16, max_size=20))
def test_hex_fingerprints_are_one_however_they_are_written(digest: bytes) -> None:
    bare, colons = digest.hex(), digest.hex(":")
    assert plain_fingerprint(colons) == plain_fingerprint(f"MD5:{colons.upper()}") == bare
    assert plain_fingerprint(bare) == bare


def test_base64_fingerprints_are_one_with_and_without_padding() -> None:
    assert sha256_fingerprint(f"{PUBLIC} me@here") == PRINTED
    bare = PRINTED.removeprefix("SHA256:")
    assert plain_fingerprint(PRINTED) == plain_fingerprint(f"{bare}=") == bare
    assert plain_fingerprint("abcdef") == "abcdef" != plain_fingerprint("ABCDEF")
    assert sha256_fingerprint("ssh-rsa") == sha256_fingerprint("ssh-rsa ***") == ""


def test_a_public_key_decides_before_a_fingerprint() -> None:
    key = LocalKey(Path("lab.pem"), public_key=PUBLIC, fingerprints=frozenset({"aa"}))
    assert key.matches(KeyPair("lab", "r", public_key=f"{PUBLIC} a comment"))
    assert not key.matches(KeyPair("lab", "r", public_key="ssh-ed25519 AAAA", fingerprint="aa"))
    assert key.matches(KeyPair("lab", "r", fingerprint="aa"))
    unknown = LocalKey(Path("locked.pem"))
    assert not unknown.matches(KeyPair("lab", "r", public_key=PUBLIC))
    assert not unknown.matches(KeyPair("lab", "r"))


def _machine(name: str, state: State = State.RUNNING, **more: str) -> Instance:
    fields = {"region": "us-east-1", "key_name": "lab"} | more
    return Instance(f"i-{name}", state=state, name=name, **fields)  # type: ignore[arg-type]


def test_a_pair_with_its_keys_and_its_machines() -> None:
    pair = KeyPair("lab", "us-east-1", public_key=PUBLIC)
    other = KeyPair("other", "us-east-1", fingerprint="bb")
    copy = LocalKey(Path("/home/a/old-copy.pem"), public_key=PUBLIC)
    broken = LocalKey(Path("/home/a/x/lab.pem"), public_key=PUBLIC, problem="x")
    named = LocalKey(Path("/home/a/lab.pem"), public_key=PUBLIC)
    agent = AgentKey("ssh-ed25519", "me", PUBLIC)
    machines = [
        _machine("a"),
        _machine("stopped", State.STOPPED),
        _machine("gone", State.TERMINATED),
        _machine("far", region="eu-west-1"),
        _machine("theirs", profile="prod"),
        _machine("else", key_name="other"),
    ]
    row, second = match([other, pair], [copy, broken, named], [agent], machines)
    assert row.files == (named, broken, copy)
    assert row.agent == (agent,)
    assert [m.name for m in row.machines] == ["a", "stopped"]
    assert row.where == "/home/a/lab.pem"
    assert (second.files, second.agent, second.where) == ((), (), "")
    assert [m.name for m in second.machines] == ["else"]
    assert match([pair], [], [agent], [])[0].where == "agent"
    by_print = KeyPair("lab", "us-east-1", fingerprint=PRINTED)
    assert match([by_print], [], [agent], [])[0].agent == (agent,)
    assert users(KeyPair("none", "us-east-1"), machines) == ()


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "needs a name"), (" ", "needs a name"), ("schlüssel", "ASCII"), ("a\nb", "ASCII"),
     ("x" * 256, "255"), (" lab", "space")],
)  # fmt: skip
def test_names_that_ec2_does_not_take(name: str, words: str) -> None:
    assert words in name_problem(name)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_a_file_name_stays_in_its_folder(name: str) -> None:
    file = file_name(name)
    if file:
        assert Path("/keys", file).parent == Path("/keys")
        assert not file.startswith(("-", "."))
    if not name_problem(name) and not set("/") & set(name) and name[0] not in "-.":
        assert file == f"{name}.pem"
