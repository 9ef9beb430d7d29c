"""EC2: instances, regions and images as the model's nouns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.aws.listing import instances, read_page
from cloudtui.aws.quiet import LISTING, beside
from cloudtui.model.errors import CredentialsProblem
from cloudtui.model.instance import Instance

PAGE_SIZE = 1000
"""The most instances EC2 puts on a page."""

_FILTER_VALUES = 200
"""The most values EC2 takes for one filter."""


_Body = tuple[bytes, str]
"""An answer that is not parsed yet, and the token of the next one."""


async def list_instances(amazon: Amazon, region: str) -> AsyncIterator[tuple[Instance, ...]]:
    """The instances of a region, a page of at most 1,000 at a time; an empty region gives one
    empty page. The next page is on its way while one is parsed beside the loop.

    Raises:
        CloudtuiError: AWS was not reached, refused, or answered something else.
    """

    def read(body: bytes) -> tuple[tuple[Instance, ...], str]:
        page = read_page(body)
        return instances(page, region, amazon.profile), page.next_token

    coming: asyncio.Task[_Body] | None = asyncio.create_task(_page(amazon, region, ""))
    try:
        while coming:
            body, early = await coming
            coming = asyncio.create_task(_page(amazon, region, early)) if early else None
            with translated("list instances", region, amazon.profile):
                rows, token = await beside(partial(read, body))
            if token != early:
                await _dropped(coming)
                coming = asyncio.create_task(_page(amazon, region, token)) if token else None
            yield rows
    finally:
        await _dropped(coming)


async def _page(amazon: Amazon, region: str, token: str) -> _Body:
    try:
        return await _answer(amazon, region, token)
    except CredentialsProblem:
        amazon.forget()  # what is on disk next time may be good
        raise


async def _answer(amazon: Amazon, region: str, token: str) -> _Body:
    with translated("list instances", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        more = {"NextToken": token} if token else {}
        listing = LISTING.set(True)
        try:
            answer = await client.describe_instances(MaxResults=PAGE_SIZE, **more)
        finally:
            LISTING.reset(listing)
    return answer["Body"], answer["NextToken"]


async def _dropped(task: asyncio.Task[_Body] | None) -> None:
    """Give up a page that nobody will read."""
    if task and not task.done():
        task.cancel()
        await asyncio.wait([task])
    if task and not task.cancelled():
        task.exception()


async def enabled_regions(amazon: Amazon) -> tuple[str, ...]:
    """The names of the regions that the account can use, sorted."""
    home = amazon.home_region
    with translated("list regions", home, amazon.profile):
        client = await amazon.client("ec2", home)
        answer = await client.describe_regions()
    return tuple(sorted(region["RegionName"] for region in answer.get("Regions", ())))


async def image_names(
    amazon: Amazon, region: str, image_ids: Iterable[str]
) -> dict[str, tuple[str, str]]:
    """Name and description of each image by id; images that are gone or not shared are left out."""
    ids = sorted(set(image_ids) - {""})
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(ids), _FILTER_VALUES):
        wanted = ids[start : start + _FILTER_VALUES]
        with translated("look up images", region, amazon.profile):
            client = await amazon.client("ec2", region)
            # A filter, because ImageIds fails as a whole when one image is gone.
            answer = await client.describe_images(
                Filters=[{"Name": "image-id", "Values": wanted}], IncludeDeprecated=True
            )
        for image in answer.get("Images", ()):
            found[image["ImageId"]] = (image.get("Name", ""), image.get("Description", ""))
    return found
