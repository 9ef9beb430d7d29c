"""Rules in words, whose they are, and plans that open, close and change groups."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.access import (
    Access,
    close_command,
    closing,
    fitting,
    group_change,
    mine,
    opening,
)
from cloudtui.model.errors import Refused, UsageError
from cloudtui.model.instance import Instance, State
from cloudtui.model.security_group import (
    Group,
    Interface,
    Rule,
    Viewer,
    address_in,
    cidr,
    days_ago,
    exposed,
    mark,
    ports,
    read_mark,
    rule_of,
    who,
)

TODAY = date(2026, 11, 21)
ME = Viewer("ada@laptop", TODAY, ("203.0.113.7", "2001:db8::7"))
BERT = Instance("i-0f3c", "us-east-1", State.RUNNING, "bert gpu", public_ip="54.1.2.3")
OUT = Rule("-1", -1, -1, "0.0.0.0/0", outbound=True)


def group(*inbound: Rule, id: str = "sg-1", name: str = "nlp") -> Group:
    return Group(id, name, inbound, (OUT,))


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            Rule("tcp", 22, 22, "203.0.113.7/32", mark("ada@laptop", date(2026, 11, 18))),
            "SSH (tcp 22) from 203.0.113.7/32 — me, laptop, added 3 days ago",
        ),
        (
            Rule("tcp", 22, 22, "203.0.113.9/32", mark("ada@laptop", date(2026, 11, 20))),
            "SSH (tcp 22) from 203.0.113.9/32 — me, laptop, added yesterday, an old address",
        ),
        (
            Rule("tcp", 22, 22, "203.0.113.9/32", mark("ben@desk", TODAY)),
            "SSH (tcp 22) from 203.0.113.9/32 — ben@desk, added today",
        ),
        (Rule("-1", -1, -1, "sg-2"), "all traffic from members of web (sg-2)"),
        (Rule("-1", -1, -1, "sg-3"), "all traffic from members of sg-3"),
        (Rule("tcp", 443, 443, "pl-63a5400a"), "HTTPS (tcp 443) from prefix list pl-63a5400a"),
        (Rule("tcp", 8000, 8100, "2001:db8::/32"), "tcp 8000-8100 from 2001:db8::/32"),
        (Rule("udp", 0, 65535, "10.0.0.0/8", "VPN"), "udp all ports from 10.0.0.0/8 — VPN"),
        (Rule("icmp", 8, -1, "0.0.0.0/0"), "ping (icmp type 8) from anywhere (0.0.0.0/0)"),
        (Rule("icmp", 3, 4, "::/0"), "icmp type 3 code 4 from anywhere (::/0)"),
        (Rule("icmp", -1, -1, "10.0.0.1/32"), "icmp from 10.0.0.1/32"),
        (Rule("50", -1, -1, "10.0.0.0/8"), "protocol 50 from 10.0.0.0/8"),
        (
            Rule("tcp", 22, 22, "203.0.113.7/32", "home"),
            "SSH (tcp 22) from 203.0.113.7/32 — your address, home",
        ),
        (OUT, "all traffic to anywhere (0.0.0.0/0)"),
    ],
)
def test_a_rule_in_plain_words(rule: Rule, sentence: str) -> None:
    assert rule.sentence(ME, {"sg-2": "web"}) == sentence


def test_protocols_of_ec2_have_their_names() -> None:
    assert rule_of("6", 22, 22, "x").protocol == "tcp"
    assert rule_of("58", -1, -1, "x").protocol == "icmpv6"
    assert rule_of("-1", None, None, "x") == Rule("-1", -1, -1, "x")


def test_an_outbound_rule_exposes_nothing() -> None:
    assert exposed([Group("sg-1", "", (), (OUT,))]) == ()
    assert not OUT.exposed
    assert exposed([group(replace(OUT, outbound=False))])


@given(st.text(), st.text(), st.dates(min_value=date(1000, 1, 1)), st.booleans())
def test_a_mark_is_read_back_and_is_what_ec2_takes(
    user: str, host: str, day: date, named: bool
) -> None:
    maker = who(user, host)
    text = mark(maker, day, named=named)
    found = read_mark(text)
    assert found is not None
    assert (found.who, found.day, found.named) == (maker, day, named)
    assert len(text) <= 255
    allowed = set("._-:/()#,@[]+=&;{}!$* ")
    assert all((c.isascii() and c.isalnum()) or c in allowed for c in text)


@given(st.text())
def test_no_description_of_others_is_a_mark_by_accident(text: str) -> None:
    assert read_mark(text) is None or text.startswith("cloudtui: ")


def test_a_day_that_is_none_is_no_mark() -> None:
    assert read_mark("cloudtui: ada@laptop 2026-13-40") is None
    assert days_ago(date(2026, 11, 22), TODAY) == "today"  # a clock that is ahead


@given(st.ip_addresses(), st.integers(0, 32), st.integers(1, 65535))
def test_what_covers_and_allows_is_what_the_network_says(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int, port: int
) -> None:
    network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    rule = Rule("tcp", port, port, str(network))
    assert rule.allows(str(address))
    assert rule.covers(port)
    assert not rule.covers(port % 65535 + 1)
    assert not replace(rule, protocol="udp").covers(port)
    assert rule.world == (bits == 0)


@pytest.mark.parametrize(
    ("body", "address"),
    [
        ("203.0.113.7\n", "203.0.113.7"),
        (" 2001:DB8::7 ", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_an_answer_that_is_an_address(body: str, address: str) -> None:
    assert address_in(body) == address


@pytest.mark.parametrize(
    "body", ["", "<html>", "203.0.113.7, 10.0.0.1", "0.0.0.0", "224.0.0.1", "fe80::1", "1.2.3", "7"]
)
def test_an_answer_that_is_none(body: str) -> None:
    with pytest.raises(ValueError, match="address"):
        address_in(body)


@given(st.text(max_size=40))
def test_any_answer_is_an_address_or_a_value_error(body: str) -> None:
    try:
        found = address_in(body)
    except ValueError:
        return
    ipaddress.ip_address(found)


@pytest.mark.parametrize("text", ["", "ssh", "0", "70000", "90-80", "-5", "22-", "1-2-3"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(UsageError, match="no port"):
        ports(text)


def test_ports_and_networks_as_typed() -> None:
    assert ports(" 22 ") == (22, 22)
    assert ports("8000 - 8100") == (8000, 8100)
    assert cidr("10.1.2.3/8") == "10.0.0.0/8"
    assert cidr("2001:db8::7") == "2001:db8::7/128"
    with pytest.raises(UsageError):
        cidr("300.1.2.3")


MINE = Rule("tcp", 22, 22, "203.0.113.7/32", mark(ME.who, TODAY))
OLD = Rule("tcp", 22, 22, "198.51.100.9/32", mark(ME.who, date(2026, 1, 1)))
BENS = Rule("tcp", 22, 22, "198.51.100.8/32", mark("ben@desk", date(2026, 1, 1)))
GUEST = Rule("tcp", 22, 22, "198.51.100.7/32", mark(ME.who, date(2026, 1, 1), named=True))
WORLD = Rule("tcp", 22, 22, "0.0.0.0/0")


def test_only_ones_own_rule_for_an_old_address_is_replaced() -> None:
    access = Access(BERT, (group(OLD, BENS, GUEST, Rule("tcp", 22, 22, "198.51.100.9/32")),))
    plan = opening(access, ME, ["203.0.113.7/32"])
    assert [rule.source for rule in plan.add] == ["203.0.113.7/32"]
    assert plan.add[0].description == mark(ME.who, TODAY)
    assert [rule for _, rule in plan.remove] == [OLD]
    guest = opening(access, ME, ["192.0.2.1/32"], named=True)
    assert guest.remove == ()
    other_port = opening(access, ME, ["203.0.113.7/32"], 8888)
    assert other_port.remove == ()


def test_an_ipv6_rule_is_no_old_ipv4_one() -> None:
    v6 = Rule("tcp", 22, 22, "2001:db8::99/128", mark(ME.who, TODAY))
    access = Access(BERT, (group(v6),))
    assert opening(access, replace(ME, addresses=("203.0.113.7",)), ["203.0.113.7/32"]).remove == ()
    assert opening(access, ME, ["203.0.113.7/32"]).remove == ((access.groups[0], v6),)


def test_what_is_open_already_is_not_opened_again() -> None:
    wide = Rule("tcp", 20, 30, "203.0.113.0/24")
    plan = opening(Access(BERT, (group(wide),)), ME, ["203.0.113.7/32"])
    assert (plan.add, plan.already) == ((), ((group(wide), wide),))
    narrow = Rule("tcp", 22, 22, "203.0.113.0/32")
    assert opening(Access(BERT, (group(narrow),)), ME, ["203.0.113.0/24"], named=True).add
    part = Rule("tcp", 8000, 8050, "203.0.113.0/24")
    assert opening(Access(BERT, (group(part),)), ME, ["203.0.113.7/32"], 8000, 8100).add


def test_the_whole_world_is_warned_of_and_no_reason_not_to_open_to_oneself() -> None:
    plan = opening(Access(BERT, (group(WORLD),)), ME, ["203.0.113.7/32"])
    assert plan.add
    (caution,) = plan.cautions
    assert "open to the whole world" in caution
    assert "cloudtui hosts close 'bert gpu' --from 0.0.0.0/0 --port 22" in caution
    again = opening(Access(BERT, (group(),)), ME, ["0.0.0.0/0"], named=True)
    assert "Anyone on the internet" in again.cautions[0]
    assert opening(Access(BERT, (group(WORLD),)), ME, ["0.0.0.0/0"], named=True).add == ()


def test_the_group_is_where_my_rule_is_else_the_one_that_fewest_share() -> None:
    default, shared, own = (
        group(id="sg-d", name="default"),
        group(id="sg-s", name="shared"),
        group(id="sg-o", name="own"),
    )
    members = {"sg-s": ("etl-box", "api")}
    access = Access(BERT, (default, shared, own), members=members)
    assert opening(access, ME, ["203.0.113.7/32"]).group == own
    assert opening(access, ME, ["203.0.113.7/32"], group="shared").group == shared
    mine_in_shared = replace(shared, inbound=(OLD,))
    access = replace(access, groups=(default, mine_in_shared, own))
    plan = opening(access, ME, ["203.0.113.7/32"])
    assert plan.group == mine_in_shared
    assert any("also the group of etl-box and api" in caution for caution in plan.cautions)
    with pytest.raises(UsageError, match="has no security group 'nosuch'"):
        opening(access, ME, ["203.0.113.7/32"], group="nosuch")
    only = Access(BERT, (default,), members={"sg-d": ("api",)})
    assert "the VPC's default group and also the group of api" in " ".join(
        opening(only, ME, ["203.0.113.7/32"]).cautions
    )


def test_a_machine_without_a_public_address_is_said() -> None:
    hidden = replace(BERT, public_ip="")
    plan = opening(Access(hidden, (group(),)), ME, ["203.0.113.7/32"])
    assert any("has no public address" in caution for caution in plan.cautions)
    stopped = replace(hidden, state=State.STOPPED)  # which gets one at its start
    assert opening(Access(stopped, (group(),)), ME, ["203.0.113.7/32"]).cautions == ()


def test_closing_names_what_ends() -> None:
    access = Access(BERT, (group(MINE, BENS),), members={"sg-1": ("api",)})
    plan = closing(access, mine(access, ME), ME)
    assert [rule for _, rule in plan.rules] == [MINE]
    said = " ".join(plan.cautions)
    assert "also the group of api: it ends for them too" in said
    assert "from your address 203.0.113.7 ends with it" in said
    assert closing(access, [(access.groups[0], BENS)], ME).cautions == (plan.cautions[0],)
    assert "begin no connection" in " ".join(
        closing(access, [(access.groups[0], OUT)], ME).cautions
    )


def test_what_close_means() -> None:
    web = Rule("tcp", 443, 443, "0.0.0.0/0")
    access = Access(BERT, (group(MINE, GUEST, BENS, WORLD, web),))
    assert [r for _, r in mine(access, ME)] == [MINE, GUEST]
    assert [r for _, r in mine(access, ME, source="0.0.0.0/0")] == [WORLD, web]
    assert [r for _, r in mine(access, ME, (22, 22), "0.0.0.0/0")] == [WORLD]
    assert mine(access, ME, (23, 23)) == ()
    assert close_command(BERT, Rule("-1", -1, -1, "::/0")).endswith("--from ::/0")


KNOWN = (group(id="sg-1", name="nlp"), group(WORLD, id="sg-2", name="quick"), group(id="sg-3"))


def test_a_change_of_groups_says_what_is_lost() -> None:
    access = Access(BERT, (replace(KNOWN[0], inbound=(MINE,)),))
    plan = group_change(access, KNOWN, ["quick"], replace(ME, addresses=("203.0.113.7",)))
    assert ([g.id for g in plan.added], [g.id for g in plan.removed]) == (["sg-2"], ["sg-1"])
    assert plan.cautions == ("quick (sg-2) opens SSH to the whole world.",)
    gone = group_change(access, KNOWN, ["sg-3"], ME)
    assert "from your address 203.0.113.7 ends with it" in gone.cautions[0]
    assert not group_change(access, KNOWN, ["sg-1"], ME)
    with pytest.raises(UsageError, match="at least one"):
        group_change(access, KNOWN, [], ME)
    with pytest.raises(UsageError, match="could be 2 groups"):
        group_change(access, KNOWN, ["nlp"], ME)
    with pytest.raises(UsageError, match="no 'nosuch'"):
        group_change(access, KNOWN, ["nosuch"], ME)


def test_several_network_interfaces_are_explained() -> None:
    own = (
        Interface("eni-0", "i-0f3c", 0, (("sg-1", "nlp"),), "10.0.0.1", "54.1.2.3"),
        Interface("eni-1", "i-0f3c", 1, (("sg-2", "quick"),), "10.0.0.2"),
    )
    access = Access(BERT, KNOWN[:2], own)
    with pytest.raises(Refused) as caught:
        group_change(access, KNOWN, ["sg-3"], ME)
    assert "2 network interfaces" in caught.value.title
    assert "eni-1 (10.0.0.2, quick)" in caught.value.detail
    plan = group_change(access, KNOWN, ["sg-3"], ME, "eni-1")
    assert (plan.interface_id, [g.id for g in plan.removed]) == ("eni-1", ["sg-2"])
    with pytest.raises(UsageError, match="no network interface eni-9"):
        group_change(access, KNOWN, ["sg-3"], ME, "eni-9")
    wrong = opening(access, ME, ["203.0.113.7/32"], group="quick")
    assert any("not on one with a public address" in caution for caution in wrong.cautions)


@pytest.mark.parametrize(
    ("interface", "holder"),
    [
        (
            Interface("eni-1", kind="natGateway", description="Interface for NAT Gateway nat-0f"),
            "NAT gateway nat-0f",
        ),
        (Interface("eni-1", description="ELB net/front/0f3c"), "load balancer front"),
        (Interface("eni-1", description="ELB classic"), "load balancer classic"),
        (Interface("eni-1", kind="lambda"), "a Lambda function (interface eni-1)"),
        (Interface("eni-1"), "network interface eni-1"),
    ],
)
def test_an_interface_that_is_no_machines_says_whose_it_is(
    interface: Interface, holder: str
) -> None:
    assert interface.holder == holder


def test_the_addresses_that_can_reach_a_machine() -> None:
    both = replace(BERT, ipv6="2001:db8:1::1")
    only_v6 = replace(both, public_ip="")
    here = ("203.0.113.7", "2001:db8::7")
    assert fitting(BERT, here) == ("203.0.113.7/32",)
    assert fitting(both, here) == ("203.0.113.7/32", "2001:db8::7/128")
    assert fitting(only_v6, here) == ("2001:db8::7/128",)
    assert fitting(replace(BERT, public_ip=""), here) == ("203.0.113.7/32",)
    with pytest.raises(Refused, match=r"is IPv4, and .* is reached by IPv6 only"):
        fitting(only_v6, here[:1])
    with pytest.raises(Refused, match=r"is IPv6, and .* is reached by IPv4 only"):
        fitting(BERT, here[1:])
