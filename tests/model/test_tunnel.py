"""What a tunnel is asked to be, read from the forms that ssh takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.errors import Ambiguous, NotFound, UsageError
from cloudtui.model.tunnel import (
    FLAGS,
    Direction,
    TunnelPhase,
    TunnelSpec,
    TunnelState,
    find_tunnels,
    parse_tunnel,
    port_label,
    usual_first,
)

L, R, D = Direction.LOCAL, Direction.REMOTE, Direction.DYNAMIC
PORTS = st.integers(1, 65_535)
HOSTS = st.one_of(
    st.sampled_from(["localhost", "10.0.0.7", "db.internal", "::1", "fe80::1"]),
    st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("8888", TunnelSpec(L, 8888, "localhost", 8888)),
        ("9000:8888", TunnelSpec(L, 9000, "localhost", 8888)),
        ("8888:localhost:8888", TunnelSpec(L, 8888, "localhost", 8888)),
        ("9000:db.internal:5432", TunnelSpec(L, 9000, "db.internal", 5432)),
        ("*:9000:localhost:80", TunnelSpec(L, 9000, "localhost", 80, "0.0.0.0")),
        ("[::1]:9000:[fe80::1]:80", TunnelSpec(L, 9000, "fe80::1", 80, "::1")),
        ("tensorboard", TunnelSpec(L, 6006, "localhost", 6006)),
        ("9000:Jupyter", TunnelSpec(L, 9000, "localhost", 8888)),
        ("vscode", TunnelSpec(L, 8080, "localhost", 8080)),
    ],
)
def test_the_forms_of_ssh(text: str, spec: TunnelSpec) -> None:
    assert parse_tunnel(text) == spec


def test_a_proxy_has_a_port_and_no_end() -> None:
    assert parse_tunnel("1080", D) == TunnelSpec(D, 1080, "")
    assert parse_tunnel("0.0.0.0:1080", D) == TunnelSpec(D, 1080, "", 0, "0.0.0.0")
    assert parse_tunnel("1080", D).name == "SOCKS"
    with pytest.raises(UsageError):
        parse_tunnel("1080:localhost:80", D)


@pytest.mark.parametrize(
    "text",
    ["", ":", "0", "65536", "99999999999", "8888:", ":8888", "a:b", "1:2:3:4:5", "[::1:80", "८",
     "-1", "80 ", "8888:local host:1", "9000:-oProxyCommand=x:80", "nosuchservice"],
)  # fmt: skip
def test_what_is_no_tunnel_is_said_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match="is not a tunnel") as caught:
        parse_tunnel(text)
    assert "9000:localhost:8888" in caught.value.hint


@given(st.sampled_from([L, R]), PORTS, HOSTS, PORTS, st.one_of(st.just(""), HOSTS))
def test_what_is_written_is_read_again(
    direction: Direction, listen: int, host: str, port: int, bind: str
) -> None:
    spec = TunnelSpec(direction, listen, host, port, bind)
    assert parse_tunnel(str(spec), direction) == spec


@given(st.text(max_size=30), st.sampled_from(list(Direction)))
def test_any_text_is_a_tunnel_or_refused(text: str, direction: Direction) -> None:
    try:
        spec = parse_tunnel(text, direction)
    except UsageError:
        return
    assert 0 < spec.listen_port < 65_536
    assert parse_tunnel(str(spec), direction) == spec


def test_only_loopback_is_not_exposed() -> None:
    assert not parse_tunnel("8888").exposed
    assert not parse_tunnel("127.0.0.2:1:h:2").exposed
    assert parse_tunnel("*:1:h:2").exposed
    assert parse_tunnel("10.0.0.1:1:h:2").exposed


def test_ports_are_named_and_offered_with_the_named_first() -> None:
    assert port_label(6006) == "6006 TensorBoard"
    assert port_label(1234) == "1234"
    assert usual_first([22, 9999, 8888, 22, 6006]) == [6006, 8888, 22, 9999]
    assert set(FLAGS) == set(Direction)


def test_a_tunnel_is_found_by_its_key_its_machine_or_the_port_it_listens_on() -> None:
    def state(
        here: int, there: int, machine: str, bind: str = "", way: Direction = L
    ) -> TunnelState:
        return TunnelState(
            f"i-{machine}", machine, here, there, TunnelPhase.UP, datetime.now(UTC), None,
            direction=way, bind=bind, machine=machine,
        )  # fmt: skip

    states = [
        state(8888, 8888, "a"), state(17777, 7, "a", bind="127.0.0.1"),
        state(15000, 9000, "b", way=R), state(15001, 8888, "b", way=R),
        state(5, 70, "c", bind="::1"), state(5, 71, "c", bind="127.0.0.1"),
    ]  # fmt: skip
    for text, keys in (
        ("8888", ["8888"]),
        ("17777", ["127.0.0.1:17777"]),
        ("9000", ["R9000@i-b"]),
        ("R9000@i-b", ["R9000@i-b"]),
        ("a", ["8888", "127.0.0.1:17777"]),
        ("i-b", ["R9000@i-b", "R8888@i-b"]),
    ):
        assert [t.key for t in find_tunnels(states, text)] == keys, text
    with pytest.raises(Ambiguous, match="2 tunnels answer to 5"):
        find_tunnels(states, "5")
    twin = TunnelState("i-other", "", 1, 1, TunnelPhase.UP, datetime.now(UTC), machine="a")
    with pytest.raises(Ambiguous, match="3 tunnels answer to a"):
        find_tunnels([*states, twin], "a")
    with pytest.raises(NotFound, match="No tunnel 70"):
        find_tunnels(states, "70")
