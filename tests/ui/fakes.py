"""A workbench of the same shape as core's, with a fleet in memory and nothing behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, cast

from textual.pilot import Pilot

from cloudtui.core.all_sessions import HostSessions
from cloudtui.core.attachment import AttachmentEnd
from cloudtui.core.events import (
    Event,
    Events,
    InventoryChanged,
    InventoryState,
    Listener,
    Note,
    Noted,
    SessionsChanged,
    SessionsState,
    TunnelsChanged,
)
from cloudtui.core.jupyter import ANY, Wish
from cloudtui.core.links import Reached
from cloudtui.core.rules import CHANGES, LIFECYCLE, NEEDS_HOST
from cloudtui.files.settings import Settings
from cloudtui.model.environment import Environment
from cloudtui.model.errors import READ_ONLY, CloudtuiError, NotFound
from cloudtui.model.finding import Identity
from cloudtui.model.instance import Instance, State, why_not_connect
from cloudtui.model.lifecycle import Facts, Plan, Verb, make
from cloudtui.model.lifecycle import why_not as why_not_change
from cloudtui.model.listening import ListeningPort
from cloudtui.model.notebook import JupyterServer, OpenJupyter
from cloudtui.model.preview import Pane, Preview
from cloudtui.model.progress import Phase, Step
from cloudtui.model.remote import Ask, Prompts
from cloudtui.model.session import Ending, Program, Session, SessionList
from cloudtui.model.tunnel import TunnelPhase, TunnelSpec, TunnelState
from cloudtui.model.web_console import instance_page
from cloudtui.ui.app import CloudtuiApp
from tests.ui.fake_copies import FakeCopies
from tests.ui.fake_details import FakeDetails, FakePrices, FakeTags
from tests.ui.fake_hosts import Ways, hosts_over
from tests.ui.fake_jobs import FakeAlerts, FakeDigests, FakeJobs, FakeLastSeen, FakeUploads
from tests.ui.fake_keys import FakeConnections, FakeKeys
from tests.ui.fake_network import FakeAddresses, FakeSecurityGroups
from tests.ui.fake_notebooks import FakeNotebooks
from tests.ui.fake_recordings import FakeRecordings
from tests.ui.fake_vitals import FakeVitals

if TYPE_CHECKING:
    from cloudtui.core.workbench import Workbench

NOW = datetime.now(UTC)


def machine(number: int, name: str, state: State = State.RUNNING, **changes: Any) -> Instance:
    """An instance of the pretend fleet; `number` makes its id and addresses."""
    running = state is State.RUNNING
    given = Instance(
        id=f"i-0{number:04x}c0ffee{number:06x}",
        region="us-east-1",
        state=state,
        name=name,
        type="g5.2xlarge",
        zone="us-east-1a",
        public_ip=f"54.174.93.{number}" if running else "",
        public_dns=f"ec2-54-174-93-{number}.compute-1.amazonaws.com" if running else "",
        private_ip=f"10.0.1.{number}",
        key_name="team-nlp",
        image_id="ami-0c7217cdde317cfec",
        launched=NOW - timedelta(hours=5 * number, minutes=7 * number),
        vpc_id="vpc-0a1b2c3d",
        subnet_id="subnet-0f9e8d7c",
        security_groups=(("sg-0123456789abcdef0", "nlp-ssh"),),
        volume_ids=(f"vol-0{number:04x}facade",),
        tags={"Name": name, "team": "nlp"},
    )
    return replace(given, **changes)


FLEET = (
    machine(1, "bert-gpu", launched=NOW - timedelta(days=2, hours=4)),
    machine(2, "bert-gpu-2", State.PENDING, zone="us-east-1b", lifecycle="spot"),
    machine(3, "jupyter-lab", type="t3.medium"),
    machine(4, "data-prep", State.STOPPED, type="c6i.12xlarge", zone="us-east-1c", tags={}),
    machine(5, "llm-sweep", lifecycle="spot", type="g5.12xlarge", key_name="spot-fleet"),
    machine(6, "", State.TERMINATED, type="t3.micro", private_ip="", launched=None),
)

SESSIONS = (
    Session(Program.TMUX, "$0", "train", 3, 1, NOW - timedelta(hours=9), command="python3"),
    Session(Program.TMUX, "$4", "eval", 1, 0, NOW - timedelta(minutes=12)),
    Session(Program.SCREEN, "4711.prep", "prep", None, 0, NOW - timedelta(days=1)),
)
LISTING = SessionList(SESSIONS, "tmux 3.3a", "Screen version 4.09.00")


class FakeInventory:
    """`state` is set with `show`, which emits as core does."""

    def __init__(self, events: Events, state: InventoryState) -> None:
        self._events, self.state = events, state
        self.started = self.refreshed = 0
        self.followed: set[str] = set()
        self.enabled: tuple[str, ...] = ()
        self.wanted_regions: tuple[str, ...] = ()
        self.regions_shown: list[tuple[str, ...]] = []
        self.profiles_shown: list[tuple[str, ...]] = []

    def recall(self) -> None:
        pass

    def known_regions(self) -> tuple[str, ...]:
        return self.state.regions

    async def enabled_regions(self) -> tuple[str, ...]:
        return self.enabled

    def show_regions(self, regions: Sequence[str]) -> None:
        self.regions_shown.append(tuple(regions))

    def show_profiles(self, profiles: Sequence[str]) -> None:
        self.profiles_shown.append(tuple(profiles))

    def start(self) -> None:
        self.started += 1

    def refresh(self) -> None:
        self.refreshed += 1

    def show(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self._events.emit(InventoryChanged(self.state))


class FakeAttachment:
    """A terminal that prints what it is given and ends when told."""

    def __init__(self, on_data: Callable[[bytes], None]) -> None:
        self._on_data = on_data
        self.written = b""
        self.size = (0, 0)
        self.closed = False
        self.end: asyncio.Future[AttachmentEnd] = asyncio.get_running_loop().create_future()

    def print(self, text: str) -> None:
        self._on_data(text.encode())

    def write(self, data: bytes) -> None:
        self.written += data

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    async def wait(self) -> AttachmentEnd:
        return await asyncio.shield(self.end)

    async def close(self) -> None:
        self.closed = True
        if not self.end.done():
            self.end.set_result(AttachmentEnd(Ending.DETACHED, "Detached."))


class FakeSessions:
    """`answer` is what the host says; a `hold` that is not set keeps callers waiting."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._states: dict[str, SessionsState] = {}
        self.answer: SessionList | CloudtuiError = LISTING
        self.refusal: CloudtuiError | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.attached: list[FakeAttachment] = []
        self.answers: dict[str, SessionList | CloudtuiError] = {}
        """What single hosts say instead of `answer`, by name."""
        self.made: list[tuple[Program, str]] = []
        self.details: list[tuple[str, str]] = []
        """Folder and command of those made."""
        self.done: list[tuple[str, ...]] = []
        """What was done to sessions: verb, machine, session, more."""
        self.pictures: dict[str, Preview] = {}
        """What sessions show, by name."""
        self.looks = 0
        self.looking = self.most_looking = 0
        self.picture_hold = asyncio.Event()
        self.picture_hold.set()
        self.windows: tuple[Pane, ...] = ()
        self.listed = 0
        self.asking: list[bool] = []
        """Whether questions were allowed, each time it was listed."""

    def state(self, instance_id: str) -> SessionsState:
        return self._states.get(instance_id) or SessionsState(instance_id)

    def _set(self, state: SessionsState) -> SessionsState:
        self._states[state.instance_id] = state
        self._events.emit(SessionsChanged(state))
        return state

    async def list(self, instance: Instance, *, ask: bool = True) -> SessionsState:
        self.listed += 1
        self.asking.append(ask)
        old = self._set(replace(self.state(instance.id), loading=True))
        await self.hold.wait()
        answer = self.answers.get(instance.name, self.answer)
        if isinstance(answer, CloudtuiError):
            return self._set(replace(old, loading=False, error=answer))
        return self._set(SessionsState(instance.id, answer, updated=datetime.now(UTC)))

    async def preview(self, instance: Instance, session: Session, pane: str = "") -> Preview:
        self.looks += 1
        self.looking += 1
        self.most_looking = max(self.most_looking, self.looking)
        try:
            await self.picture_hold.wait()
        finally:
            self.looking -= 1
        if session.name not in self.pictures:
            raise NotFound(f"The session {session.name} has gone.")
        return self.pictures[session.name]

    async def panes(self, instance: Instance, session: Session) -> tuple[Pane, ...]:
        return self.windows

    async def choose(self, instance: Instance, session: Session, pane: Pane) -> Session:
        self._do("choose", instance, session, pane.id)
        return session

    async def rename(self, instance: Instance, session: Session, name: str) -> None:
        self._do("rename", instance, session, name)

    async def kill(self, instance: Instance, session: Session) -> None:
        self._do("kill", instance, session)

    async def detach(self, instance: Instance, session: Session) -> int:
        self._do("detach", instance, session)
        return session.attached

    async def wipe(self, instance: Instance) -> int:
        listing = self.state(instance.id).listing
        dead = [s for s in listing.sessions if s.dead] if listing else []
        for session in dead:
            self._do("wipe", instance, session)
        return len(dead)

    def _do(self, verb: str, instance: Instance, session: Session, *more: str) -> None:
        if self.refusal:
            raise self.refusal
        self.done.append((verb, instance.name, session.name, *more))

    async def new(
        self,
        instance: Instance,
        program: Program,
        name: str,
        command: str = "",
        folder: str = "",
    ) -> Session:
        if self.refusal:
            raise self.refusal
        self.made.append((program, name))
        self.details.append((folder, command))
        session = Session(program, f"${len(self.made) + 50}", name, 1, 0, datetime.now(UTC))
        if isinstance(self.answer, SessionList):
            self.answer = replace(self.answer, sessions=(*self.answer.sessions, session))
        await self.list(instance)
        return session

    async def attach(
        self,
        instance: Instance,
        session: Session,
        columns: int,
        rows: int,
        on_data: Callable[[bytes], None],
    ) -> FakeAttachment:
        return await self.shell(instance, columns, rows, on_data)

    async def shell(
        self, instance: Instance, columns: int, rows: int, on_data: Callable[[bytes], None]
    ) -> FakeAttachment:
        await self.hold.wait()
        if self.refusal:
            raise self.refusal
        attachment = FakeAttachment(on_data)
        attachment.size = (columns, rows)
        self.attached.append(attachment)
        return attachment


