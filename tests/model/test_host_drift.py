from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.host_drift import (
    HEAL_HOSTS,
    HostRow,
    Kind,
    World,
    address_for,
    alias_for,
    alias_problem,
    heals_by_itself,
    is_address,
    legal_alias,
    owner,
    row_of,
    survey,
    wanted_values,
)
from cloudtui.model.host_entry import HostEntry, why_not_alias
from cloudtui.model.instance import Instance, State

ID, OTHER = "i-0f3c00000000a1b2", "i-08d10000000077c0"
HOME = ("123456789012", "us-east-1")


def machine(id: str = ID, name: str = "bert-gpu", **more: object) -> Instance:
    given = {"public_ip": "54.1.2.3", "private_ip": "172.31.5.9", "state": State.RUNNING} | more
    return Instance(id, "us-east-1", name=name, **given)  # type: ignore[arg-type]


def entry(alias: str = "bert-gpu", *, ours: bool = False, **values: str) -> HostEntry:
    return HostEntry(alias, tuple(values.items()), Path("/home/ann/.ssh/config"), 7, ours)


def mine(host_name: str = "54.1.2.3", **values: str) -> HostEntry:
    return entry("bert-gpu", ours=True, HostName=host_name, HostKeyAlias=ID, **values)


def kinds(row: HostRow) -> list[Kind]:
    return [drift.kind for drift in row.drifts]


def look(found: HostEntry, *machines: Instance, **more: object) -> HostRow:
    return survey([found], World(instances=machines, **more))[0]  # type: ignore[arg-type]


class TestOwner:
    def test_the_id_counts_whatever_name_and_address_say(self) -> None:
        other = machine(OTHER, "other", public_ip="54.9.9.9")
        world = World((machine(), other))
        found = entry("other", HostName="54.9.9.9", HostKeyAlias=ID)
        assert owner(found, world) == machine()

    @pytest.mark.parametrize("address", ["54.1.2.3", "172.31.5.9", "2600::1", "ec2-54-1-2-3.x"])
    def test_an_address_is_its_instances(self, address: str) -> None:
        one = machine(ipv6="2600::1", public_dns="ec2-54-1-2-3.x")
        assert owner(entry("whatever", HostName=address), World((one,))) == one

    def test_a_private_address_of_two_networks_is_nobodys(self) -> None:
        twins = (machine(), machine(OTHER, "twin", public_ip="54.9.9.9"))
        assert owner(entry("whatever", HostName="172.31.5.9"), World(twins)) is None

    @pytest.mark.parametrize("alias", ["bert-gpu", ID])
    @pytest.mark.parametrize("host_name", ["", "54.7.7.7", "ec2-54-7-7-7.compute-1.amazonaws.com"])
    def test_a_name_is_its_instances(self, alias: str, host_name: str) -> None:
        values: dict[str, Any] = {"HostName": host_name} if host_name else {}
        assert owner(entry(alias, **values), World((machine(),))) == machine()

    def test_a_name_with_a_host_name_of_its_own_is_somebody_elses(self) -> None:
        assert owner(entry(HostName="bert-gpu.example.com"), World((machine(),))) is None

    def test_a_name_of_two_is_nobodys_and_of_a_living_one_its(self) -> None:
        world = World((machine(), machine(OTHER)))
        assert owner(entry(HostName="54.7.7.7"), world) is None
        world = World((machine(), machine(OTHER, state=State.TERMINATED)))
        assert owner(entry(HostName="54.7.7.7"), world) == machine()


