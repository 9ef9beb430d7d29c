from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.files import price_table
from cloudtui.model import price_page
from cloudtui.model.details import Volume
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import (
    Bill,
    Disks,
    Price,
    StoragePrices,
    disk,
    dollars,
    monthly_of,
    sum_up,
    system_of,
    why_unknown,
    with_disks,
    with_idle,
)

TODAY = date(2026, 11, 21)
MANIFEST = {"currencyCode": "USD", "hawkFilePublicationDate": "2026-11-02T17:45:21Z"}
NAMES = ("Europe (Ireland)", "EU (Ireland)")


def machine(**changes: Any) -> Instance:
    return Instance(**{"id": "i-1", "region": "us-east-1", "state": State.RUNNING, **changes})


def entry(kind: str, price: Any, system: str = "Linux") -> dict[str, Any]:
    return {"Instance Type": kind, "price": price, "Operating System": system}


def page(*entries: dict[str, Any], name: str = "EU (Ireland)", **manifest: str) -> Any:
    rows = {f"sku {n}": e for n, e in enumerate(entries)}
    return {"manifest": MANIFEST | manifest, "regions": {name: rows}}


def test_the_shipped_table_is_the_dated_one_of_us_east_1() -> None:
    table = price_table.shipped()
    assert (table.region, table.as_of) == ("us-east-1", date(2026, 7, 20))
    assert table.hourly["g5.2xlarge"] == 1.212
    assert table.hourly["p5.48xlarge"] == 55.04
    assert len(table.hourly) > 1000
    assert all(0 < price < 1000 for price in table.hourly.values())


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (1.212, "1.21"),
        (113.933, "113.93"),
        (1234.5, "1,234.50"),
        (0.0416, "0.042"),
        (0.0052, "0.0052"),
        (0.0996, "0.10"),
        (0.00999, "0.010"),
    ],
)
def test_dollars_have_as_many_decimals_as_say_something(amount: float, text: str) -> None:
    assert dollars(amount) == text


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True),
        ({"tenancy": "default", "platform_details": "Linux/UNIX"}, True),
        ({"tenancy": "dedicated"}, False),
        ({"tenancy": "host"}, False),
        ({"lifecycle": "scheduled"}, False),
        ({"lifecycle": "capacity-block"}, False),
        ({"platform_details": "Windows with SQL Server Standard"}, False),
        ({"platform_details": "Ubuntu Pro"}, False),
        ({"platform": "windows"}, True),
    ],
)
def test_a_machine_of_another_kind_has_no_list_price(changes: dict[str, str], known: bool) -> None:
    assert (why_unknown(machine(**changes)) == "") is known


def test_red_hat_is_not_linux_to_the_price_page() -> None:
    assert system_of(machine(platform_details="Red Hat Enterprise Linux")) == "RHEL"
    assert system_of(machine(platform="windows", platform_details="Windows")) == "Windows"
    assert system_of(machine()) == "Linux"


def test_a_bill_counts_what_it_does_not_know() -> None:
    bill = sum_up([Price(1.2, TODAY), None, Price(0.8, date(2026, 7, 20)), None])
    assert bill == Bill(2.0, 2, 2, as_of=date(2026, 7, 20))
    assert bill.words == "$2.00/h + 2 unknown"
    assert sum_up([None]).words == "? $/h"
    assert sum_up([]).words == ""


@given(st.lists(st.one_of(st.none(), st.floats(0, 500)), max_size=30))
def test_a_bill_is_the_sum_of_what_is_known(amounts: list[float | None]) -> None:
    bill = sum_up(None if a is None else Price(a, TODAY) for a in amounts)
    known = [a for a in amounts if a is not None]
    assert (bill.known, bill.unknown) == (len(known), len(amounts) - len(known))
    assert bill.hourly == pytest.approx(sum(known))


STORAGE = StoragePrices(
    date(2026, 11, 2),
    {
        "gp3": 0.08,
        "gp3 iops": 0.005,
        "gp3 throughput": 0.04,
        "io2": 0.125,
        "io2 iops": 0.065,
        "io2 iops 2": 0.0455,
        "st1": 0.045,
    },
    0.005,
)


@pytest.mark.parametrize(
    ("volume", "monthly"),
    [
        (Volume("v", 100, "gp3", iops=3000, throughput=125), 8.0),
        (Volume("v", 100, "gp3", iops=4000, throughput=225), 8.0 + 5.0 + 4.0),
        (Volume("v", 500, "st1"), 22.5),
        (Volume("v", 100, "io2", iops=1000), 12.5 + 65.0),
        (Volume("v", 100, "io2", iops=33_000), 12.5 + 32_000 * 0.065 + 1000 * 0.0455),
        (Volume("v", 100, "io2", iops=70_000), None),
        (Volume("v", 100, "io1", iops=100), None),
        (Volume("v", 100, "gp9"), None),
    ],
)
def test_a_volume_costs_its_gib_and_what_is_provisioned_above_the_included(
    volume: Volume, monthly: float | None
) -> None:
    assert monthly_of(volume, STORAGE) == (None if monthly is None else pytest.approx(monthly))