class FakeAllSessions:
    """Hosts in `connected` are asked by themselves, all of them with `ask`."""

    def __init__(self, inventory: FakeInventory, sessions: FakeSessions) -> None:
        self._inventory, self._sessions = inventory, sessions
        self.connected: set[str] = set()
        self.asked = 0
        self.stopped = False

    @property
    def hosts(self) -> tuple[HostSessions, ...]:
        running = [i for i in self._inventory.state.instances if i.state is State.RUNNING]
        return tuple(
            HostSessions(i, self._sessions.state(i.id), i.name in self.connected)
            for i in sorted(running, key=lambda i: i.name)
        )

    async def refresh(self, *, ask: bool = False) -> None:
        self.asked += ask
        try:
            for host in self.hosts:
                if ask or host.connected:
                    await self._sessions.list(host.instance, ask=ask)
        except asyncio.CancelledError:
            self.stopped = True
            raise

    async def reach_again(self) -> None:
        for host in self.hosts:
            if host.lost:
                self.connected.add(host.instance.name)
                await self._sessions.list(host.instance, ask=False)


class FakeTunnels:
    """The tunnels open now; opening fails with `refusal`."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.states: tuple[TunnelState, ...] = ()
        self.refusal: CloudtuiError | None = None
        self.opened: list[tuple[str, str, bool]] = []
        self.retried: list[str] = []
        self.watchers = 0
        self.resumed = False

    async def resume(self) -> None:
        self.resumed = True

    @contextmanager
    def watched(self) -> Iterator[None]:
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    async def open(
        self, instance: Instance, spec: TunnelSpec, *, label: str = "", search: bool = False
    ) -> TunnelState:
        self.opened.append((instance.name, f"{spec.direction} {spec}", search))
        if self.refusal:
            raise self.refusal
        state = TunnelState(
            instance.id,
            label or f"{spec.name} on {instance.spoken}",
            spec.listen_port,
            spec.port,
            TunnelPhase.UP,
            datetime.now(UTC),
            direction=spec.direction,
            machine=instance.spoken,
        )
        self.show(*self.states, state)
        return state

    async def retry(self, key: str) -> None:
        self.retried.append(key)

    async def close_all(self) -> None:
        self.show()

    def show(self, *states: TunnelState) -> None:
        self.states = states
        self._events.emit(TunnelsChanged(states))

    async def close_one(self, key: str) -> None:
        self.show(*(t for t in self.states if t.key != key))


class FakeLinks:
    """Addresses of machines lead to local port 9999, unless `refusal` is raised."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refusal: CloudtuiError | None = None

    async def reach(self, instance: Instance | None, url: str) -> Reached:
        self.asked.append((instance.name if instance else "", url))
        if self.refusal:
            raise self.refusal
        if instance is None:
            return Reached(url, "")
        return Reached("http://localhost:9999/", f"A port of {instance.name} is here.")


