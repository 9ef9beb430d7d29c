"""Prices from AWS: the public maps behind its price pages, the Pricing API, and Spot history."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.model import price_page
from cloudtui.model.errors import CloudtuiError, Unreachable
from cloudtui.model.price import PriceTable, StoragePrices

PAGE = "https://b0.p.awsstatic.com"
PAGE_VARIABLE = "CLOUDTUI_PRICE_PAGE"
"""Names another server of the price maps; empty to ask none."""
SECONDS = 20.0
LIMIT = 16 * 1024 * 1024
"""Bytes of a map that are read."""
PRODUCTS_REGION = "us-east-1"
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_SPOT_PAGES = 10


async def own_cloud(amazon: Amazon, region: str) -> bool:
    """Whether EC2 is not AWS's own but an endpoint that the user set (the demo, moto, a proxy)."""
    with translated("look up prices", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        host = urlsplit(client.meta.endpoint_url).hostname or ""
    return not host.endswith(_AWS_HOSTS)


async def page_address(amazon: Amazon, region: str) -> str:
    """Where the price maps are; empty when nobody but the user's own endpoint is to be asked."""
    given = os.environ.get(PAGE_VARIABLE)
    if given is not None:
        return given.rstrip("/")
    return "" if await own_cloud(amazon, region) else PAGE


class PricePage:
    """The public price maps; documents of all regions are read once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._documents: dict[str, Any] = {}
        self._lock = asyncio.Lock()

    async def machines(self, region: str, system: str) -> PriceTable:
        """On-demand prices of a region.

        Raises:
            CloudtuiError: the page was not reached, or does not have them.
        """
        names = await self._names(region)
        failure: CloudtuiError | None = None
        for name in names:
            path = price_page.machines_page(name, system)
            try:
                document = await self._get(path)
                return price_page.machines(document, names, region, system, _today())
            except ValueError as error:
                failure = _unreadable(path, error)
            except CloudtuiError as error:
                failure = error
        raise failure or Unreachable(f"AWS's price page does not know the region {region}.")

    async def storage(self, region: str) -> StoragePrices:
        """What volumes and idle addresses of a region cost; what is not there is left out.

        Raises:
            CloudtuiError: neither map was reached.
        """
        names = await self._names(region)
        documents: list[Any] = []
        failure: CloudtuiError | None = None
        for path in (price_page.STORAGE, price_page.ADDRESSES):
            try:
                documents.append(await self._shared(path))
            except CloudtuiError as error:
                documents.append(None)
                failure = error
        if failure and documents == [None, None]:
            raise failure
        try:
            return price_page.storage(documents[0], documents[1], names, _today())
        except ValueError as error:
            raise _unreadable(price_page.STORAGE, error) from error

    async def _names(self, region: str) -> tuple[str, ...]:
        try:
            known = price_page.locations(await self._shared(price_page.LOCATIONS))
        except ValueError as error:
            raise _unreadable(price_page.LOCATIONS, error) from error
        return known.get(region, ())

    async def _shared(self, path: str) -> Any:
        async with self._lock:
            if path not in self._documents:
                self._documents[path] = await self._get(path)
            return self._documents[path]

    async def _get(self, path: str) -> Any:
        url = f"{self._address}/{path}"
        host = urlsplit(url).netloc
        try:
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                # The path is quoted already; redirects could lead anywhere.
                session.get(_as_written(url), allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise Unreachable(f"AWS's price page answered {answer.status}.", url)
                body = await answer.content.read(LIMIT + 1)
                while len(body) <= LIMIT and (more := await answer.content.read(LIMIT)):
                    body += more
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            why = str(error) or "it did not answer in time"
            raise Unreachable(f"AWS's price page ({host}) was not reached.", why) from error
        if len(body) > LIMIT:
            raise _unreadable(path, ValueError("it is too large"))
        try:
            return await asyncio.to_thread(json.loads, body)
        except (ValueError, RecursionError) as error:
            raise _unreadable(path, ValueError("it is no JSON")) from error


async def product_price(amazon: Amazon, region: str, kind: str) -> tuple[float, date] | None:
    """Linux on-demand dollars an hour of a type by the Pricing API, and the day they are from;
    None when the API does not have them.

    Raises:
        CloudtuiError: it was not reached, or pricing:GetProducts is not allowed.
    """
    wanted = {
        "instanceType": kind,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    with translated("look up prices", PRODUCTS_REGION, amazon.profile):
        client: Any = await amazon.client("pricing", PRODUCTS_REGION)
        answer = await client.get_products(
            ServiceCode="AmazonEC2",
            Filters=[
                {"Type": "TERM_MATCH", "Field": name, "Value": value}
                for name, value in wanted.items()
            ],
            MaxResults=100,
        )
    try:
        return price_page.product(answer.get("PriceList", ()), kind, region)
    except (ValueError, KeyError) as error:
        raise Unreachable("The Pricing API's answer cannot be read.", str(error)) from error


async def spot_prices(
    amazon: Amazon, region: str, kinds: Iterable[str], systems: Iterable[str]
) -> Mapping[tuple[str, str, str], tuple[float, date]]:
    """Spot dollars an hour by (type, zone, platform) as they are now, with their day.

    `systems` are EC2's platform details, such as `Linux/UNIX`.

    Raises:
        CloudtuiError: AWS was not reached or refused.
    """
    found: dict[tuple[str, str, str], tuple[float, datetime]] = {}
    names = sorted({name for system in systems for name in (system, f"{system} (Amazon VPC)")})
    token = ""
    for _ in range(_SPOT_PAGES):
        with translated("look up Spot prices", region, amazon.profile):
            client: Any = await amazon.client("ec2", region)
            more = {"NextToken": token} if token else {}
            answer = await client.describe_spot_price_history(
                InstanceTypes=sorted(set(kinds)),
                ProductDescriptions=names,
                StartTime=datetime.now(UTC),
                **more,
            )
        for entry in answer.get("SpotPriceHistory", ()):
            system = entry["ProductDescription"].removesuffix(" (Amazon VPC)")
            key = (entry["InstanceType"], entry["AvailabilityZone"], system)
            moment = entry["Timestamp"]
            if key not in found or moment > found[key][1]:
                found[key] = (float(entry["SpotPrice"]), moment)
        token = answer.get("NextToken", "")
        if not token:
            break
    return {key: (price, moment.date()) for key, (price, moment) in found.items()}


def _as_written(url: str) -> Any:
    from yarl import URL

    return URL(url, encoded=True)


def _today() -> date:
    return datetime.now(UTC).date()


def _unreadable(path: str, error: ValueError) -> CloudtuiError:
    return Unreachable(f"AWS's price page has changed: {error}.", path)
