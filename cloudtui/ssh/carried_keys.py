"""Host keys known by an address become known by the instance's id, when they are its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import asyncssh

from cloudtui.model.remote import Route
from cloudtui.ssh import hostkeys
from cloudtui.ssh.proxy import Proxy

SECONDS = 5.0
"""How long the machine has to show its key."""


async def carry(route: Route, addresses: Iterable[str]) -> bool:
    """Whether a key on record for one of the addresses came along.

    The machine is asked to show it, without a login: an address may have been another machine's
    when its key was written down. One that is not reached in time, or only through jump hosts,
    keeps its key where it is.

    Raises:
        CloudtuiError: known_hosts cannot be written.
    """
    known = await asyncio.to_thread(hostkeys.known_at, route, tuple(addresses))
    shown = await _shown(route, known) if known and not route.jumps else None
    if shown is None or shown not in known:
        return False
    await asyncio.to_thread(hostkeys.put_under_id, route, shown)
    return True


async def _shown(route: Route, known: Sequence[asyncssh.SSHKey]) -> asyncssh.SSHKey | None:
    """The key that the server has of one of the known types."""
    types = {key.get_algorithm() for key in known}
    algorithms = [
        a for a in hostkeys.ALGORITHMS if a in types or ("ssh-rsa" in types and "rsa-sha2" in a)
    ]
    proxy = await Proxy.start(route.proxy_command) if route.proxy_command else None
    try:
        async with asyncio.timeout(SECONDS):
            return await asyncssh.get_server_host_key(
                route.host,
                route.port,
                sock=proxy.sock if proxy else None,
                config=None,
                server_host_key_algs=algorithms,
            )
    except (TimeoutError, OSError, asyncssh.Error):
        return None
    finally:
        if proxy:
            await proxy.close()
