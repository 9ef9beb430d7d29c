"""What cloudtui's listing is measured against, each in a process of its own.

`python -m benchmarks.inventory_peers NAME WHAT [REGION ...]` prints one line for each instance
(`list`), or the seconds of a second listing and the longest stall of the event loop (`again`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TICK = 0.001
REFRESHES = 3


def line(instance: Any) -> str:
    """A row as a short script of a user would print it."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
    return f"{tags.get('Name', '-')} {instance['InstanceId']} {instance['State']['Name']}"


def rows(pages: Iterable[Any]) -> list[str]:
    return [
        line(instance)
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def boto3_list(regions: list[str], threads: int = 1) -> list[str]:
    import boto3

    session = boto3.Session()

    def region_rows(client: Any) -> list[str]:
        return rows(client.get_paginator("describe_instances").paginate())

    clients = (session.client("ec2", region_name=region) for region in regions)
    if threads == 1:
        return [row for client in clients for row in region_rows(client)]
    with ThreadPoolExecutor(threads) as pool:
        return [row for found in pool.map(region_rows, clients) for row in found]


def boto3_again(region: str) -> tuple[float, float]:
    import boto3

    client = boto3.client("ec2", region_name=region)

    def look() -> None:
        rows(client.get_paginator("describe_instances").paginate())

    look()
    taken = []
    for _ in range(REFRESHES):
        began = time.perf_counter()
        look()
        taken.append(time.perf_counter() - began)
    return min(taken), 0.0


async def aio_rows(client: Any) -> list[str]:
    pages = client.get_paginator("describe_instances").paginate()
    return rows([page async for page in pages])


async def aiobotocore_list(regions: list[str]) -> list[str]:
    from aiobotocore.session import get_session

    session = get_session()

    async def one(region: str) -> list[str]:
        async with session.create_client("ec2", region_name=region) as client:
            return await aio_rows(client)

    return [row for found in await asyncio.gather(*map(one, regions)) for row in found]


async def aiobotocore_again(region: str) -> tuple[float, float]:
    from aiobotocore.session import get_session

    async with get_session().create_client("ec2", region_name=region) as client:

        async def look() -> None:
            await aio_rows(client)

        return await watched(look)


async def cloudtui_again(region: str) -> tuple[float, float]:
    from cloudtui.aws.clients import Amazon
    from cloudtui.aws.ec2 import list_instances
    from cloudtui.files.cache import FileCache

    async with Amazon(cache=FileCache(lambda *_: None)) as amazon:

        async def look() -> None:
            async for _page in list_instances(amazon, region):
                pass

        return await watched(look)


async def watched(look: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Seconds of the quickest repetition, and of the longest stall of the loop in it."""
    await look()
    found = []
    for _ in range(REFRESHES):
        stalls = [0.0]

        async def feel(stalls: list[float] = stalls) -> None:
            last = time.perf_counter()
            while True:
                await asyncio.sleep(TICK)
                now = time.perf_counter()
                stalls.append(now - last - TICK)
                last = now

        feeling = asyncio.create_task(feel())
        await asyncio.sleep(10 * TICK)
        began = time.perf_counter()
        await look()
        taken = time.perf_counter() - began
        await asyncio.sleep(10 * TICK)  # what held the loop at the end is felt now
        found.append((taken, max(stalls)))
        feeling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeling
    return min(taken for taken, _ in found), min(stall for _, stall in found)


def main(name: str, what: str, regions: list[str]) -> None:
    regions = regions or [os.environ["AWS_REGION"]]
    if what == "again":
        taken, stall = {
            "boto3": lambda: boto3_again(regions[0]),
            "aiobotocore": lambda: asyncio.run(aiobotocore_again(regions[0])),
            "cloudtui": lambda: asyncio.run(cloudtui_again(regions[0])),
        }[name]()
        print(taken, stall)
        return
    found = {
        "boto3": lambda: boto3_list(regions),
        "boto3-threads": lambda: boto3_list(regions, len(regions)),
        "aiobotocore": lambda: asyncio.run(aiobotocore_list(regions)),
    }[name]()
    print("\n".join(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