class FakeJupyter:
    """Opens at once, or fails with `refusal`; `hold` keeps it at its second step."""

    def __init__(self, tunnels: FakeTunnels) -> None:
        self._tunnels = tunnels
        self.refusal: CloudtuiError | None = None
        self.installed = True
        self.hold = asyncio.Event()
        self.hold.set()
        self.cancelled = False
        self.port = 8888
        self.wishes: list[Wish] = []
        self.found: tuple[Environment, ...] = ()

    async def environments(self, instance: Instance) -> tuple[Environment, ...]:
        if self.refusal:
            raise self.refusal
        return self.found

    async def forward(
        self,
        instance: Instance,
        server: JupyterServer,
        *,
        on_step: Callable[[str], None],
        local_port: int | None = None,
        started: bool = False,
    ) -> OpenJupyter:
        if self.refusal:
            raise self.refusal
        on_step("Checking that it answers through the tunnel")
        tunnel = TunnelState(
            instance.id, "Jupyter", self.port, server.port, TunnelPhase.UP, datetime.now(UTC)
        )
        self._tunnels.show(tunnel)
        return OpenJupyter(server, self.port, started, 8888, tunnel.key)

    async def open(
        self,
        instance: Instance,
        *,
        ask_install: Ask,
        on_step: Callable[[str], None],
        local_port: int | None = None,
        wish: Wish = ANY,
    ) -> OpenJupyter:
        self.wishes.append(wish)
        on_step(f"Connecting to {instance.label}")
        on_step("Looking for a running Jupyter server")
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if not self.installed:
            agreed = await ask_install("Jupyter is not installed. This runs: pip install jupyter")
            if not agreed:
                raise CloudtuiError("Jupyter is not installed there.")
        if self.refusal:
            raise self.refusal
        server = JupyterServer(8888, "s3cret-token")
        return await self.forward(instance, server, on_step=on_step, started=True)