class TestDrift:
    def test_all_well(self) -> None:
        row = look(mine(), machine())
        assert (row.drifts, row.address, row.mark, row.machine) == ((), "", "", "bert-gpu")

    @pytest.mark.parametrize(
        ("found", "now"),
        [
            (mine("54.7.7.7"), "54.1.2.3"),
            (entry(HostName="54.7.7.7"), "54.1.2.3"),
            (mine("2600::7"), "2600::1"),
            (mine("ec2-54-7-7-7.compute-1.amazonaws.com"), "ec2-54-1-2-3.compute-1.amazonaws.com"),
            (mine("54.7.7.7", ProxyJump="bastion"), "54.1.2.3"),
        ],
    )
    def test_an_address_that_changed(self, found: HostEntry, now: str) -> None:
        one = machine(ipv6="2600::1", public_dns="ec2-54-1-2-3.compute-1.amazonaws.com")
        row = look(found, one)
        assert kinds(row) == [Kind.ADDRESS]
        assert row.address == now
        assert f"{one.label} is at {now} now" in row.drifts[0].words

    @pytest.mark.parametrize(
        "found",
        [
            mine("172.31.5.9"),
            mine("bert.example.com"),
            entry("i-0", HostName="10.0.0.17", ProxyJump="bastion", HostKeyAlias="bert"),
            entry(HostName="10.0.0.17", ProxyCommand="aws ssm start-session"),
            entry("unrelated", HostName="203.0.113.9"),
        ],
    )
    def test_what_stays_as_it_is(self, found: HostEntry) -> None:
        row = look(found, machine())
        assert (row.drifts, row.address) == ((), "")
        assert look(found, machine(public_ip="")).drifts == ()

    def test_without_a_public_address(self) -> None:
        row = look(mine("54.7.7.7"), machine(public_ip=""))
        assert kinds(row) == [Kind.NO_ADDRESS]
        assert "Elastic IP" in row.drifts[0].words
        assert not row.address
        behind = look(mine("54.7.7.7", ProxyJump="bastion"), machine(public_ip=""))
        assert behind.address == "172.31.5.9"

    @pytest.mark.parametrize("state", [State.STOPPED, State.STOPPING, State.PENDING])
    def test_a_machine_that_does_not_run_has_nothing_wrong(self, state: State) -> None:
        assert look(mine(), machine(public_ip="", state=state)).drifts == ()

    @pytest.mark.parametrize("state", [State.TERMINATED, State.SHUTTING_DOWN])
    def test_a_terminated_instance(self, state: State) -> None:
        row = look(mine(), machine(public_ip="", state=state))
        assert kinds(row) == [Kind.GONE]
        assert state.value in row.drifts[0].words
        assert "Remove" in row.drifts[0].words

    def test_an_instance_that_ec2_has_forgotten(self) -> None:
        seen = {"listed": {HOME}, "homes": {ID: HOME}}
        assert kinds(look(mine(), **seen)) == [Kind.GONE]
        elsewhere = ("123456789012", "eu-west-1")
        assert kinds(look(mine(), **seen | {"homes": {ID: elsewhere}})) == [Kind.UNSEEN]
        assert kinds(look(mine(), **seen | {"homes": {}})) == [Kind.UNSEEN]
        assert look(mine(), **seen).machine == ID

    def test_a_name_is_never_said_to_be_gone(self) -> None:
        assert look(entry(HostName="54.7.7.7"), machine(state=State.TERMINATED)).drifts == ()

    def test_missing_keys_and_earlier_lines_are_said_of_any_entry(self) -> None:
        found = entry("box", HostName="box.example.com", IdentityFile="~/.ssh/gone.pem")
        row = look(found, missing_keys={"~/.ssh/gone.pem"}, shadowed={"box": "config line 2"})
        assert kinds(row) == [Kind.SHADOWED, Kind.KEY]
        assert row.mark == "shadowed +1"
        assert "config line 2" in row.drifts[0].words
        assert "~/.ssh/gone.pem" in row.drifts[1].words
        assert look(found).drifts == ()