def test_storage_and_idle_addresses_join_the_bill() -> None:
    disks = disk(Volume("a", 730, "gp3"), STORAGE) + disk(Volume("b", 40, "io1"), STORAGE)
    assert disks == Disks(pytest.approx(0.08), 730, 40)  # type: ignore[arg-type]
    bill = with_idle(with_disks(Bill(1.0, 1), disks, STORAGE.as_of), 2, STORAGE)
    assert bill.hourly == pytest.approx(1.0 + 0.08 + 0.01)
    assert (bill.storage_gib, bill.storage_unknown, bill.idle, bill.idle_unknown) == (730, 40, 2, 0)
    assert bill.as_of == STORAGE.as_of
    assert with_idle(Bill(), 3, None).idle_unknown == 3


def test_a_price_map_is_read_by_instance_type() -> None:
    document = page(entry("g5.xlarge", "1.1230000000"), entry("t3.micro", "0.0114"))
    table = price_page.machines(document, NAMES, "eu-west-1", "Linux", TODAY)
    assert table.hourly == {"g5.xlarge": 1.123, "t3.micro": 0.0114}
    assert table.as_of == date(2026, 11, 2)


def test_what_is_doubtful_in_a_price_map_is_left_out() -> None:
    document = page(
        entry("a.large", "1.0"),
        entry("a.large", "2.0"),
        entry("b.large", "NaN"),
        entry("c.large", "-1"),
        entry("d.large", "0"),
        entry("e.large", None),
        entry("f.large", "3.0", "Windows"),
        entry("g.large", "4.0"),
        entry("g.large", "4.0"),
    )
    table = price_page.machines(document, NAMES, "eu-west-1", "Linux", TODAY)
    assert table.hourly == {"g.large": 4.0}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"regions": []},
        page(name="EU (Paris)"),
        page(),
        page(entry("g5.xlarge", "1.1"), currencyCode="CNY"),
    ],
)
def test_another_document_is_no_price_map(document: Any) -> None:
    with pytest.raises(ValueError):
        price_page.machines(document, NAMES, "eu-west-1", "Linux", TODAY)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["regions", "manifest", "EU (Ireland)", "Instance Type", "price", "x"]),
            inner,
            max_size=3,
        ),
    ),
)


@given(JSON)
def test_no_document_crashes_the_readers(document: Any) -> None:
    for read in (
        lambda: price_page.machines(document, NAMES, "eu-west-1", "Linux", TODAY),
        lambda: price_page.storage(document, document, NAMES, TODAY),
        lambda: price_page.locations(document),
        lambda: price_page.product([json.dumps(document)], "g5.xlarge", "eu-west-1"),
    ):
        try:
            read()
        except (ValueError, KeyError):
            continue


def test_storage_prices_are_found_by_their_words() -> None:
    rows = {
        "Storage General Purpose gp3 GB Mo": "0.088",
        "Storage General Purpose GB Mo": "0.11",
        "Storage Provisioned IOPS io2 GB month": "0.138",
        "Storage Snapshot Amazon S3 GB Mo": "0.05",
        "Provisioned Throughput gp3 per GiBps mo": "40.96",
        "Provisioned EBS IOPS gp3 Volumes per IOPS Mo": "0.0055",
        "Provisioned EBS IOPS Tier 2 io2 Volumes per IOPS Mo": "0.0505",
    }
    disks = {"manifest": MANIFEST, "regions": {"EU (Ireland)": {
        words: {"price": price} for words, price in rows.items()
    }}}  # fmt: skip
    idle = "Hourly charge for Idle Public IPv4 Addresses per Hrs"
    addresses = {"regions": {"EU (Ireland)": {idle: {"price": "0.0050000000"}}}}
    found = price_page.storage(disks, addresses, NAMES, TODAY)
    assert found.monthly == {
        "gp3": 0.088,
        "io2": 0.138,
        "gp3 throughput": 0.04,
        "gp3 iops": 0.0055,
        "io2 iops 2": 0.0505,
    }
    assert found.idle_address == 0.005
    assert found.as_of == date(2026, 11, 2)


def test_the_names_of_a_region_are_gathered_by_its_code() -> None:
    document = {
        "EU (Ireland)": {"code": "eu-west-1", "type": "AWS Region"},
        "Europe (Ireland)": {"code": "eu-west-1", "type": "AWS Region"},
        "Berlin": {"code": "eu-central-1-wl1", "type": "AWS Wavelength Zone"},
    }
    assert price_page.locations(document) == {"eu-west-1": ("EU (Ireland)", "Europe (Ireland)")}


def test_getproducts_counts_only_when_it_names_one_price() -> None:
    def answer(*prices: str) -> str:
        dimensions = {
            f"d{n}": {"unit": "Hrs", "pricePerUnit": {"USD": price}}
            for n, price in enumerate(prices)
        }
        return json.dumps(
            {
                "product": {"attributes": {"instanceType": "g5.xlarge", "regionCode": "eu-west-1"}},
                "terms": {"OnDemand": {"t": {"priceDimensions": dimensions}}},
                "publicationDate": "2026-11-19T10:00:00Z",
            }
        )

    one = (1.123, date(2026, 11, 19))
    assert price_page.product([answer("1.1230000000")], "g5.xlarge", "eu-west-1") == one
    assert price_page.product([answer("1.1", "1.2")], "g5.xlarge", "eu-west-1") is None
    assert price_page.product([answer("1.1")], "g5.2xlarge", "eu-west-1") is None
    assert price_page.product([], "g5.xlarge", "eu-west-1") is None
