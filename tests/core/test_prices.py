from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from urllib.parse import unquote

import pytest

from cloudtui.aws.clients import Amazon
from cloudtui.core.events import (
    Event,
    Events,
    InventoryChanged,
    InventoryState,
    Noted,
    PricesChanged,
)
from cloudtui.core.inventory import Inventory
from cloudtui.core.prices import Prices
from cloudtui.files import price_table
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import PriceTable, Source
from tests.moto_child import StubEndpoint

MANIFEST = {"currencyCode": "USD", "hawkFilePublicationDate": "2026-11-02T17:45:21Z"}
LOCATIONS = {
    "US East (N. Virginia)": {"code": "us-east-1", "type": "AWS Region"},
    "EU (Ireland)": {"code": "eu-west-1", "type": "AWS Region"},
}


def machine(number: int = 1, **changes: Any) -> Instance:
    given = {
        "id": f"i-{number:017x}",
        "region": "eu-west-1",
        "state": State.RUNNING,
        "type": "g5.xlarge",
        "zone": "eu-west-1a",
    }
    return Instance(**{**given, **changes})


class PageServer:
    """AWS's price page on loopback: documents by what their path holds."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {"locations.json": LOCATIONS}
        self.asked: list[str] = []

    def machines(self, name: str, system: str = "Linux", **prices: float) -> None:
        rows = {
            kind: {
                "Instance Type": kind.replace("_", "."),
                "Operating System": system,
                "price": str(price),
            }
            for kind, price in prices.items()
        }
        document = {"manifest": MANIFEST, "regions": {name: rows}}
        self.documents[f"/{name}/{system}/index.json"] = document

    def storage(self, **gib: float) -> None:
        words = {"gp3": "Storage General Purpose gp3 GB Mo"}
        rows = {words[kind]: {"price": str(price)} for kind, price in gib.items()}
        regions = dict.fromkeys(LOCATIONS, rows)
        self.documents["ebs.json"] = {"manifest": MANIFEST, "regions": regions}
        idle = {"Hourly charge for Idle Public IPv4 Addresses per Hrs": {"price": "0.005"}}
        self.documents["vpc.json"] = {"regions": dict.fromkeys(LOCATIONS, idle)}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = unquote((await reader.readline()).decode().split(" ")[1])
        while (await reader.readline()).strip():
            pass
        self.asked.append(path)
        found = next((d for end, d in self.documents.items() if path.endswith(end)), None)
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        status = "404 Not Found" if found is None else "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def page(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PageServer]:
    made = PageServer()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("CLOUDTUI_PRICE_PAGE", f"http://127.0.0.1:{port}")
    yield made
    server.close()


class OneAccount:
    """An inventory whose rows are given."""

    def __init__(self, amazon: Amazon, *instances: Instance) -> None:
        self._amazon = amazon
        self.state = InventoryState(instances=instances, updated=datetime.now(UTC))

    async def amazon(self, profile: str = "") -> Amazon:
        return self._amazon

    async def amazon_for(self, instance: Instance) -> Amazon:
        return self._amazon


@asynccontextmanager
async def prices_of(*instances: Instance) -> AsyncIterator[tuple[Prices, list[Event], Events]]:
    events, heard = Events(), list[Event]()
    events.listen(heard.append)
    async with Amazon() as amazon:
        prices = Prices(cast(Inventory, OneAccount(amazon, *instances)), events)
        try:
            yield prices, heard, events
        finally:
            await prices.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_only_the_shipped_region_is_known_without_asking(aws_env: str) -> None:
    home = machine(region="us-east-1", type="g5.2xlarge")
    async with prices_of(home) as (prices, _, _):
        price = prices.price(home)
        assert price
        assert (price.hourly, price.as_of, price.source) == (1.212, date(2026, 7, 20), Source.TABLE)
        assert prices.price(machine()) is None
        assert prices.price(machine(region="us-east-1", type="g99.large")) is None
        assert prices.price(machine(region="us-east-1", platform="windows")) is None
        assert prices.price(machine(region="us-east-1", tenancy="dedicated")) is None
        assert prices.price(machine(region="us-east-1", lifecycle="spot")) is None


async def test_another_region_comes_from_the_price_page_and_is_kept(
    aws_env: str, page: PageServer
) -> None:
    page.machines("EU (Ireland)", g5_xlarge=1.123)
    page.storage(gp3=0.088)
    async with prices_of(machine()) as (prices, heard, _):
        prices.start()
        await until(lambda: prices.price(machine()))
        price = prices.price(machine())
        assert price
        assert (price.hourly, price.as_of, price.source) == (1.123, date(2026, 11, 2), Source.PAGE)
        await until(lambda: PricesChanged() in heard)
        await until(lambda: price_table.kept_file("eu-west-1").exists())
    kept = price_table.kept_file("eu-west-1")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    page.asked.clear()
    async with prices_of(machine()) as (prices, _, _):
        await prices.read_kept(["eu-west-1"])
        assert prices.price(machine()) == price
        prices.start()
        await until(lambda: prices._surveys)
        assert page.asked == []


async def test_old_prices_are_used_until_new_ones_are_there(aws_env: str, page: PageServer) -> None:
    old = PriceTable("eu-west-1", date(2026, 1, 1), Source.PAGE, {"g5.xlarge": 2.0})
    price_table.keep(price_table.Kept("eu-west-1", datetime.now(UTC) - timedelta(days=8), (old,)))
    async with prices_of(machine()) as (prices, _, _):
        await prices.read_kept(["eu-west-1"])
        assert prices.price(machine()).hourly == 2.0  # type: ignore[union-attr]
        page.machines("EU (Ireland)", g5_xlarge=1.123)
        prices.start()
        await until(lambda: prices.price(machine()).hourly == 1.123)  # type: ignore[union-attr]


async def test_with_an_endpoint_of_its_own_nobody_else_is_asked(
    aws_env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudtui.aws import prices as room

    asked: list[str] = []
    monkeypatch.setattr(room.PricePage, "_get", lambda self, path: asked.append(path))
    async with prices_of(machine()) as (prices, _, _):
        prices.start()
        await until(lambda: prices._regions["eu-west-1"].again > datetime.now(UTC))
        assert asked == []
        assert prices.price(machine()) is None
        assert prices.problems == ()


async def test_aws_itself_is_asked_at_its_price_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudtui.aws import prices as room

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    async with Amazon() as amazon:
        assert await room.page_address(amazon, "eu-west-1") == room.PAGE


@pytest.mark.parametrize("document", [b"<html>log in</html>", {}, None, {"regions": {}}])
async def test_a_page_that_is_none_leaves_the_price_unknown(
    stub_endpoint: StubEndpoint, page: PageServer, document: Any
) -> None:
    page.documents["/EU (Ireland)/Linux/index.json"] = document
    stub_endpoint.answer_error(403, "AccessDeniedException", "no")
    async with prices_of(machine()) as (prices, _, _):
        prices.start()
        await until(lambda: prices.problems)
        assert prices.price(machine()) is None
        assert "price page" in prices.problems[0].title
        assert "price page" in prices.why_unknown(machine())
        assert prices.bill([machine()]).words == "? $/h"


async def test_a_type_that_the_page_lacks_is_asked_of_the_pricing_api(
    stub_endpoint: StubEndpoint, page: PageServer
) -> None:
    page.machines("EU (Ireland)", t3_micro=0.0114)
    product = {
        "product": {"attributes": {"instanceType": "g5.xlarge", "regionCode": "eu-west-1"}},
        "terms": {"OnDemand": {"t": {"priceDimensions": {
            "d": {"unit": "Hrs", "pricePerUnit": {"USD": "1.1230000000"}}
        }}}},
        "publicationDate": "2026-11-19T10:00:00Z",
    }  # fmt: skip
    body = json.dumps({"FormatVersion": "aws_v1", "PriceList": [json.dumps(product)]})
    stub_endpoint.answer(200, body, "application/x-amz-json-1.1")
    async with prices_of(machine()) as (prices, _, _):
        prices.start()
        await until(lambda: prices.price(machine()))
        price = prices.price(machine())
        assert price
        assert (price.hourly, price.source) == (1.123, Source.API)
    asked = [r for r in stub_endpoint.requests if "GetProducts" in str(r.headers)]
    assert len(asked) == 1
    wanted = {f["Field"]: f["Value"] for f in json.loads(asked[0].body)["Filters"]}
    assert wanted["instanceType"] == "g5.xlarge"
    assert wanted["regionCode"] == "eu-west-1"


async def test_a_spot_machine_costs_what_its_zone_costs_now(
    stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def item(zone: str, price: str, day: str) -> str:
        return (
            f"<item><instanceType>g5.xlarge</instanceType><spotPrice>{price}</spotPrice>"
            f"<productDescription>Linux/UNIX</productDescription>"
            f"<availabilityZone>{zone}</availabilityZone><timestamp>{day}T08:00:00Z</timestamp></item>"
        )

    items = (
        item("eu-west-1a", "0.41", "2026-11-20")
        + item("eu-west-1a", "0.43", "2026-11-21")
        + item("eu-west-1b", "0.39", "2026-11-21")
    )
    stub_endpoint.answer(
        200,
        "<DescribeSpotPriceHistoryResponse><spotPriceHistorySet>"
        f"{items}</spotPriceHistorySet><nextToken/></DescribeSpotPriceHistoryResponse>",
    )
    spot = machine(lifecycle="spot")
    elsewhere = machine(2, lifecycle="spot", zone="eu-west-1c")
    async with prices_of(spot, elsewhere) as (prices, _, _):
        prices.start()
        await until(lambda: prices.price(spot))
        price = prices.price(spot)
        assert price
        assert (price.hourly, price.source, price.as_of) == (0.43, Source.SPOT, date(2026, 11, 21))
        assert prices.price(elsewhere) is None


async def test_a_broken_file_of_kept_prices_is_set_aside_and_said(aws_env: str) -> None:
    file = price_table.kept_file("eu-west-1")
    file.parent.mkdir(parents=True)
    file.write_text('{"shape": 1, "tables": 7}')
    async with prices_of() as (prices, heard, _):
        await prices.read_kept(["eu-west-1"])
        notes = [event.note for event in heard if isinstance(event, Noted)]
        assert [note.text for note in notes] == [
            "The kept prices of eu-west-1 are broken, and set aside."
        ]
    assert [p.name for p in file.parent.iterdir()] == ["eu-west-1.json.broken"]


async def test_a_broken_shipped_table_is_said_once_and_no_price_is_known(
    aws_env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_table, "SHIPPED_REGION", "xx-none-1")
    async with prices_of() as (prices, heard, _):
        for _ in range(2):
            assert prices.price(machine(region="us-east-1")) is None
        assert len([event for event in heard if isinstance(event, Noted)]) == 1


async def test_volumes_and_idle_addresses_count_when_their_price_is_known(
    aws_env: str, page: PageServer
) -> None:
    page.machines("EU (Ireland)", g5_xlarge=1.0)
    page.storage(gp3=0.073)
    async with Amazon() as amazon:
        client: Any = await amazon.client("ec2", "eu-west-1")
        await client.create_volume(Size=100, VolumeType="gp3", AvailabilityZone="eu-west-1a")
        await client.allocate_address(Domain="vpc")
    public = machine(public_ip="198.51.100.7")
    async with prices_of(public) as (prices, _, events):
        prices.start()
        shown = prices._inventory.state
        await until(lambda: prices.bill(shown.instances).storage_gib)
        bill = prices.bill(shown.instances)
        assert bill.storage == pytest.approx(0.01)
        assert (bill.idle, bill.in_use, bill.addresses) == (1, 1, 0.01)
        assert bill.hourly == pytest.approx(1.02)
        assert prices.bill(shown.instances, rest=False).hourly == pytest.approx(1.005)
        gone = replace(public, state=State.TERMINATED)
        assert prices.bill([gone, machine()]).in_use == 0
        events.emit(InventoryChanged(shown))


async def test_the_survey_says_what_has_no_price(aws_env: str) -> None:
    async with Amazon() as amazon:
        client: Any = await amazon.client("ec2", "eu-west-1")
        await client.create_volume(Size=100, VolumeType="gp3", AvailabilityZone="eu-west-1a")
        await client.allocate_address(Domain="vpc")
    async with prices_of(machine()) as (prices, _, _):
        await prices.survey()
        bill = prices.bill([machine()])
        assert (bill.storage_unknown, bill.idle_unknown, bill.unknown) == (100, 1, 1)
