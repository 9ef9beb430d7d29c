"""What lets traffic in and out of machines: looked up, opened to the user's address, closed."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.details import Details
from cloudtui.core.inventory import Inventory
from cloudtui.files.settings import Settings
from cloudtui.model import access as plans
from cloudtui.model.access import Access, Closing, GroupChange, Opening
from cloudtui.model.errors import READ_ONLY, CloudtuiError, NotFound, QuotaReached, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.security_group import SSH, Group, Interface, Rule, Viewer, cidr, who

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

FRESH = timedelta(seconds=60)
"""How long the user's public address is taken for the same."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a plan."""

    added: tuple[Rule, ...] = ()
    removed: tuple[Rule, ...] = ()
    gone: tuple[Rule, ...] = ()
    """What was to be removed and was gone already."""


class SecurityGroups:
    """Nothing but the user's public address is kept here, and that for a minute."""

    def __init__(
        self,
        inventory: Inventory,
        connections: Connections,
        details: Details,
        settings: Settings,
        *,
        read_only: bool = False,
    ) -> None:
        self._inventory = inventory
        self._connections = connections
        self._details = details
        self._settings = settings
        self._read_only = read_only
        self._addresses: tuple[str, ...] = ()
        self._asked: datetime | None = None
        self._asking = asyncio.Lock()

    # Looking

    def viewer(self) -> Viewer:
        """Who the user is, with the addresses known so far; asks nobody."""
        return Viewer(who(_user(), socket.gethostname()), date.today(), self._addresses)

    async def my_addresses(self, *, fresh: bool = False) -> tuple[str, ...]:
        """This computer's public addresses, IPv4 first.

        Raises:
            Unreachable: no page told one.
        """
        async with self._asking:
            now = datetime.now(UTC)
            if fresh or self._asked is None or now - self._asked > FRESH:
                from cloudtui.aws.my_address import my_addresses

                self._addresses = await my_addresses(self._settings.address_urls)
                self._asked = now
        return self._addresses

    async def access(self, instance: Instance) -> Access:
        """The machine's groups with their rules, its network interfaces, and what else has the
        groups. What the credentials do not let be seen, interfaces or others, is in `problems`.

        Raises:
            Refused: the machine is terminated.
            CloudtuiError: AWS was not reached, or does not tell the groups.
        """
        if instance.state is State.TERMINATED:
            raise Refused(f"{instance.label} is terminated: it has no security groups any more.")
        from cloudtui.aws import security_groups as calls

        region = instance.region
        amazon = await self._inventory.amazon_for(instance)
        problems: list[str] = []
        own: tuple[Interface, ...] = ()
        try:
            own = await calls.interfaces(amazon, region, "attachment.instance-id", [instance.id])
        except CloudtuiError as error:
            problems.append(error.title)
        pairs = [pair for interface in own for pair in interface.groups]
        names = dict(pairs or instance.security_groups)
        found = {g.id: g for g in await calls.groups_of(amazon, region, names)}
        groups = tuple(found.get(i, Group(i, name)) for i, name in names.items())
        members, problem = await self._members(amazon, instance, groups)
        if problem and not problems:
            problems.append(problem)
        return Access(instance, groups, own, members, tuple(problems))

    async def _members(
        self, amazon: Amazon, instance: Instance, groups: Sequence[Group]
    ) -> tuple[dict[str, tuple[str, ...]], str]:
        """What else has each group; from the list of machines where EC2 does not tell."""
        from cloudtui.aws import security_groups as calls

        ids = [group.id for group in groups]
        rows = {i.id: i for i in self._inventory.state.instances}
        found: dict[str, list[str]] = {group: [] for group in ids}
        problem = ""
        try:
            found_there = await calls.interfaces(amazon, instance.region, "group-id", ids, pages=1)
            for other in found_there:
                if other.instance_id == instance.id:
                    continue
                row = rows.get(other.instance_id)
                label = row.spoken if row else other.instance_id or other.holder
                for group, _ in other.groups:
                    if group in found:
                        found[group].append(label)
        except CloudtuiError as error:
            problem = error.title
            for row in rows.values():
                if row.id != instance.id and row.state is not State.TERMINATED:
                    for group, _ in row.security_groups:
                        if group in found:
                            found[group].append(row.spoken)
        return {group: tuple(sorted(set(labels))) for group, labels in found.items()}, problem

    async def candidates(self, instance: Instance) -> tuple[Group, ...]:
        """Every group of the machine's VPC.

        Raises:
            CloudtuiError: AWS was not reached or refused.
        """
        from cloudtui.aws import security_groups as calls

        amazon = await self._inventory.amazon_for(instance)
        return await calls.groups_in(amazon, instance.region, instance.vpc_id)

    # Opening and closing

    async def plan_open(
        self,
        instance: Instance,
        ports: tuple[int, int] = (SSH, SSH),
        *,
        source: str = "",
        group: str = "",
    ) -> Opening:
        """What opening the TCP ports to `source`, else to the user's own address, would do.

        Raises:
            Refused: read-only mode, a terminated machine, no address that fits the machine's.
            UsageError: the source is no address or network, the group is not the machine's.
            Unreachable: the user's address is not known.
            CloudtuiError: AWS was not reached or refused.
        """
        self._may_change()
        instance = await self._inventory.confirmed(instance)
        access = await self.access(instance)
        if source:
            sources: tuple[str, ...] = (cidr(source),)
        else:
            sources = plans.fitting(instance, await self.my_addresses())
        plan = plans.opening(access, self.viewer(), sources, *ports, group, named=bool(source))
        jump = "" if source else await self._jump(instance)
        return replace(plan, cautions=(*plan.cautions, jump)) if jump else plan

    async def _jump(self, instance: Instance) -> str:
        """A caution for a machine that is reached through another one."""
        try:
            route = await self._connections.route(instance)
        except CloudtuiError:
            return ""
        if not route.jumps and not route.proxy_command:
            return ""
        through = route.jumps[-1].host if route.jumps else "a ProxyCommand"
        return (
            f"SSH to {instance.spoken} goes through {through}: its group has to let that in, and "
            "not your address."
        )

    async def open(self, plan: Opening) -> Changed:
        """Add the rules, then take the outdated ones away.

        Raises:
            Refused: read-only mode.
            QuotaReached: the group is full.
            CloudtuiError: EC2 refuses, or was not reached.
        """
        self._may_change()
        from cloudtui.aws import security_groups as calls

        amazon, region = await self._place(plan.access.instance)
        added: list[Rule] = []
        room = [(g, rule) for g, rule in plan.remove if g.id == plan.group.id]
        made_room: list[tuple[Group, Rule]] = []
        try:
            for rule in plan.add:
                try:
                    new = await calls.authorize(amazon, region, plan.group, rule)
                except QuotaReached:
                    if not room:
                        raise
                    # The outdated rule makes room for the new one.
                    group, old = room.pop(0)
                    await calls.revoke(amazon, region, group, old)
                    try:
                        new = await calls.authorize(amazon, region, plan.group, rule)
                    except CloudtuiError:
                        await calls.authorize(amazon, region, group, old)
                        raise
                    made_room.append((group, old))
                if new:
                    added.append(rule)
            left = [pair for pair in plan.remove if pair not in made_room]
            changed = await self._revoked(amazon, region, left)
        finally:
            await self._seen(plan.access)
        removed = (*(rule for _, rule in made_room), *changed.removed)
        return Changed(tuple(added), removed, changed.gone)

    async def plan_close(
        self,
        instance: Instance,
        ports: tuple[int, int] | None = None,
        *,
        source: str = "",
        group: str = "",
    ) -> Closing:
        """Which rules closing would take away: those from `source`, else those that cloudtui made
        for this user on this computer; with `ports` only those of exactly these TCP ports.

        Raises:
            Refused: read-only mode, a terminated machine.
            NotFound: there is no such rule.
            CloudtuiError: AWS was not reached or refused.
        """
        self._may_change()
        instance = await self._inventory.confirmed(instance)
        wanted = source if source.startswith(("sg-", "pl-")) or not source else cidr(source)
        access = await self.access(instance)
        await self._ask_quietly()
        viewer = self.viewer()
        found = plans.mine(access, viewer, ports, wanted)
        if group:
            chosen = access.group(group)
            found = tuple(pair for pair in found if pair[0].id == chosen.id)
        if not found:
            which = f"from {wanted}" if wanted else f"that cloudtui made for {viewer.who}"
            raise NotFound(
                f"No rule {which} is in the security groups of {instance.label}.",
                hint=f"Look at its rules: cloudtui hosts rules {instance.spoken}. Another one is "
                "closed with --from SOURCE and --port PORT.",
            )
        return plans.closing(access, found, viewer)

    async def plan_close_rule(self, access: Access, group: Group, rule: Rule) -> Closing:
        """What taking this one rule away would do.

        Raises:
            Refused: read-only mode.
        """
        self._may_change()
        await self._ask_quietly()
        return plans.closing(access, [(group, rule)], self.viewer())

    async def close(self, plan: Closing) -> Changed:
        """Take the rules away.

        Raises:
            Refused: read-only mode.
            CloudtuiError: EC2 refuses, or was not reached.
        """
        self._may_change()
        amazon, region = await self._place(plan.access.instance)
        try:
            return await self._revoked(amazon, region, plan.rules)
        finally:
            await self._seen(plan.access)

    async def _revoked(
        self, amazon: Amazon, region: str, rules: Sequence[tuple[Group, Rule]]
    ) -> Changed:
        from cloudtui.aws import security_groups as calls

        removed: list[Rule] = []
        gone: list[Rule] = []
        for group, rule in rules:
            try:
                await calls.revoke(amazon, region, group, rule)
                removed.append(rule)
            except NotFound:
                gone.append(rule)
        return Changed(removed=tuple(removed), gone=tuple(gone))

    # The groups of a machine

    async def plan_groups(
        self, instance: Instance, wanted: Sequence[str], *, interface_id: str = ""
    ) -> GroupChange:
        """What giving the machine, or one of its interfaces, exactly these groups would do.

        Raises:
            Refused: read-only mode; several interfaces and none named; a terminated machine.
            UsageError: no group at all, or one that is not of its VPC.
            CloudtuiError: AWS was not reached or refused.
        """
        self._may_change()
        instance = await self._inventory.confirmed(instance)
        access, known = await asyncio.gather(self.access(instance), self.candidates(instance))
        await self._ask_quietly()
        return plans.group_change(access, known, wanted, self.viewer(), interface_id)

    async def set_groups(self, plan: GroupChange) -> None:
        """Give the machine the groups of the plan.

        Raises:
            Refused: read-only mode.
            CloudtuiError: EC2 refuses, or was not reached.
        """
        self._may_change()
        from cloudtui.aws import security_groups as calls

        instance = plan.access.instance
        amazon, _ = await self._place(instance)
        several = len(plan.access.interfaces) > 1
        await calls.set_groups(
            amazon, instance, [g.id for g in plan.after], plan.interface_id if several else ""
        )
        self._inventory.refresh()
        await self._seen(plan.access)

    # Parts

    async def _ask_quietly(self) -> None:
        """Know the user's address for what is told; without it the plan stands all the same."""
        try:
            await self.my_addresses()
        except CloudtuiError:
            return

    async def _place(self, instance: Instance) -> tuple[Amazon, str]:
        return await self._inventory.amazon_for(instance), instance.region

    async def _seen(self, access: Access) -> None:
        """Let the details show the rules as they are now."""
        await self._details.again(access.instance, "groups")

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change security groups.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without an entry, in a container
        return "unknown"