class FakeLifecycle:
    """Plans unless `hold` keeps it; machines reach the goal unless `refusals` names them."""

    def __init__(self, inventory: FakeInventory) -> None:
        self._inventory = inventory
        self.facts: dict[str, Facts] = {}
        self.refusals: dict[str, CloudtuiError] = {}
        """By machine's name."""
        self.refusal: CloudtuiError | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.arrive = asyncio.Event()
        self.arrive.set()
        self.performed: list[Plan] = []

    async def plan(self, verb: Verb, instances: Sequence[Instance], *, force: bool = False) -> Plan:
        await self.hold.wait()
        if self.refusal:
            raise self.refusal
        known = self.facts
        return Plan(
            verb, tuple(make(verb, i, known.get(i.name, Facts()), force=force) for i in instances)
        )

    async def perform(self, plan: Plan, *, wait: bool = True) -> AsyncIterator[Step]:
        self.performed.append(plan)
        for target in plan.possible:
            now = target.instance
            error = self.refusals.get(now.name)
            yield Step(plan.verb, now, now, Phase.FAILED if error else Phase.ASKED, error=error)
        await self.arrive.wait()
        for target in plan.possible:
            if target.instance.name not in self.refusals:
                now = replace(target.instance, state=plan.verb.goal)
                rows = [now if i.id == now.id else i for i in self._inventory.state.instances]
                self._inventory.show(instances=tuple(rows))
                yield Step(plan.verb, target.instance, now, Phase.DONE, 34.0)


