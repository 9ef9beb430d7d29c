"""An instance is known by its id, whatever its address is, to OpenSSH as well."""

# ruff: noqa: ASYNC221, ASYNC240

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cloudtui.demo import relay
from cloudtui.model.errors import HostKeyChanged
from cloudtui.model.remote import Route
from cloudtui.ssh.carried_keys import carry
from cloudtui.ssh.connect import connect
from tests.ssh.conftest import Answers
from tests.sshd import Sshd, make_key, public_words

MACHINE, OTHER = "i-0abc0000000000001", "i-0abc0000000000002"


@pytest.fixture
def known(tmp_path: Path) -> Path:
    file = tmp_path / "known_hosts"
    file.touch(0o600)
    return file


@pytest.fixture
def route(sshd: Sshd, known: Path) -> Route:
    return sshd.route(known_hosts=(known,), machine=MACHINE)


async def visits(route: Route, prompts: Answers) -> None:
    await (await connect(route, prompts)).close()


def write(file: Path, *lines: tuple[str, Path]) -> None:
    file.write_text("".join(f"{names} {public_words(key)}\n" for names, key in lines))


async def test_a_new_address_is_no_new_host(
    sshd: Sshd, route: Route, known: Path, prompts: Answers
) -> None:
    await visits(replace(route, host="localhost"), prompts)
    assert known.read_text() == f"{MACHINE} {public_words(sshd.host_key)}\n"
    await visits(route, prompts)
    assert len(prompts.keys) == 1


async def test_openssh_knows_it_by_its_id(
    sshd: Sshd, route: Route, known: Path, prompts: Answers
) -> None:
    await visits(route, prompts)
    options = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "BatchMode=yes",
               f"HostKeyAlias={MACHINE}")  # fmt: skip
    words = [w for option in options for w in ("-o", option)]
    done = subprocess.run(
        ["ssh", "-F", "none", *words, "-i", sshd.key, "-p", str(sshd.port), sshd.host, "true"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("entry", [False, True])
async def test_a_key_known_by_the_address_counts_and_is_learned_for_the_next_one(
    sshd: Sshd, route: Route, known: Path, prompts: Answers, entry: bool
) -> None:
    sshd.known_hosts(known)
    if entry:
        route = replace(route, host_key_alias=MACHINE, alias="bert")
    await visits(route, prompts)
    await visits(replace(route, host="localhost"), prompts)
    assert not prompts.keys
    assert known.read_text().splitlines()[1:] == [f"{MACHINE} {public_words(sshd.host_key)}"]


async def test_a_key_known_by_the_alias_counts(
    sshd: Sshd, route: Route, known: Path, prompts: Answers
) -> None:
    write(known, ("bert", sshd.host_key))
    await visits(replace(route, alias="bert"), prompts)
    assert not prompts.keys


async def test_an_address_that_was_another_instances_is_no_alarm(
    sshd: Sshd, route: Route, known: Path, prompts: Answers, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other")
    write(known, (OTHER, other), (f"[{sshd.host}]:{sshd.port}", other))
    await visits(route, prompts)
    assert len(prompts.keys) == 1
    assert known.read_text().splitlines()[2:] == [f"{MACHINE} {public_words(sshd.host_key)}"]


async def test_another_key_at_the_address_is_an_alarm_when_nobody_else_has_it(
    sshd: Sshd, route: Route, known: Path, prompts: Answers, tmp_path: Path
) -> None:
    write(known, (f"[{sshd.host}]:{sshd.port}", make_key(tmp_path / "other")))
    with pytest.raises(HostKeyChanged) as caught:
        await connect(route, prompts)
    assert f"-R '[{sshd.host}]:{sshd.port}'" in caught.value.hint
    assert not prompts.keys


async def test_another_key_of_the_same_instance_is_an_alarm_wherever_it_is(
    sshd: Sshd, route: Route, known: Path, prompts: Answers, tmp_path: Path
) -> None:
    write(
        known, (MACHINE, make_key(tmp_path / "mine")), (f"[{sshd.host}]:{sshd.port}", sshd.host_key)
    )
    with pytest.raises(HostKeyChanged) as caught:
        await connect(route, prompts)
    assert f"-R '{MACHINE}'" in caught.value.hint


async def test_an_entry_without_an_alias_is_served_as_well(
    sshd: Sshd, route: Route, known: Path, prompts: Answers
) -> None:
    await visits(replace(route, config_line="config line 1"), prompts)
    names = known.read_text().split()[0]
    assert names == f"{MACHINE},[{sshd.host}]:{sshd.port}"


async def test_a_file_that_takes_no_more_keeps_nobody_out(
    sshd: Sshd, route: Route, known: Path, prompts: Answers
) -> None:
    sshd.known_hosts(known)
    folder = known.parent / "folder"
    folder.mkdir()
    await visits(replace(route, known_hosts=(folder, known)), prompts)
    assert not prompts.keys


OLD = "198.51.100.7"


def on_record(known: Path) -> bool:
    return any(MACHINE in line.split()[0].split(",") for line in known.read_text().splitlines())


async def test_the_key_of_an_old_address_comes_along_once(
    sshd: Sshd, route: Route, known: Path
) -> None:
    assert not await carry(route, [OLD])
    write(known, (f"[{OLD}]:{sshd.port}", sshd.host_key))
    assert await carry(route, [OLD])
    assert on_record(known)
    assert not await carry(route, [OLD])
    assert len(known.read_text().splitlines()) == 2


async def test_a_key_that_the_machine_does_not_show_stays_where_it_is(
    sshd: Sshd, route: Route, known: Path, tmp_path: Path
) -> None:
    write(known, (f"[{OLD}]:{sshd.port}", make_key(tmp_path / "other")))
    assert not await carry(route, [OLD])
    write(known, (f"[{OLD}]:{sshd.port}", make_key(tmp_path / "rsa", "rsa")))
    assert not await carry(route, [OLD])
    write(known, (f"{OTHER},[{OLD}]:{sshd.port}", sshd.host_key))
    assert not await carry(route, [OLD])
    write(known, (f"[{OLD}]:{sshd.port}", sshd.host_key))
    assert not await carry(replace(route, host="127.0.0.9"), [OLD])
    assert not on_record(known)


async def test_through_a_proxy_the_key_comes_along_too(
    sshd: Sshd, route: Route, known: Path
) -> None:
    write(known, (OLD, sshd.host_key))
    command = f"exec {sys.executable} {relay.__file__} {sshd.port}"
    way = replace(route, host="203.0.113.9", port=22, proxy_command=command)
    assert await carry(way, [OLD])
    assert on_record(known)
