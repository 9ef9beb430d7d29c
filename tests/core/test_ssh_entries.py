"""Entries of the ssh config, put, removed and taken back; OpenSSH says what they do."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtui.core.ssh_entries import SshEntries
from cloudtui.model.errors import NotFound, Refused, Timeout, UsageError
from cloudtui.model.host_entry import ChangedOnDisk, ConfigChange, OthersAffected, Shadowed
from cloudtui.ssh import oracle
from tests.ssh_configs import (
    SAMPLES,
    Files,
    contents,
    option,
    others,
    random_edit,
    random_files,
    resolved,
    write,
)

ROOT = Path(__file__).parent.parent.parent


def _entries(home: Path, config: bytes | Files) -> SshEntries:
    return SshEntries(write(home, {"config": config} if isinstance(config, bytes) else config))


async def _save(entries: SshEntries, alias: str, **values: str | None) -> ConfigChange:
    change = await entries.put(alias, values)
    await entries.save(change)
    return change


def _says(entries: SshEntries, alias: str, keyword: str) -> list[str]:
    return option(resolved(entries.config_file, [alias])[alias], keyword)


@pytest.mark.parametrize("sample", SAMPLES)
async def test_a_nasty_config_is_changed_by_the_entry_alone(cut_off: Path, sample: str) -> None:
    """No-op, set and add; all the others resolve as before, by plain `ssh -G`."""
    files = SAMPLES[sample]
    entries = _entries(cut_off, files)
    main = entries.config_file
    before = resolved(main, [*others(files, "web"), "web"])
    for entry in await entries.entries():
        same = await entries.put(entry.alias, {name: entry.get(name) for name, _ in entry.values})
        assert same.empty, same.diff
        assert same.diff == ""

    await _save(entries, "web", HostName="203.0.113.7")
    after = resolved(main, before)
    assert option(after["web"], "hostname") == ["203.0.113.7"]
    assert {host for host in before if before[host] != after[host]} == {"web"}
    for name, data in contents(cut_off).items():
        lost, won = (Counter(x.split(b"\n")) for x in (files[name], data))
        assert all(b"10.0.0.1" in line for line in lost - won)
        assert sum((won - lost).values()) <= 3, "Host, HostName, a blank line"

    await _save(entries, "fresh", HostName="203.0.113.8", User="new user", HostKeyAlias="i-0abc")
    again = resolved(main, before)
    assert option(again["fresh"], "hostname") == ["203.0.113.8"]
    assert option(again["fresh"], "user") == ["new user"]
    assert {host for host in after if after[host] != again[host]} == {"fresh"}

    for change in (await entries.undo(),):
        await entries.save(change)
    await entries.save(await entries.undo())
    assert contents(cut_off) == dict(files)
    with pytest.raises(NotFound):
        await entries.undo()


TORTURE = b"""\
# my hand-written config -- keep this comment
Include config.d/*

Host bastion  # trailing comment
\tHostName = 54.1.2.3
\tUser ubuntu
    # indented note about the key
\tIdentityFile "~/.ssh/my key.pem"

Host gpu-* !gpu-old
  ProxyJump bastion
  LocalForward 8888 localhost:8888
  LocalForward 6006 localhost:6006

Match host *.amazonaws.com exec "test -f /tmp/vpn"
  User ec2-user

Host *
  ServerAliveInterval 30
"""


async def test_the_config_that_other_editors_break(cut_off: Path) -> None:
    entries = _entries(cut_off, TORTURE)
    hosts = ("gpu-1", "gpu-old", "x.amazonaws.com", "other")
    before = resolved(entries.config_file, hosts)
    await _save(entries, "bastion", HostName="203.0.113.7", IdentityFile="~/.ssh/your key.pem")
    await _save(entries, "gpu-2", HostName="203.0.113.8", HostKeyAlias="i-0abc")
    await _save(entries, "bastion", User=None)
    assert resolved(entries.config_file, hosts) == before
    assert contents(cut_off)["config"] == TORTURE.replace(b"54.1.2.3", b"203.0.113.7").replace(
        b"/my key", b"/your key"
    ).replace(b"\tUser ubuntu\n", b"")
    assert _says(entries, "gpu-2", "proxyjump") == ["bastion"]
    assert len(_says(entries, "gpu-2", "localforward")) == 2


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.randoms(use_true_random=False))
def test_no_other_host_is_changed_in_any_config(cut_off: Path, random: Random) -> None:
    """Any config, any edit: it is saved and does what it says, or the files are as they were."""
    files = random_files(random)
    alias, values = random_edit(random)
    entries = _entries(cut_off, files)
    hosts = others(files, alias)
    before = resolved(entries.config_file, hosts)
    if asyncio.run(_tried(entries, alias, values)):
        after = resolved(entries.config_file, [*hosts, alias])
        assert {host: after[host] for host in hosts} == before
        for keyword, value in (values or {}).items():
            if value is not None and keyword in ("HostName", "User", "Port", "HostKeyAlias"):
                assert option(after[alias], keyword)[0].lower() == value.lower()
    else:
        assert contents(cut_off) == dict(files)


async def _tried(entries: SshEntries, alias: str, values: Mapping[str, str | None] | None) -> bool:
    try:
        change = await (entries.remove(alias) if values is None else entries.put(alias, values))
        await entries.save(change)
    except (NotFound, Refused):
        return False
    return not change.empty


async def test_an_entry_is_added_read_changed_and_removed(cut_off: Path) -> None:
    entries = _entries(cut_off, b"Host *\n  User everyone\n  Port 2022\n")
    change = await entries.put("gpu", {"HostName": "10.0.0.1", "User": "ubuntu", "Port": "22"})
    assert change.title == "Host gpu: HostName 10.0.0.1, User ubuntu, Port 22"
    assert "+Include config.d/cloudtui.conf\n" in change.diff
    assert "+    HostName 10.0.0.1\n" in change.diff
    assert [file.path.name for file in change.files] == ["cloudtui.conf", "config"]
    assert contents(cut_off).keys() == {"config"}
    await entries.save(change)
    (entry,) = await entries.entries()
    assert (entry.alias, entry.ours, entry.get("user")) == ("gpu", True, "ubuntu")
    assert _says(entries, "gpu", "port") == ["22"]
    assert oct((cut_off / ".ssh/config.d").stat().st_mode)[-3:] == "700"
    assert oct(entries.own_file.stat().st_mode)[-3:] == "600"

    await _save(entries, "gpu", HostName="10.0.0.2", Port=None)
    assert _says(entries, "gpu", "hostname") == ["10.0.0.2"]
    assert _says(entries, "gpu", "port") == ["2022"]
    assert (await entries.put("gpu", {"HostName": "10.0.0.2"})).empty
    assert (await entries.settle("gpu", {"HostName": "10.0.0.2"})).empty

    await entries.save(await entries.remove("gpu"))
    assert await entries.entries() == ()
    assert _says(entries, "gpu", "user") == ["everyone"]
    with pytest.raises(NotFound, match="no entry 'gpu'"):
        await entries.remove("gpu")


async def test_without_any_config_one_is_made(cut_off: Path) -> None:
    (cut_off / ".ssh").rmdir()
    entries = SshEntries(cut_off / ".ssh" / "config")
    assert await entries.entries() == ()
    await _save(entries, "gpu", HostName="10.0.0.1")
    assert _says(entries, "gpu", "hostname") == ["10.0.0.1"]
    assert [oct(p.stat().st_mode)[-3:] for p in (cut_off / ".ssh", entries.config_file)] == [
        "700",
        "600",
    ]
    await entries.save(await entries.undo())
    assert contents(cut_off) == {}


async def test_a_config_elsewhere_has_its_own_file_beside_it(cut_off: Path) -> None:
    folder = cut_off / "a [b] c"
    folder.mkdir()
    (folder / "cfg").write_bytes(b"Host x\n")
    entries = SshEntries(folder / "cfg")
    await _save(entries, "gpu", HostName="10.0.0.1")
    assert _says(entries, "gpu", "hostname") == ["10.0.0.1"]
    assert contents(cut_off) == {}
    await _save(entries, "gpu", HostName="10.0.0.2")
    assert _says(entries, "gpu", "hostname") == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("config", "alias", "values", "line"),
    [
        (b"Host *\n  User me\nHost web\n  Port 1\n", "web", {"User": "w"}, "line 2 of MAIN"),
        (b"User me\nHost web\n  Port 1\n", "web", {"User": "w"}, "line 1 of MAIN"),
        (b"Include more\nHost web\n  Port 1\n", "web", {"Port": "2", "User": "w"},
         "line 3 of MORE"),
        (b"ProxyCommand nc %h %p\nHost web\n", "web", {"ProxyJump": "j"}, "line 1 of MAIN"),
        (b"User x\nMatch originalhost web\n  User m\nHost web\n", "web", {"User": "w"},
         "line 1 of MAIN"),
        (b"Match originalhost db\n  User d\nMatch originalhost web\n  User m\nHost web\n", "web",
         {"User": "w"}, "line 4 of MAIN"),
    ],
)  # fmt: skip
async def test_a_shadowed_value_is_not_saved_and_the_line_is_named(
    cut_off: Path, config: bytes, alias: str, values: dict[str, str | None], line: str
) -> None:
    files = {"config": config, "more": b"\nHost w*\n  User more\n"}
    entries = _entries(cut_off, files)
    change = await entries.put(alias, values)
    with pytest.raises(Shadowed) as caught:
        await entries.save(change)
    main = str(entries.config_file)
    where = line.replace("MAIN", main).replace("MORE", main.replace("config", "more"))
    assert f"is shadowed by {where}: nothing was saved." in caught.value.title
    assert contents(cut_off) == files


async def test_an_entry_that_ssh_does_not_come_to_now(cut_off: Path) -> None:
    files = {"config": b"Match exec false\n  Include more\n", "more": b"Host web\n  User a\n"}
    with pytest.raises(Shadowed) as caught:
        await _save(_entries(cut_off, files), "web", User="w")
    assert caught.value.title == "User w of web would have no effect: nothing was saved."
    assert "under a Match that does not hold" in caught.value.detail


async def test_another_host_that_would_change_is_named(cut_off: Path) -> None:
    """A name that ssh reads again as an address: `Match final` looks at HostName."""
    files = {
        "config": b"Host db\n  HostName 10.0.0.1\nHost 10.0.0.1\n  Port 2\nMatch final all\n"
        b"  ForwardAgent no\n"
    }
    entries = _entries(cut_off, files)
    with pytest.raises(OthersAffected) as caught:
        await _save(entries, "10.0.0.1", User="u")
    assert caught.value.title == "db would change too: nothing was saved."
    assert "→ user u" in caught.value.detail
    assert contents(cut_off) == files


async def test_old_entries_that_an_include_would_wake_are_not_woken(cut_off: Path) -> None:
    files = {"config": b"Host old\n  User o\n", "config.d/cloudtui.conf": b"Host old\n  User x\n"}
    entries = _entries(cut_off, files)
    with pytest.raises(OthersAffected, match="old would change too"):
        await _save(entries, "fresh", HostName="10.0.0.1")
    assert contents(cut_off) == files


async def test_a_config_that_ssh_refuses_is_told_in_its_own_words(cut_off: Path) -> None:
    files = {"config": b"Host web\n  User u\nHost db\n  Porto 22\n"}
    entries = _entries(cut_off, files)
    with pytest.raises(Refused) as caught:
        await _save(entries, "fresh", User="w")
    assert caught.value.title == "ssh refuses the config as it is: nothing was saved."
    assert f"{entries.config_file}: line 4: Bad configuration option: porto" in caught.value.detail
    assert contents(cut_off) == files


async def test_what_ssh_refuses_can_be_repaired(cut_off: Path) -> None:
    entries = _entries(cut_off, b"Host web\n  Port high\nHost db\n  User u\n")
    await _save(entries, "web", Port="22")
    assert _says(entries, "db", "user") == ["u"]


async def test_a_file_that_ssh_refuses_to_read_is_no_repair(cut_off: Path) -> None:
    entries = _entries(cut_off, b"Host web\n  Port 22\n")
    entries.config_file.chmod(0o666)
    with pytest.raises(Refused) as caught:
        await _save(entries, "web", Port="23")
    assert f"Bad owner or permissions on {entries.config_file}" in caught.value.detail


async def test_what_only_the_copy_would_repair_is_no_repair(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another owner: ssh refuses it, but not a copy of it. Only root can make one, so
    an ssh that refuses the real file stands in for it."""
    files = {"config": b"Host web\n  User u\n"}
    entries = _entries(cut_off, files)
    program = cut_off / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *before.conf*) echo "Bad owner on it" >&2; exit 255;; esac\n'
        f'exec {shutil.which("ssh")} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(Refused) as caught:
        await _save(entries, "web", User="w")
    assert caught.value.title == "ssh refuses the config as it is: nothing was saved."
    assert caught.value.detail == "Bad owner on it"
    assert contents(cut_off) == files


@pytest.mark.parametrize(
    ("values", "words"),
    [({"Port": "high"}, "Bad port 'high'."), ({"Foo": "bar"}, "Bad configuration option: foo")],
)
async def test_values_that_ssh_does_not_take(
    cut_off: Path, values: dict[str, str | None], words: str
) -> None:
    entries = _entries(cut_off, b"")
    with pytest.raises(UsageError) as caught:
        await entries.save(await entries.put("web", values))
    assert caught.value.title == "ssh does not take these values: nothing was saved."
    assert caught.value.detail.splitlines()[0] == words


@pytest.mark.parametrize(
    ("alias", "told"),
    [
        ("a b", "space"),
        ("gpu-*", "pattern"),
        ("a?", "pattern"),
        ("!a", "not this host"),
        ("-oProxyCommand=x", "option"),
        ("", "needs a name"),
        ("a\nHost *", "space"),
        ("a\x1b[2J", "cannot be seen"),
        ('a"b', "letters, digits"),
        ("a#b", "letters, digits"),
        ("u@h", "letters, digits"),
        ("$(x)", "letters, digits"),
    ],
)
async def test_names_that_no_entry_can_have(cut_off: Path, alias: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        await _entries(cut_off, b"").put(alias, {"HostName": "10.0.0.1"})


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("HostName", "a\nProxyCommand x"),
        ("HostName", "a\rb"),
        ("User", "a\0b"),
        ("User", "a\x1b"),
        ("User", ""),
        ("User", "  "),
        ("User", " a"),
        ("Host", "b"),
        ("match", "all"),
        ("Include", "x"),
        ("User=x\nHost", "b"),
        ("SetEnv", "A='b"),
    ],
)
async def test_values_that_no_line_can_hold(cut_off: Path, keyword: str, value: str) -> None:
    with pytest.raises(UsageError):
        await _entries(cut_off, b"Host web\n").put("web", {keyword: value})


async def test_circles_of_jump_hosts_are_found_before_ssh_walks_them(cut_off: Path) -> None:
    files = {"config": b"Host a\n  ProxyJump b\nHost b\n  ProxyJump c\nHost c\n  User c\n"}
    entries = _entries(cut_off, files)
    with pytest.raises(Refused, match="lead in a circle: c → a → b → c"):
        await _save(entries, "c", ProxyJump="a")
    with pytest.raises(Refused, match="lead in a circle: c → c"):
        await _save(entries, "c", ProxyJump="c")
    assert contents(cut_off) == files
    await _save(entries, "c", ProxyJump="none")


async def test_includes_in_a_circle(cut_off: Path) -> None:
    entries = _entries(cut_off, {"config": b"Host web\nInclude b\n", "b": b"Include config\n"})
    assert [entry.alias for entry in await entries.entries()] == ["web"]
    with pytest.raises(Refused) as caught:
        await entries.put("web", {"User": "u"})
    assert "Include leads in a circle" in caught.value.detail


async def test_without_ssh_nothing_is_saved(cut_off: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = _entries(cut_off, b"Host web\n")
    change = await entries.put("web", {"User": "u"})
    monkeypatch.setenv("PATH", str(cut_off))
    with pytest.raises(Refused, match="no ssh on PATH"):
        await entries.save(change)
    assert contents(cut_off) == {"config": b"Host web\n"}


async def test_a_plan_does_not_outlive_the_file_it_was_made_from(cut_off: Path) -> None:
    entries = _entries(cut_off, {"config": b"Include more/*\nHost web\n", "more/a": b""})
    change = await entries.put("web", {"User": "u"})
    (cut_off / ".ssh/more/b").write_bytes(b"Host x\n")
    with pytest.raises(ChangedOnDisk, match="more/b was changed by somebody else"):
        await entries.save(change)
    assert (await entries.settle("web", {"User": "u"})).diff.endswith("+    User u\n")
    change = await entries.put("web", {"User": "v"})
    with entries.config_file.open("ab") as file:
        file.write(b"Host db\n  User d\n")
    with pytest.raises(ChangedOnDisk, match="config was changed by somebody else"):
        await entries.save(change)


async def test_match_exec_is_run_only_for_who_is_asked(cut_off: Path) -> None:
    log = cut_off / "log"
    config = b'Match exec "echo %%n >> %s"\n  Port 2\n' % bytes(log)
    config += b"".join(b"Host h%d\n  User u\n" % i for i in range(40))
    entries = _entries(cut_off, config)
    await _save(entries, "h7", HostName="10.0.0.1")
    assert sorted(log.read_text().split()) == ["cloudtui-some-other-host"] * 2 + ["h7"]


async def test_a_match_exec_that_never_ends_is_told(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "SECONDS", 0.5)
    files = {"config": b'Match exec "sleep 1000"\n  Port 2\nHost web\n'}
    with pytest.raises(Timeout) as caught:
        await _save(_entries(cut_off, files), "web", User="u")
    assert "Match exec" in caught.value.hint
    assert contents(cut_off) == files


async def test_files_and_folders_that_cannot_be_written(cut_off: Path) -> None:
    """As a user whom modes bind: root loses the power to pass them by."""
    files = {"config": b"Host web\n  User u\nInclude locked\n", "locked": b"Host db\n"}
    entries = _entries(cut_off, files)
    folder = entries.config_file.parent
    told = {}
    for name, path, mode in (
        ("folder", folder, 0o500),
        ("file", folder / "locked", 0o000),
        ("main", folder / "config", 0o000),
        ("state", cut_off / ".local/state/cloudtui/ssh-config", 0o500),
    ):
        was = path.stat().st_mode
        path.chmod(mode)
        told[name] = _in_child(_ONE, str(entries.config_file))
        path.chmod(was)
    assert told["folder"]["title"] == "The ssh config cannot be written: nothing was saved."
    assert told["folder"]["detail"] == f"{folder}: Permission denied"
    assert told["folder"]["hint"] == f"See who may write there with: ls -ld {folder}"
    assert told["file"]["title"] == "The ssh config cannot be read as a whole."
    assert f"{folder / 'locked'} cannot be read: Permission denied." in told["file"]["detail"]
    assert "config cannot be read" in told["main"]["detail"]
    assert told["state"]["title"] == "The ssh config cannot be written: nothing was saved."
    assert contents(cut_off) == files


_ONE = """
import asyncio, json, sys
from pathlib import Path
from cloudtui.core.ssh_entries import SshEntries
from cloudtui.model.errors import CloudtuiError

async def main(entries):
    await entries.save(await entries.put("web", {"User": "w"}))

try:
    asyncio.run(main(SshEntries(Path(sys.argv[1]))))
    print("{}")
except CloudtuiError as error:
    print(json.dumps({"title": error.title, "detail": error.detail, "hint": error.hint}))
"""


def _in_child(script: str, *arguments: str) -> dict[str, str]:
    bound = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
    child = subprocess.run(
        [*(bound if os.geteuid() == 0 else []), sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    told: dict[str, str] = json.loads(child.stdout)
    return told


_MANY = """
import asyncio, sys
from pathlib import Path
from cloudtui.core.ssh_entries import SshEntries

async def main(entries, name):
    for i in range(int(sys.argv[3])):
        await entries.settle(f"{name}{i}", {"HostName": f"10.0.0.{i}"})
        await entries.settle("shared", {"User": f"{name}{i}"})

asyncio.run(main(SshEntries(Path(sys.argv[1])), sys.argv[2]))
"""


async def test_two_programs_that_save_at_once_lose_nothing(cut_off: Path) -> None:
    entries = _entries(cut_off, b"Host shared\n  User nobody\n")
    command = [sys.executable, "-c", _MANY, str(entries.config_file)]
    both = [
        await asyncio.create_subprocess_exec(*command, name, "6", stderr=subprocess.PIPE, cwd=ROOT)
        for name in ("left", "right")
    ]
    for child in both:
        assert (await child.communicate())[1] == b""
    found = {entry.alias: entry for entry in await entries.entries()}
    assert set(found) == {"shared"} | {f"{n}{i}" for n in ("left", "right") for i in range(6)}
    assert found["shared"].get("User") in ("left5", "right5")
