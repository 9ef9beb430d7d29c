"""What `ssh -G` makes of a config, merged with what EC2 says."""

# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from cloudtui.model.errors import Refused, Timeout, UsageError
from cloudtui.model.remote import Route
from cloudtui.ssh.resolve import resolve


@pytest.fixture
def config(cut_off: Path) -> Path:
    return cut_off / ".ssh" / "config"


@pytest.fixture
def pem(cut_off: Path) -> Path:
    path = cut_off / "lab.pem"
    path.write_text("key")
    return path


@pytest.fixture
def from_ec2(pem: Path) -> Route:
    return Route(alias="bert-gpu", host="54.1.2.3", user="ubuntu", identity_files=(pem,))


async def test_without_a_config_the_fallback_fills_in(from_ec2: Route, cut_off: Path) -> None:
    route = await resolve("bert-gpu", from_ec2)
    assert (route.host, route.port, route.user) == ("54.1.2.3", 22, "ubuntu")
    assert route.identity_files == from_ec2.identity_files
    assert route.known_hosts[0] == cut_off / ".ssh" / "known_hosts"
    assert route.strict_host_keys == "ask"
    assert (route.connect_timeout, route.keepalive_interval) == (10, 5)
    assert route.keepalive_count_max == 3
    assert not route.jumps
    assert not route.proxy_command
    assert not route.host_key_alias


