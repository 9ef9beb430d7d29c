"""Keeps one host behind each running instance, as EC2's state and addresses change."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

import asyncssh

from cloudtui.demo import behaviours, off
from cloudtui.demo.ec2 import Ec2
from cloudtui.demo.folder import Plan, write_host_ports
from cloudtui.demo.host import Host
from cloudtui.demo.reaper import Reaper

LOOK_SECONDS = 0.5
"""Between two looks for a host that shuts itself down."""


class Hosts:
    """Every host of the demo, by instance id."""

    def __init__(self, plan: Plan, ec2: Ec2, reaper: Reaper) -> None:
        self._plan, self._ec2, self._reaper = plan, ec2, reaper
        self._hosts: dict[str, Host] = {}
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def changed(self) -> None:
        """Something may have changed in EC2; may be called from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def settle(self) -> None:
        """Bring the hosts in line with EC2, once."""
        await asyncio.gather(
            *(self._settle(region, instance) for region, instance in self._ec2.instances())
        )
        if not self._plan.network:
            self._name_ports()

    async def follow(self) -> None:
        """Bring them in line after every change, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)
            if await self._switch_off() or self._changed.is_set():
                self._changed.clear()
                await self.settle()

    async def _switch_off(self) -> bool:
        """Do to EC2's instances what their hosts asked for themselves; whether there were any."""
        wanted = [
            (region, instance)
            for region, instance in self._ec2.instances()
            if (host := self._hosts.get(instance.id)) and host.address and off.asked(host.folder)
        ]
        for region, instance in wanted:
            await asyncio.to_thread(off.switch_off, self._ec2, region, instance)
        return bool(wanted)

    async def end(self) -> None:
        """Shut all down."""
        await asyncio.gather(*(host.shut_down() for host in self._hosts.values()))

    async def _settle(self, region: str, instance: Any) -> None:
        host = self._hosts.get(instance.id)
        address = (instance.public_ip or "") if instance.state == "running" else ""
        boots = behaviours.boots(instance)
        if host and host.address and (not address or boots != host.boots):
            await host.shut_down()
        if not address:
            return
        if host is None:
            public_key = self._ec2.public_key(region, instance.key_name)
            if not public_key:
                return
            name = next((t["value"] for t in instance.get_tags() if t["key"] == "Name"), "")
            kind = instance.instance_type
            host = Host(self._plan, self._reaper, instance.id, name, public_key, kind)
            self._hosts[instance.id] = host
        try:
            if not host.address:
                host.boots = boots
                await host.boot(address)
            elif host.address != address:
                await host.listen(address)
        except (OSError, asyncssh.Error) as error:
            sys.stderr.write(f"{instance.id} has no SSH server on {address}: {error}\n")

    def _name_ports(self) -> None:
        """Tell the ssh config which port of 127.0.0.1 is which host's."""
        ports = {host.address: host.port for host in self._hosts.values() if host.address}
        write_host_ports(self._plan, ports)
