"""Start, stop, hibernate, reboot, terminate: planned, tried dry, done and followed to the end."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.inventory import Inventory
from cloudtui.core.prices import Prices
from cloudtui.core.reboots import Reboots
from cloudtui.core.sessions import Sessions
from cloudtui.core.tunnels import AnyTunnels
from cloudtui.model.errors import READ_ONLY, CloudtuiError, CredentialsProblem, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.lifecycle import (
    UNKNOWN,
    Facts,
    Plan,
    Standing,
    Target,
    Ties,
    Verb,
    begins_to_cost,
    make,
)
from cloudtui.model.place import Place
from cloudtui.model.price import sum_up
from cloudtui.model.progress import Phase, Step, advanced, rebooted

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

LOOK_FIRST, LOOK_MOST = 1.0, 5.0
"""Seconds between two looks at what changes: at first, and at most."""

SESSIONS_SECONDS = 4.0
"""How long a machine is waited for to say which sessions would end."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trial:
    """What EC2 says to a dry run about one machine; None for `error` is that it would allow it."""

    target: Target
    error: CloudtuiError | None


class Lifecycle:
    """Nothing is kept here: what is asked of EC2 goes on without cloudtui."""

    def __init__(
        self,
        inventory: Inventory,
        connections: Connections,
        sessions: Sessions,
        tunnels: AnyTunnels,
        prices: Prices,
        *,
        read_only: bool,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inventory = inventory
        self._connections = connections
        self._sessions = sessions
        self._tunnels = tunnels
        self._prices = prices
        self._read_only = read_only
        self._sleep = sleep

    async def plan(
        self,
        verb: Verb,
        instances: Sequence[Instance],
        *,
        force: bool = False,
        look: bool = False,
    ) -> Plan:
        """What would be done to each, and what to know before; nothing is changed.

        With `look` the machines are asked which sessions would end, where a connection opens
        within seconds and without a question; else those last listed count.

        Raises:
            Refused: read-only mode.
            NotFound: a machine of an old listing is gone.
            CloudtuiError: its place cannot be listed.
        """
        self._may_change()
        confirmed = [
            await self._inventory.confirmed(i) for i in {i.id: i for i in instances}.values()
        ]
        open_to = [i for i in confirmed if make(verb, i, force=force).standing is Standing.POSSIBLE]
        places = _by_place(open_to)
        looked, unseen = await asyncio.gather(
            asyncio.gather(*(self._facts(place, verb, some) for place, some in places.items())),
            self._unseen(open_to if look and verb is not Verb.START else ()),
        )
        facts = {key: value for found, _ in looked for key, value in found.items()}
        problems = tuple(problem for _, told in looked for problem in told)
        targets = tuple(
            make(verb, i, facts.get(i.id, UNKNOWN), self._ties(i, unseen), force=force)
            for i in confirmed
        )
        if verb is not Verb.START:
            return Plan(verb, targets, force, problems)
        await self._prices.read_kept(i.region for i in open_to)
        targets = tuple(self._priced(target) for target in targets)
        return Plan(verb, targets, force, problems, self._together(open_to))

    def _priced(self, target: Target) -> Target:
        if target.standing is not Standing.POSSIBLE:
            return target
        price = self._prices.price(target.instance)
        cost = begins_to_cost(price, "" if price else self._prices.why_unknown(target.instance))
        return replace(target, cautions=(*target.cautions, cost))

    def _together(self, machines: Sequence[Instance]) -> str:
        bill = sum_up(map(self._prices.price, machines))
        return f"Together they cost {bill.words}." if len(machines) > 1 else ""

    async def dry_run(self, plan: Plan) -> tuple[Trial, ...]:
        """Ask EC2 whether it would allow the plan; EC2 looks at permissions and changes nothing.

        Raises:
            Refused: read-only mode.
        """
        self._may_change()
        outcomes = await self._ask(plan, dry_run=True)
        return tuple(Trial(t, outcomes.get(t.instance.id, t.error)) for t in plan.targets)

    async def perform(self, plan: Plan, *, wait: bool = True) -> AsyncIterator[Step]:
        """Do what is possible of the plan and follow each machine to its end.

        Every machine's first step is what EC2 said to it. Leaving the iterator leaves EC2 at work;
        so does the end of `plan.verb.patience`, with a step that is LEFT. Without `wait` the first
        steps are all.

        Raises:
            Refused: read-only mode.
        """
        self._may_change()
        reboots = Reboots(self._connections)
        try:
            seen: Collection[str] = ()
            if plan.verb is Verb.REBOOT and wait:
                seen = await reboots.begin(target.instance for target in plan.possible)
            begun = asyncio.get_running_loop().time()
            outcomes = await self._ask(plan, dry_run=False)
            going: dict[str, Step] = {}
            for target in plan.targets:
                step = _begun(plan, target, outcomes, seen)
                if not step.ended:
                    going[step.before.id] = step
                yield step
            if not wait:
                self._inventory.follow(going)
            elif plan.verb is Verb.REBOOT:
                async for step in self._follow_reboots(reboots, going, begun):
                    yield step
            else:
                with self._inventory.in_hand(tuple(going)):
                    async for step in self._follow(plan.verb, going, begun):
                        yield step
        finally:
            await reboots.close()

    async def _follow_reboots(
        self, reboots: Reboots, going: dict[str, Step], begun: float
    ) -> AsyncIterator[Step]:
        while going:
            await self._sleep(LOOK_FIRST)
            seen = await reboots.look(going)
            elapsed = asyncio.get_running_loop().time() - begun
            for key, answers in seen.items():
                step = going[key] = rebooted(going[key], answers, elapsed)
                if step.ended:
                    del going[key]
                yield step

    async def _follow(
        self, verb: Verb, going: dict[str, Step], begun: float
    ) -> AsyncIterator[Step]:
        loop, pause = asyncio.get_running_loop(), LOOK_FIRST
        while going:
            await self._sleep(pause)
            pause = min(pause * 1.5, LOOK_MOST)
            places = _by_place([step.before for step in going.values()])
            looks = await asyncio.gather(*(self._look(p, some) for p, some in places.items()))
            elapsed = loop.time() - begun
            for some, found in zip(places.values(), looks, strict=True):
                for instance in some:
                    step = self._next(verb, going[instance.id], found, elapsed)
                    going[instance.id] = step
                    if step.ended:
                        del going[instance.id]
                    yield step

    def _next(
        self, verb: Verb, old: Step, found: dict[str, Instance] | CloudtuiError, elapsed: float
    ) -> Step:
        if isinstance(found, CredentialsProblem):
            ended = CredentialsProblem(
                f"{old.before.label} was asked for, and cannot be followed: {found.title}",
                found.detail,
                found.hint,
                found.login,
            )
            return replace(old, phase=Phase.FAILED, elapsed=elapsed, error=ended)
        if not isinstance(found, CloudtuiError):
            step = advanced(old, found.get(old.before.id), elapsed)
            if step.ended:
                return step
            old = step
        if elapsed > verb.patience:
            error = found if isinstance(found, CloudtuiError) else None
            return replace(old, phase=Phase.LEFT, elapsed=elapsed, error=error)
        return replace(old, elapsed=elapsed)

    async def _look(
        self, place: Place, some: Sequence[Instance]
    ) -> dict[str, Instance] | CloudtuiError:
        try:
            return await self._inventory.look(place, [i.id for i in some])
        except CloudtuiError as error:
            return error

    async def _ask(self, plan: Plan, *, dry_run: bool) -> dict[str, CloudtuiError | None]:
        from cloudtui.aws import lifecycle

        async def ask(place: Place, some: Sequence[Instance]) -> dict[str, CloudtuiError | None]:
            try:
                amazon = await self._inventory.amazon_for(some[0])
            except CloudtuiError as error:
                return dict.fromkeys((i.id for i in some), error)
            return await lifecycle.change(
                amazon, place.region, plan.verb, some, force=plan.force, dry_run=dry_run
            )

        places = _by_place([target.instance for target in plan.possible])
        asked = await asyncio.gather(*(ask(place, some) for place, some in places.items()))
        return {key: told for part in asked for key, told in part.items()}

    async def _facts(
        self, place: Place, verb: Verb, some: Sequence[Instance]
    ) -> tuple[dict[str, Facts], list[CloudtuiError]]:
        amazon: Amazon = await self._inventory.amazon_for(some[0])
        from cloudtui.aws import lifecycle

        return await lifecycle.facts(amazon, place.region, verb, some)

    async def _unseen(self, machines: Iterable[Instance]) -> dict[str, str]:
        """List the sessions of those that run; why not, by id, where that failed."""
        running = [i for i in machines if i.state is State.RUNNING]
        reasons = await asyncio.gather(*map(self._why_unseen, running))
        return {i.id: why for i, why in zip(running, reasons, strict=True) if why}

    async def _why_unseen(self, instance: Instance) -> str:
        before = self._connections.peek(instance)
        try:
            async with asyncio.timeout(SESSIONS_SECONDS):
                state = await self._sessions.list(instance, ask=False)
        except TimeoutError:
            return f"no answer within {SESSIONS_SECONDS:.0f} s."
        finally:
            if before is None and (opened := self._connections.peek(instance)):
                await opened.close()
        return state.error.title if state.error else ""

    def _ties(self, instance: Instance, unseen: Mapping[str, str]) -> Ties:
        listing = self._sessions.state(instance.id).listing
        return Ties(
            sessions=tuple(s.name for s in listing.sessions if not s.dead) if listing else (),
            ports=tuple(t.local_port for t in self._tunnels.states if t.instance_id == instance.id),
            connected=self._connections.peek(instance) is not None,
            unseen=unseen.get(instance.id, ""),
        )

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change machines.")


def _begun(
    plan: Plan,
    target: Target,
    outcomes: dict[str, CloudtuiError | None],
    seen: Collection[str],
) -> Step:
    """The first step of a machine: what EC2, or the plan, says to it; `seen` are those whose
    reboot can be followed."""
    instance, verb = target.instance, plan.verb
    match target.standing:
        case Standing.DONE:
            return Step(verb, instance, instance, Phase.DONE)
        case Standing.UNDER_WAY:
            return Step(verb, instance, instance, Phase.CHANGING)
        case Standing.IMPOSSIBLE:
            return Step(verb, instance, instance, Phase.FAILED, error=target.error)
    error = outcomes[instance.id]
    if error is not None:
        return Step(verb, instance, instance, Phase.FAILED, error=error)
    done = verb is Verb.REBOOT and instance.id not in seen
    return Step(verb, instance, instance, Phase.DONE if done else Phase.ASKED)


def _by_place(instances: Sequence[Instance]) -> dict[Place, list[Instance]]:
    places: dict[Place, list[Instance]] = {}
    for instance in instances:
        places.setdefault(Place(instance.profile, instance.region), []).append(instance)
    return places