async def test_of_many_hosts_at_once_one_ssh_is_started_at_a_time(
    from_ec2: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, starting = asyncio.create_subprocess_exec, [0]

    async def one(*words: str, **more: Any) -> asyncio.subprocess.Process:
        starting.append(starting[-1] + 1)
        process = await start(*words, **more)
        starting.append(starting[-1] - 1)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", one)
    routes = await asyncio.gather(*(resolve(f"h{n}", from_ec2) for n in range(6)))
    assert [route.alias for route in routes] == [f"h{n}" for n in range(6)]
    assert max(starting) == 1


async def test_nothing_is_left_when_nobody_waits_any_more(
    from_ec2: Route, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for turns in range(12):
        asked = asyncio.create_task(resolve("bert-gpu", from_ec2))
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert not list(tmp_path.glob("cloudtui-ssh-*"))


async def test_the_config_comes_first(config: Path, from_ec2: Route, cut_off: Path) -> None:
    mine = cut_off / ".ssh" / "mine"
    mine.write_text("key")
    config.write_text(
        "Host bert-*\n  User alice # me\n  Port 2222\n  IdentityFile %d/.ssh/mine\n"
        "  ConnectTimeout 4\n  ServerAliveInterval 1m\n  ServerAliveCountMax 5\n"
        "  StrictHostKeyChecking accept-new\n  IdentitiesOnly yes\n  HostKeyAlias bert\n"
        f'  UserKnownHostsFile "{cut_off}/kh"\n'
    )
    config.write_text(config.read_text().replace("%d", str(cut_off)))
    route = await resolve("bert-gpu", from_ec2)
    assert (route.host, route.port, route.user) == ("54.1.2.3", 2222, "alice")
    assert route.identity_files == (mine, *from_ec2.identity_files)
    assert (route.connect_timeout, route.keepalive_interval) == (4, 60)
    assert route.keepalive_count_max == 5
    assert route.strict_host_keys == "accept-new"
    assert route.identities_only
    assert route.host_key_alias == "bert"
    assert route.known_hosts == (cut_off / "kh",)


@pytest.mark.parametrize(("word", "meaning"), [("yes", "yes"), ("no", "no"), ("off", "no")])
async def test_strictness(config: Path, from_ec2: Route, word: str, meaning: str) -> None:
    config.write_text(f"Host *\n  StrictHostKeyChecking {word}\n")
    assert (await resolve("bert-gpu", from_ec2)).strict_host_keys == meaning


async def test_key_files_are_expanded_and_must_exist(
    config: Path, from_ec2: Route, cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", str(cut_off / "keys"))
    folder = cut_off / "keys"
    folder.mkdir()
    for name in ("54.1.2.3-alice", "100%", "agent.pub", "tilde"):
        (folder / name).write_text("key")
    config.write_text(
        "Host bert-gpu\n  User alice\n"
        "  IdentityFile ~/keys/tilde\n"
        "  IdentityFile ${KEYS}/%h-%r\n"
        "  IdentityFile ${KEYS}/100%%\n"
        "  IdentityFile ${KEYS}/agent\n"
        "  IdentityFile ${KEYS}/missing\n"
        "  IdentityFile none\n"
    )
    route = await resolve("bert-gpu", from_ec2)
    names = [path.name for path in route.identity_files]
    assert names == ["tilde", "54.1.2.3-alice", "100%", "agent.pub", "lab.pem"]


async def test_a_percent_in_the_fallback_key(from_ec2: Route, cut_off: Path) -> None:
    odd = cut_off / "50%h key.pem"
    odd.write_text("key")
    route = await resolve("x", Route(alias="x", host="10.0.0.1", identity_files=(odd,)))
    assert route.identity_files == (odd,)


async def test_includes_are_read(config: Path, from_ec2: Route, cut_off: Path) -> None:
    more = cut_off / "more.d"
    more.mkdir()
    (more / "20.conf").write_text("Host bert-gpu\n  Port 20\n")
    (more / "10.conf").write_text("Host bert-gpu\n  Port 10\n")
    config.write_text(f"Include {more}/*.conf\n")
    assert (await resolve("bert-gpu", from_ec2)).port == 10


async def test_another_config_file(from_ec2: Route, tmp_path: Path) -> None:
    path = tmp_path / "a config"
    path.write_text("Host bert-gpu\n  HostName elsewhere.example\n")
    assert (await resolve("bert-gpu", from_ec2, path)).host == "elsewhere.example"


async def test_agent_sockets(
    config: Path, from_ec2: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_AGENT", "/run/mine")
    for word, meaning in (
        ("none", "none"),
        ("SSH_AUTH_SOCK", ""),
        ("$MY_AGENT", "/run/mine"),
        ("/run/another", "/run/another"),
    ):
        config.write_text(f"Host *\n  IdentityAgent {word}\n")
        assert (await resolve("bert-gpu", from_ec2)).identity_agent == meaning


async def test_jump_hosts_in_order(config: Path, from_ec2: Route) -> None:
    config.write_text(
        "Host bert-gpu\n  ProxyJump carol@b1:2201,b2\n"
        "Host b1\n  HostName bastion.example\n  User bob\n  ProxyJump b0\n"
        "Host b2\n  HostName inner.example\n  User dave\n  ProxyJump b0\n"
        "Host b0\n  HostName outer.example\n  ProxyJump none\n"
    )
    route = await resolve("bert-gpu", from_ec2)
    hops = [(hop.alias, hop.host, hop.port) for hop in route.jumps]
    assert hops == [
        ("b0", "outer.example", 22),
        ("b1", "bastion.example", 2201),
        ("b2", "inner.example", 22),
    ]
    assert [hop.user for hop in route.jumps[1:]] == ["carol", "dave"]
    assert route.host == "54.1.2.3"


async def test_a_jump_written_as_url(config: Path, from_ec2: Route) -> None:
    config.write_text("Host bert-gpu\n  ProxyJump ssh://eve@b1:2022\n")
    hop = (await resolve("bert-gpu", from_ec2)).jumps[0]
    assert (hop.user, hop.host, hop.port) == ("eve", "b1", 2022)


async def test_jumps_in_a_circle_are_refused(config: Path, from_ec2: Route) -> None:
    config.write_text("Host *\n  ProxyJump j1\n")
    with pytest.raises(Refused, match="circle: bert-gpu → j1 → j1"):
        await resolve("bert-gpu", from_ec2)


async def test_a_circle_of_two_is_refused(config: Path, from_ec2: Route) -> None:
    config.write_text("Host bert-gpu j2\n  ProxyJump j1\nHost j1\n  ProxyJump j2\n")
    with pytest.raises(Refused, match="circle: bert-gpu → j1 → j2 → j1"):
        await resolve("bert-gpu", from_ec2)


async def test_a_long_chain_is_refused(config: Path, from_ec2: Route) -> None:
    hosts = "".join(f"Host j{n}\n  ProxyJump j{n + 1}\n" for n in range(20))
    config.write_text(f"Host bert-gpu\n  ProxyJump j0\n{hosts}")
    with pytest.raises(Refused, match="more than 8"):
        await resolve("bert-gpu", from_ec2)


async def test_a_proxy_command_is_expanded(config: Path, from_ec2: Route) -> None:
    config.write_text("Host bert-gpu\n  ProxyCommand exec nc -x %n %h %p 100%%\n")
    assert (
        await resolve("bert-gpu", from_ec2)
    ).proxy_command == "exec nc -x bert-gpu 54.1.2.3 22 100%"


async def test_bad_words_in_the_config(config: Path, from_ec2: Route) -> None:
    config.write_text("Host *\n\n  Prot 22\n")
    with pytest.raises(UsageError) as caught:
        await resolve("bert-gpu", from_ec2)
    assert f"{config}: line 3: Bad configuration option: prot" in caught.value.detail
    assert caught.value.exit_code == 2


async def test_an_odd_name_is_no_option(from_ec2: Route) -> None:
    with pytest.raises(UsageError) as caught:
        await resolve("-oProxyCommand=touch pwned", from_ec2)
    assert "usage:" not in caught.value.detail


async def test_a_quote_in_a_path_is_refused(from_ec2: Route, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no ssh config can hold"):
        await resolve("bert-gpu", from_ec2, tmp_path / 'a"b')


async def test_without_ssh_the_fallback_is_used(
    from_ec2: Route, cut_off: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    route = await resolve("bert-gpu", from_ec2)
    assert (route.host, route.user) == ("54.1.2.3", "ubuntu")
    assert route.known_hosts == (cut_off / ".ssh" / "known_hosts",)


async def test_nothing_is_left_behind(
    from_ec2: Route, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    await resolve("bert-gpu", from_ec2)
    assert set(tmp_path.iterdir()) == before


async def test_a_slow_config_times_out(
    config: Path, from_ec2: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.ssh.resolve.SECONDS", 0.3)
    config.write_text('Match exec "sleep 3"\n  Port 1\n')
    start = time.perf_counter()
    with pytest.raises(Timeout, match="gave no answer"):
        await resolve("bert-gpu", from_ec2)
    assert time.perf_counter() - start < 2
