"""The workbench: everything that outlives a screen, opened and closed in one place."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, cast

from cloudtui.core import amazons
from cloudtui.core.events import Event, Events, InventoryChanged, Listener, Note, Noted, Severity
from cloudtui.core.inventory import Inventory
from cloudtui.core.lookups import look_up_aside
from cloudtui.core.passphrases import Passphrases
from cloudtui.core.prices import Prices
from cloudtui.core.rules import CHANGES, LIFECYCLE, NEEDS_HOST
from cloudtui.core.tasks import cancel
from cloudtui.files.cache import FileCache
from cloudtui.files.settings import Settings
from cloudtui.model.errors import READ_ONLY, Refused
from cloudtui.model.instance import Instance, next_step, why_not_connect
from cloudtui.model.lifecycle import why_not as why_not_change

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon
    from cloudtui.core.addresses import Addresses
    from cloudtui.core.alerts import Alerts
    from cloudtui.core.all_sessions import AllSessions
    from cloudtui.core.connections import Connections
    from cloudtui.core.copies import Copies
    from cloudtui.core.details import Details
    from cloudtui.core.digest import Digests, Recollection
    from cloudtui.core.fetching import Fetching
    from cloudtui.core.hosts import Hosts
    from cloudtui.core.jobs import Jobs
    from cloudtui.core.jupyter import Jupyter
    from cloudtui.core.kept_tunnels import KeptTunnels
    from cloudtui.core.keys import Keys
    from cloudtui.core.last_seen import LastSeen
    from cloudtui.core.lifecycle import Lifecycle
    from cloudtui.core.links import Links
    from cloudtui.core.logins import Logins
    from cloudtui.core.notebooks import Notebooks
    from cloudtui.core.recordings import Recordings
    from cloudtui.core.security_groups import SecurityGroups
    from cloudtui.core.sessions import Sessions
    from cloudtui.core.tags import Tags
    from cloudtui.core.tunnels import AnyTunnels
    from cloudtui.core.upload import Uploads
    from cloudtui.core.vitals import Vitals
    from cloudtui.model.listening import ListeningPort
    from cloudtui.model.remote import Prompts
    from cloudtui.model.tunnel import TunnelState


class _Closed(Protocol):
    async def close(self) -> None: ...


Room = TypeVar("Room", bound=_Closed)

NOTES_KEPT = 500


class Workbench:
    """`async with Workbench(...)` wraps either front.

    Inside: `inventory`, `connections`, `sessions`, `all_sessions`, `jobs`, `tunnels`, `links`,
    `jupyter`, `notebooks`, `keys`, `prices`, `details`, `security_groups`, `addresses`,
    `lifecycle`, `hosts`, `logins`; `listen` for events.
    Leaving closes tunnels, terminals and connections; nothing on the hosts is ended.
    """

    def __init__(
        self,
        settings: Settings,
        prompts: Prompts,
        *,
        profiles: Sequence[str] = (),
        regions: Sequence[str] = (),
        read_only: bool = False,
        keep_tunnels: bool = False,
    ) -> None:
        """Profiles and regions go before the environment's, and those before the settings'.

        With `keep_tunnels` tunnels are held by the keeper process, and outlive this.
        """
        self.settings = settings
        self.read_only = read_only or settings.read_only
        self.notes: list[Note] = []
        self._prompts = Passphrases(prompts)
        self._keep_tunnels = keep_tunnels
        self._profiles = amazons.wanted(profiles, amazons.PROFILE, settings.profiles)
        self._regions = amazons.wanted(regions, amazons.REGION, settings.regions)
        self._events = Events()
        self._stack = AsyncExitStack()
        self._door: asyncio.Task[None] | None = None
        self._events.listen(self._keep_note)

    async def __aenter__(self) -> Self:
        """Cheap: nothing is imported, read or asked before it is needed."""
        self._loop = asyncio.get_running_loop()
        look_up_aside(self._loop)
        self.inventory = Inventory(
            self._amazon,
            self._events,
            profiles=self._profiles,
            regions=self._regions,
            refresh_seconds=self.settings.refresh_seconds,
        )
        self.prices = Prices(self.inventory, self._events)
        self._closes(self.inventory)
        self._closes(self.prices)
        self._events.listen(self._follow)
        return self

    # Rooms that are imported and made when somebody goes in; each is closed before those it uses.

    @cached_property
    def connections(self) -> Connections:
        from cloudtui.core.connections import Connections
        from cloudtui.core.first_contact import FirstContact

        prompts = FirstContact(self.inventory, self._prompts)
        remembered = self._prompts.remembered
        connections = self._closes(Connections(self.settings, self.inventory, prompts, remembered))
        connections.on_open(lambda instance, opened: self.recordings.opened(instance, opened))
        return connections

    @cached_property
    def recordings(self) -> Recordings:
        from cloudtui.core.recordings import Recordings

        return self._closes(Recordings(self.connections, self._events, read_only=self.read_only))

    @cached_property
    def logins(self) -> Logins:
        from cloudtui.core.logins import Logins

        return Logins(self.inventory)

    @cached_property
    def sessions(self) -> Sessions:
        from cloudtui.core.sessions import Sessions

        return Sessions(self.connections, self._events, read_only=self.read_only)

    @cached_property
    def uploads(self) -> Uploads:
        from cloudtui.core.upload import Uploads

        return Uploads(self.connections, read_only=self.read_only)

    @cached_property
    def all_sessions(self) -> AllSessions:
        from cloudtui.core.all_sessions import AllSessions

        return AllSessions(self.inventory, self.connections, self.sessions)

    @cached_property
    def jobs(self) -> Jobs:
        from cloudtui.core.jobs import Jobs

        _ = self.recollection
        return Jobs(
            self.inventory,
            self.connections,
            self.sessions,
            self._events,
            read_only=self.read_only,
            last_seen=self.last_seen,
        )

    @cached_property
    def last_seen(self) -> LastSeen:
        from cloudtui.core.last_seen import LastSeen

        return self._closes(LastSeen(self.inventory, self._events))

    @cached_property
    def recollection(self) -> Recollection:
        from cloudtui.core.digest import Recollection

        return self._closes(Recollection(self.inventory, self._events))

    @cached_property
    def digests(self) -> Digests:
        """Whoever asks for it wants what runs have for this computer fetched, too."""
        from cloudtui.core.digest import Digests

        if not self.read_only:
            _ = self.fetching
        return self._closes(
            Digests(self.inventory, self.connections, self.jobs, self.prices, self._events)
        )

    @cached_property
    def fetching(self) -> Fetching:
        from cloudtui.core.fetching import Fetching

        return self._closes(Fetching(self.inventory, self.connections, self.copies, self._events))

    @cached_property
    def copies(self) -> Copies:
        from cloudtui.core.copies import Copies

        return self._closes(Copies(self.connections, self._events, read_only=self.read_only))

    @cached_property
    def alerts(self) -> Alerts:
        from cloudtui.core.alerts import Alerts

        def jobs() -> Jobs | None:
            return self.jobs if "connections" in vars(self) else None

        return self._closes(Alerts(self.inventory, jobs, self._events, self.settings.on_alert))

    @cached_property
    def tunnels(self) -> AnyTunnels:
        if self.keeps_tunnels:
            from cloudtui.core.kept_tunnels import KeptTunnels

            return self._closes(KeptTunnels(self._events, self._prompts, read_only=self.read_only))
        from cloudtui.core.tunnels import Tunnels

        return self._closes(
            Tunnels(self.inventory, self.connections, self._events, read_only=self.read_only)
        )

    @cached_property
    def links(self) -> Links:
        from cloudtui.core.links import Links

        return Links(self.connections, self.tunnels)

    @cached_property
    def jupyter(self) -> Jupyter:
        from cloudtui.core.jupyter import Jupyter

        return Jupyter(
            self.connections,
            self.tunnels,
            local_port=self.settings.local_port,
            read_only=self.read_only,
        )

    @cached_property
    def notebooks(self) -> Notebooks:
        from cloudtui.core.notebooks import Notebooks

        return Notebooks(
            self.inventory,
            self.connections,
            self._events,
            self._prompts,
            read_only=self.read_only,
        )

    @cached_property
    def vitals(self) -> Vitals:
        from cloudtui.core.vitals import Vitals

        return self._closes(Vitals(self.connections, self._events))

    @cached_property
    def details(self) -> Details:
        from cloudtui.core.details import Details

        return Details(self.inventory, self._events)

    @cached_property
    def keys(self) -> Keys:
        from cloudtui.core.keys import Keys

        return Keys(self.settings, self.inventory, read_only=self.read_only)

    @cached_property
    def tags(self) -> Tags:
        from cloudtui.core.tags import Tags

        return Tags(self.inventory, read_only=self.read_only)

    @cached_property
    def security_groups(self) -> SecurityGroups:
        from cloudtui.core.security_groups import SecurityGroups

        return SecurityGroups(
            self.inventory,
            self.connections,
            self.details,
            self.settings,
            read_only=self.read_only,
        )

    @cached_property
    def addresses(self) -> Addresses:
        from cloudtui.core.addresses import Addresses

        return Addresses(self.inventory, self.prices, self._events, read_only=self.read_only)

    @cached_property
    def hosts(self) -> Hosts:
        from cloudtui.core.hosts import Hosts

        return self._closes(
            Hosts(
                self.settings,
                self.inventory,
                self.connections,
                self._events,
                read_only=self.read_only,
            )
        )

    @cached_property
    def lifecycle(self) -> Lifecycle:
        from cloudtui.core.lifecycle import Lifecycle

        return Lifecycle(
            self.inventory,
            self.connections,
            self.sessions,
            self.tunnels,
            self.prices,
            read_only=self.read_only,
        )

    def _closes(self, room: Room) -> Room:
        self._stack.push_async_callback(room.close)
        return room

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._door:
            await cancel(self._door)
        await self._stack.aclose()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told of every event; the returned function ends that."""
        return self._events.listen(listener)

    def note(self, note: Note) -> None:
        """Say something to whoever listens, and keep it for the message log."""
        self._events.emit(Noted(note))

    @property
    def keeps_tunnels(self) -> bool:
        """Whether tunnels stay open when this is left."""
        return self._keep_tunnels

    @property
    def _kept(self) -> KeptTunnels | None:
        return cast("KeptTunnels", self.tunnels) if self._keep_tunnels else None

    async def resume_tunnels(self) -> None:
        """Meet the tunnels that were left open, and open those of a keeper that ended.

        Raises:
            CloudtuiError: the keeper cannot be begun, or is of another version.
        """
        if self._kept:
            await self._kept.resume()

    @property
    def copies_running(self) -> int:
        """Copies that are under way, and end with this."""
        return len(self.copies.running) if "copies" in vars(self) else 0

    @property
    def own_tunnels(self) -> tuple[TunnelState, ...]:
        """Those that were opened here and stay open when this is left."""
        return self._kept.own if self._kept else ()

    async def close_tunnels(self) -> None:
        """Close those that were opened here.

        Raises:
            CloudtuiError: the keeper does not answer.
        """
        if self._kept:
            await self._kept.close_own()

    async def listening(self, instance: Instance) -> tuple[ListeningPort, ...]:
        """The ports that programs of the instance listen on, those with a usual name first.

        Raises:
            CloudtuiError: no connection to it.
        """
        from cloudtui.model.listening import LISTENING, parse_listening

        connection = await self.connections.get(instance)
        return parse_listening((await connection.run(LISTENING)).stdout)

    def why_not(self, action: str, instance: Instance | None) -> str:
        """Why an action cannot be done to the instance now; empty when it can."""
        if action in CHANGES and self.read_only:
            return READ_ONLY
        if instance is None:
            return "No machine is selected."
        if action in LIFECYCLE:
            return why_not_change(LIFECYCLE[action], instance)
        reason = why_not_connect(instance) if action in NEEDS_HOST else ""
        return f"{reason} {next_step(instance)}".strip() if reason else ""

    async def find(self, name: str, say: Callable[[str], None]) -> Instance:
        """The instance that `name` means, for what changes nothing on AWS: at once where it can be
        reached as an earlier run left it. `say` is told when AWS knows better later.

        Raises:
            CloudtuiError: as `Inventory.find`.
        """
        from cloudtui.core.at_once import at_once, doubts

        found = await at_once(self.inventory, self.connections, name)
        if found is None:
            return await self.inventory.find(name)
        self.listen(doubts(name, found, say))
        return found

    async def web_console(self, instance: Instance) -> str:
        """The machine's page in the AWS web console.

        Raises:
            Refused: EC2 is an endpoint of the user's own, whose machines the console does not know.
        """
        from cloudtui.aws.prices import own_cloud

        if await own_cloud(await self.inventory.amazon_for(instance), instance.region):
            raise Refused(
                f"{instance.label} is not in the AWS web console.",
                "AWS_ENDPOINT_URL, or an endpoint_url in ~/.aws/config, names another cloud.",
            )
        from cloudtui.model.web_console import instance_page

        return instance_page(instance)

    async def browse(self, url: str, *, wait: float = 0.0) -> bool:
        """Open the page in the user's browser; False when there is none to open.

        The browser has to come for it while this is open: `wait` is how many seconds to stay.
        """
        from cloudtui.core import browser

        if self._door:
            await cancel(self._door)
        self._door = await browser.browse(url)
        if self._door and wait:
            await asyncio.wait((self._door,), timeout=wait)
        return self._door is not None

    async def ssh_command(self, instance: Instance) -> str:
        """What to type for the same connection without cloudtui: `ssh bert-gpu`, or with -i."""
        route = await self.connections.route(instance)
        if route.config_line:
            return shlex.join(["ssh", route.alias])
        key = next((file for file in route.identity_files if instance.key_name in file.name), None)
        port = ["-p", str(route.port)] if route.port != 22 else []
        identity = ["-i", str(key)] if key else []
        known = ["-o", f"HostKeyAlias={instance.id}"]
        return shlex.join(["ssh", *known, *identity, *port, f"{route.user}@{route.host}"])

    def _follow(self, event: Event) -> None:
        if isinstance(event, InventoryChanged) and "connections" in vars(self):
            self.connections.follow(event.state.instances)

    def _keep_note(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.notes.append(event.note)
            del self.notes[:-NOTES_KEPT]

    def _amazon(self, profile: str, regions: Sequence[str]) -> Amazon:
        from cloudtui.aws.clients import Amazon

        return Amazon(profile, regions, cache=FileCache(self._set_aside), mfa_code=self._mfa_code)

    async def _mfa_code(self, profile: str, device: str) -> str | None:
        title = f"MFA code for AWS profile {profile or 'default'}"
        given = await self._prompts.answers(title, ((f"Code of {device}: ", True),))
        return given[0] if given else None

    def _set_aside(self, sentence: str, detail: str) -> None:
        note = Note(sentence, Severity.WARNING, detail)
        self._loop.call_soon_threadsafe(self.note, note)
