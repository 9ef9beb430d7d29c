"""This computer's public addresses, as AWS sees them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp

from cloudtui.model.errors import CloudtuiError, Unreachable
from cloudtui.model.security_group import address_in

SECONDS = 5.0
"""For one page and one kind of address."""
LONGEST = 256
"""Bytes of an answer that may still be an address."""
_VERSIONS: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 6}
_HINT = (
    "Give the address yourself with --from ADDRESS, or name another page under address_urls in "
    "settings.yaml."
)


async def my_addresses(urls: Sequence[str]) -> tuple[str, ...]:
    """The public IPv4 and IPv6 address of this computer, IPv4 first; one that it does not have is
    left out. The pages are asked in order, straight and not through a proxy, as SSH goes.

    Raises:
        Unreachable: no page answered with an address.
    """
    told = await asyncio.gather(
        *(_first(urls, family) for family in (socket.AF_INET, socket.AF_INET6))
    )
    found = [answer for answer in told if isinstance(answer, str)]
    if not found:
        assert isinstance(told[0], CloudtuiError)
        raise told[0]
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda a: ipaddress.ip_address(a).version))


async def _first(urls: Sequence[str], family: int) -> str | CloudtuiError:
    failure = CloudtuiError(
        "Your public address is not known: no page that tells it is set.", hint=_HINT
    )
    for url in urls:
        try:
            return await _asked(url, family)
        except CloudtuiError as error:
            failure = error
    return failure


async def _asked(url: str, family: int) -> str:
    host = urlsplit(url).netloc or url
    if _version(urlsplit(url).hostname or "") not in (0, _VERSIONS[family]):
        raise _unknown(f"{host} is no IPv{_VERSIONS[family]} address", "")
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(family=socket.AddressFamily(family)),
                timeout=aiohttp.ClientTimeout(total=SECONDS),
            ) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            body = b""
            async for part in answer.content.iter_chunked(LONGEST):
                body += part
                if len(body) > LONGEST:
                    raise ValueError("it is too long")
            if answer.status != 200:
                raise ValueError(f"it answered with HTTP {answer.status}")
            return address_in(body.decode("ascii"))
    except TimeoutError as error:
        raise _unknown(f"{host} did not answer within {SECONDS:g} s", "") from error
    except (aiohttp.ClientError, OSError) as error:
        raise _unknown(f"{host} was not reached", str(error)) from error
    except ValueError as error:
        detail = str(error) if "HTTP" in str(error) else "A network's login page may be in between."
        raise _unknown(f"what {host} answered is no address", detail) from error


def _version(host: str) -> int:
    """4 or 6 for an address, 0 for a name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def _unknown(why: str, detail: str) -> Unreachable:
    return Unreachable(f"Your public address is not known: {why}.", detail, _HINT)