class FakeWorkbench:
    """What the screens see of `core.workbench.Workbench`."""

    def __init__(
        self, prompts: Prompts, settings: Settings, state: InventoryState | None = None
    ) -> None:
        self.prompts, self.settings = prompts, settings
        self.notes: list[Note] = []
        self.browsed: list[str] = []
        self.browser_works = True
        self.closed = False
        self._events = Events()
        self._events.listen(self._keep)
        self.inventory = FakeInventory(self._events, state or InventoryState(loading=True))
        self.connections = FakeConnections()
        self.copies = FakeCopies(self._events)
        self.keys = FakeKeys()
        self.sessions = FakeSessions(self._events)
        self.vitals = FakeVitals(self._events)
        self.all_sessions = FakeAllSessions(self.inventory, self.sessions)
        self.jobs = FakeJobs(self._events, self.inventory)
        self.last_seen = FakeLastSeen()
        self.alerts = FakeAlerts()
        self.uploads = FakeUploads()
        self.digests = FakeDigests()
        self.read_only = False
        self.keeps_tunnels = False
        self.tunnels = FakeTunnels(self._events)
        self.ports: tuple[ListeningPort, ...] | CloudtuiError = ()
        self.links = FakeLinks()
        self.ways = Ways()
        self.hosts = hosts_over(settings, self.inventory, self.ways, self._events)
        self.jupyter = FakeJupyter(self.tunnels)
        self.notebooks = FakeNotebooks(self._events, lambda: self.inventory.state)
        self.recordings = FakeRecordings(self._events)
        self.lifecycle = FakeLifecycle(self.inventory)
        self.prices = FakePrices(self._events)
        self.details = FakeDetails(self._events)
        self.tags = FakeTags(self.inventory)
        self.security_groups = FakeSecurityGroups()
        self.addresses = FakeAddresses(self._events, self.inventory)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hosts.close()
        self.closed = True

    def listen(self, listener: Listener) -> Callable[[], None]:
        return self._events.listen(listener)

    async def resume_tunnels(self) -> None:
        await self.tunnels.resume()

    @property
    def copies_running(self) -> int:
        return sum(not state.ended for state in self.copies.states)

    @property
    def own_tunnels(self) -> tuple[TunnelState, ...]:
        return self.tunnels.states if self.keeps_tunnels else ()

    async def close_tunnels(self) -> None:
        await self.tunnels.close_all()

    async def listening(self, instance: Instance) -> tuple[ListeningPort, ...]:
        if isinstance(self.ports, CloudtuiError):
            raise self.ports
        return self.ports

    def emit(self, event: Event) -> None:
        """As a room of core would."""
        self._events.emit(event)

    def note(self, note: Note) -> None:
        self._events.emit(Noted(note))

    def why_not(self, action: str, instance: Instance | None) -> str:
        if action in CHANGES and self.read_only:
            return READ_ONLY
        if instance is None:
            return "No machine is selected."
        if action in LIFECYCLE:
            return why_not_change(LIFECYCLE[action], instance)
        needs_host = action in NEEDS_HOST
        return why_not_connect(instance) if needs_host else ""

    async def ssh_command(self, instance: Instance) -> str:
        return f"ssh -i ~/.ssh/team-nlp.pem ubuntu@{instance.address}"

    async def web_console(self, instance: Instance) -> str:
        return instance_page(instance)

    async def browse(self, url: str, *, wait: float = 0.0) -> bool:
        self.browsed.append(url)
        return self.browser_works

    def _keep(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.notes.append(event.note)


def listed(instances: Sequence[Instance] = FLEET, **changes: Any) -> InventoryState:
    """The state after a listing that went well."""
    state = InventoryState(
        instances=tuple(instances),
        regions=("us-east-1", "eu-west-1", "us-west-2"),
        updated=datetime.now(UTC),
        identities={"": Identity("123456789012", "arn:aws:iam::123456789012:user/nlp-lab")},
    )
    return replace(state, **changes)


class Console:
    """An app under test with its workbench and pilot."""

    def __init__(self, app: CloudtuiApp, bench: FakeWorkbench, pilot: Pilot[int]) -> None:
        self.app, self.bench, self.pilot = app, bench, pilot

    async def settle(self) -> None:
        """Wait until everything posted so far is handled and painted."""
        await self.pilot.pause()
        await self.painted()

    async def painted(self) -> None:
        """Wait until a screen that just came has its layout."""
        while not self.app.screen._compositor.size:
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def do(self, action: str) -> None:
        """Do an action of the table on the screen in front, as its key would."""
        screen = self.app.screen
        screen.action_do(action)  # type: ignore[attr-defined]
        await self.settle()

    @property
    def text(self) -> str:
        """The screen as it is painted, line by line."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text[:width].rstrip() for strip in strips[:height])

    @property
    def said(self) -> list[str]:
        return [note.text for note in self.bench.notes]


def make_app(
    state: InventoryState | None = None, settings: Settings | None = None
) -> tuple[CloudtuiApp, FakeWorkbench]:
    """An app over a fake workbench; not running yet."""
    used = settings or Settings()
    benches: list[FakeWorkbench] = []

    def make(prompts: Prompts) -> Workbench:
        benches.append(FakeWorkbench(prompts, used, state))
        return cast("Workbench", benches[0])

    app = CloudtuiApp(make, settings=used)
    return app, benches[0]


@asynccontextmanager
async def console(
    state: InventoryState | None = None,
    *,
    size: tuple[int, int] = (120, 34),
    settings: Settings | None = None,
) -> AsyncIterator[Console]:
    """A running console over a fake workbench."""
    app, bench = make_app(state, settings)
    async with app.workbench, app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield Console(app, bench, pilot)
