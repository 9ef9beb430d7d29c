"""Jupyter servers of many hosts with their kernels and terminals, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.style import Style
from rich.text import Text

from cloudtui.core.events import RecordingsState
from cloudtui.core.notebooks import HostNotebooks
from cloudtui.model.errors import CredentialsProblem
from cloudtui.model.instance import Instance
from cloudtui.model.kernel import Kernel, NotebookServer, notebooks_match
from cloudtui.model.words import data_size, since
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HEADINGS = (
    Heading("host", "Host"),
    Heading("port", "Port", right=True),
    Heading("what", "What", spare=2),
    Heading("notebook", "Notebook"),
    Heading("state", "State"),
    Heading("active", "Active", right=True),
    Heading("memory", "Memory", right=True),
    Heading("recorded", "Recorded", spare=1),
    Heading("clients", "Clients", spare=1, right=True),
    Heading("kernel", "Kernel", spare=3),
    Heading("id", "Id", spare=4),
)

GLYPHS = {"busy": "●", "idle": "○", "dead": "×"}
"""Of a kernel's states; any other is one that passes."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a row stands for: a kernel or a terminal of a server, the server, or a host alone."""

    instance: Instance
    server: NotebookServer | None = None
    kernel: Kernel | None = None
    terminal: str = ""

    @property
    def key(self) -> str:
        """The same for as long as it is the same thing."""
        parts = [self.instance.id, self.server.server.key if self.server else ""]
        if self.kernel:
            parts += ["kernel", self.kernel.id]
        elif self.terminal:
            parts += ["terminal", self.terminal]
        return "/".join(parts)


def places(host: HostNotebooks) -> Iterator[Place]:
    """Everything a host has, in the order of the list; a host with nothing is a place too."""
    if host.words:
        yield Place(host.instance)
    for server in host.servers:
        yield Place(host.instance, server)
        for kernel in server.kernels:
            yield Place(host.instance, server, kernel)
        for name in server.terminals:
            yield Place(host.instance, server, terminal=name)


class NotebooksTable(KeyedTable):
    """Rows by `Place.key`."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "host", id="notebooks")

    def show_hosts(
        self,
        hosts: Iterable[HostNotebooks],
        query: str,
        recorded: Mapping[str, RecordingsState] | None = None,
    ) -> None:
        """Show what passes the filter; of a host that failed the old rows, dimmed. `recorded` is
        by instance id."""
        paint, rows = _Paint(self.app.theme_variables, recorded or {}), list[Row]()
        for host in hosts:
            for place in places(host):
                if _shown(host, place, query):
                    rows.append(paint.row(host, place, len(rows)))
        self.show(rows)


def _shown(host: HostNotebooks, place: Place, query: str) -> bool:
    name = host.instance.spoken
    if place.server is None:
        return not query or query.casefold() in name.casefold()
    item = place.kernel or place.terminal or None
    return notebooks_match(name, place.server, item, query)


def server_state(server: NotebookServer) -> str:
    """`up`, or what is wrong in a word or two."""
    if server.error is None:
        return "up"
    return "wants password" if isinstance(server.error, CredentialsProblem) else "no answer"


class _Paint:
    """Rows in the colours of one theme, at one moment."""

    def __init__(self, colours: Mapping[str, str], recorded: Mapping[str, RecordingsState]) -> None:
        self._recorded = recorded
        self._now = datetime.now(UTC)
        self._plain = Style.null()
        self._quiet = cell_style(colours, "foreground-muted")
        self._states = {
            "busy": cell_style(colours, "state-running"),
            "up": cell_style(colours, "state-running"),
            "idle": self._quiet,
            "dead": cell_style(colours, "state-terminated"),
            "no answer": cell_style(colours, "state-terminated"),
        }
        self._passing = cell_style(colours, "state-changing")

    def row(self, host: HostNotebooks, place: Place, number: int) -> Row:
        """`number` is its place in the order of the hosts."""
        name = place.instance.spoken
        if place.server is None:
            failed = host.state.error is not None
            words = f"× {host.words}" if failed else host.words
            cells = {heading.key: self._cell(" ", self._quiet) for heading in HEADINGS}
            cells["host"] = self._cell(name, self._plain)
            cells["notebook"] = self._cell(words, self._states["dead"] if failed else self._quiet)
            return Row(place.key, cells, {"host": number})
        if host.state.error is not None:
            return self._row(place, name, number, dim=True)
        return self._row(place, name, number, dim=False)

    def _row(self, place: Place, name: str, number: int, *, dim: bool) -> Row:
        server, kernel = place.server, place.kernel
        assert server is not None
        plain = self._quiet if dim else self._plain
        memory = kernel.memory if kernel else None if place.terminal else server.memory
        last = kernel.last_activity if kernel else None
        if kernel:
            what, notebook, state = "kernel", f"  {kernel.path or 'no notebook'}", kernel.state
            spec, short = kernel.name, kernel.short_id
            glyph = GLYPHS.get(state, "◐")
        elif place.terminal:
            what, notebook, state = "terminal", f"  terminal {place.terminal}", ""
            spec, short, glyph = "", "", ""
        else:
            what, notebook, state = "server", server.server.root_dir, server_state(server)
            spec, short = f"Jupyter {server.version}" if server.version else "", ""
            glyph = "●" if server.error is None else "×" if state == "no answer" else "◐"
        colour = self._quiet if dim else self._states.get(state, self._passing)
        cells = {
            "host": self._cell(name, plain),
            "port": self._cell(str(server.server.port), plain),
            "what": self._cell(what, self._quiet),
            "notebook": self._cell(notebook, plain),
            "state": self._cell(f"{glyph} {state}".strip() or " ", colour),
            "active": self._cell(since(last, self._now) if last else " ", plain),
            "memory": self._cell(data_size(memory) if memory is not None else " ", plain),
            "recorded": self._recorded_cell(place, plain),
            "clients": self._cell(str(kernel.connections) if kernel else " ", plain),
            "kernel": self._cell(spec or " ", self._quiet),
            "id": self._cell(short or " ", self._quiet),
        }
        order = {
            "host": number,
            "port": (server.server.port, number),
            "what": (what, number),
            "notebook": (notebook.strip().casefold(), number) if kernel else None,
            "state": (state, number) if kernel else None,
            "active": (-last.timestamp(), number) if last else None,
            "memory": (-memory, number) if memory is not None else None,
            "recorded": (self._recording(place), number) if kernel else None,
            "clients": (-kernel.connections, number) if kernel else None,
            "kernel": (spec, number) if kernel else None,
            "id": (short, number) if kernel else None,
        }
        return Row(place.key, cells, order)

    def _recording(self, place: Place) -> str:
        """Whether what the kernel prints is recorded, in a word; empty for other rows."""
        state = self._recorded.get(place.instance.id)
        if place.kernel is None or state is None or state.recorder is None:
            return ""
        found = state.recorder.of(place.kernel.id)
        if not state.recorder.running or found is None:
            return "no"
        words = {"recorded": "yes", "full": "disk full", "locked": "encrypted"}
        return words.get(found.state, "no")

    def _recorded_cell(self, place: Place, plain: Style) -> Text:
        said = self._recording(place)
        glyph = {"": " ", "yes": "● yes", "no": "○ no"}.get(said, f"× {said}")
        style = self._states["busy"] if said == "yes" else self._quiet if said == "no" else plain
        return self._cell(glyph, style)

    def _cell(self, text: str, style: Style) -> Text:
        return Text(text, style, no_wrap=True, overflow="ellipsis")