class TestNewEntries:
    def test_the_address(self) -> None:
        assert address_for(machine()) == "54.1.2.3"
        assert address_for(machine(), private=True) == "172.31.5.9"
        assert address_for(machine(), jump="bastion") == "54.1.2.3"
        assert address_for(machine(public_ip=""), jump="bastion") == "172.31.5.9"
        assert address_for(machine(public_ip="", ipv6="2600::1")) == "2600::1"
        stopped = machine(public_ip="", state=State.STOPPED)
        assert address_for(stopped, private=True) == "172.31.5.9"

    @pytest.mark.parametrize(
        ("one", "title", "hint"),
        [
            (machine(public_ip=""), "no public address", "--jump"),
            (machine(public_ip="", state=State.STOPPED), "stopped", "cloudtui start bert-gpu"),
            (machine(public_ip="", state=State.PENDING), "pending", "when it is done"),
            (machine(state=State.TERMINATED), "terminated", ""),
        ],
    )
    def test_without_an_address_it_is_said_what_to_do(
        self, one: Instance, title: str, hint: str
    ) -> None:
        with pytest.raises(Refused, match=title) as caught:
            address_for(one)
        assert hint in caught.value.hint

    def test_the_values(self) -> None:
        values = wanted_values(machine(), "54.1.2.3", user="ubuntu", key="~/.ssh/k.pem", port=2222)
        assert values == {
            "HostName": "54.1.2.3",
            "User": "ubuntu",
            "IdentityFile": "~/.ssh/k.pem",
            "IdentitiesOnly": "yes",
            "Port": "2222",
            "HostKeyAlias": ID,
        }
        plain = wanted_values(machine(), "10.0.0.1", user="admin", jump="bastion")
        assert plain["Port"] is None
        assert plain["ProxyJump"] == "bastion"
        assert "IdentityFile" not in plain

    @pytest.mark.parametrize(
        ("name", "alias"),
        [
            ("bert-gpu", "bert-gpu"),
            ("BERT GPU (Ann's)", "BERT-GPU-Ann-s"),
            ("Zürich: Versuch", "Zurich-Versuch"),
            ("--flag*", "flag"),
            ("日本語", ""),
            ("a.b_c", "a.b_c"),
        ],
    )
    def test_legal_aliases(self, name: str, alias: str) -> None:
        assert legal_alias(name) == alias

    @given(st.text())
    def test_a_legal_alias_is_taken_by_ssh_and_scp(self, name: str) -> None:
        alias = legal_alias(name)
        assert not alias or (not why_not_alias(alias) and not alias_problem(alias))
        assert legal_alias(alias) == alias

    def test_the_alias_of_an_instance(self) -> None:
        world = World((machine(), machine(OTHER)))
        assert alias_for(machine(), ()) == "bert-gpu"
        assert alias_for(machine(name="日本"), ()) == ID
        has = survey([entry("b", HostKeyAlias=ID)], world)
        assert alias_for(machine(), has) == "b"
        assert alias_for(machine(OTHER), survey([mine()], world)) == "bert-gpu-77c0"
        foreign = survey([entry(HostName="bert.example.com")], world)
        assert alias_for(machine(), foreign) == "bert-gpu"
        ended = World((machine(state=State.TERMINATED), machine(OTHER)))
        assert alias_for(machine(OTHER), survey([mine()], ended)) == "bert-gpu"

    @pytest.mark.parametrize("alias", ["a:b", "a@b", "a/b", "a b", "a*", "-a", ""])
    def test_aliases_that_are_refused(self, alias: str) -> None:
        assert alias_problem(alias)


@pytest.mark.parametrize(
    ("setting", "ours", "own_with_id", "own", "ours_made_here", "own_made_here"),
    [
        ("ours", True, False, False, True, True),
        ("always", True, True, True, True, True),
        ("ask", False, False, False, True, True),
        ("never", False, False, False, False, False),
    ],
)
def test_what_is_healed_without_a_question(
    setting: str,
    ours: bool,
    own_with_id: bool,
    own: bool,
    ours_made_here: bool,
    own_made_here: bool,
) -> None:
    assert setting in HEAL_HOSTS
    a = look(mine("54.7.7.7"), machine())
    b = look(replace(a.entry, ours=False), machine())
    c = look(entry(HostName="54.7.7.7"), machine())
    assert [heals_by_itself(row, setting) for row in (a, b, c)] == [ours, own_with_id, own]
    assert heals_by_itself(a, setting, made_here=True) is ours_made_here
    assert heals_by_itself(b, setting, made_here=True) is own_made_here
    assert heals_by_itself(c, setting, made_here=True) is own
    assert not heals_by_itself(look(mine(), machine()), "always")


@pytest.mark.parametrize("text", ["10.0.0.1", "2600::1", "ip-10-0-0-1.ec2.internal"])
def test_addresses(text: str) -> None:
    assert is_address(text)
    assert not is_address("bert.example.com")


def test_an_alias_that_is_not_there() -> None:
    rows = survey([mine()], World())
    assert row_of("bert-gpu", rows).entry == mine()
    with pytest.raises(NotFound, match="no entry 'x'") as caught:
        row_of("x", rows)
    assert "bert-gpu" in caught.value.detail
