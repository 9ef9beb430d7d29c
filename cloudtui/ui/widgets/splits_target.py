"""What a pane is about: a session, a shell on a host, or a shell of this computer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from cloudtui.core.layouts import Held
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session

if TYPE_CHECKING:
    from cloudtui.core.reattach import Loss
    from cloudtui.core.workbench import Workbench
    from cloudtui.ui.widgets.pane import PaneChannel

OnData = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Without an instance it is this computer."""

    instance: Instance | None = None
    session: Session | None = None

    @property
    def host(self) -> str:
        return self.instance.spoken if self.instance else "this computer"

    @property
    def name(self) -> str:
        return self.session.name if self.session else "shell"

    @property
    def words(self) -> Content:
        """`bert tmux on bert-gpu`, or `shell on bert-gpu`."""
        program = f" {self.session.program.value}" if self.session else ""
        return Content.assemble(
            (self.name, "bold"), (f"{program} on {self.host}", "$foreground-muted")
        )

    @property
    def opening(self) -> str:
        what = f"session {self.session.name}" if self.session else "a shell"
        where = self.instance.label if self.instance else self.host
        return f"Opening {what} on {where} …   Esc stops"

    @property
    def held(self) -> Held:
        """It as a layout on disk remembers it."""
        if self.session is None:
            return Held(self.instance.id if self.instance else "")
        where = self.instance.id if self.instance else ""
        return Held(where, self.session.program.value, self.session.id, self.session.name)

    def same(self, other: Target) -> bool:
        """Whether both are one session; two shells are never one."""
        if self.session is None or other.session is None:
            return False
        ids = [t.instance.id if t.instance else "" for t in (self, other)]
        return ids[0] == ids[1] and self.session.key == other.session.key

    async def open(
        self,
        bench: Workbench,
        columns: int,
        rows: int,
        on_data: OnData,
        on_change: Callable[[Loss | None], None],
    ) -> PaneChannel:
        """A channel to it; a session's attaches again by itself and tells `on_change`."""
        if self.instance is None:
            from cloudtui.core.local_shell import LocalShell

            return await LocalShell.open(columns, rows, on_data)
        if self.session is None:
            return await bench.sessions.shell(self.instance, columns, rows, on_data)
        from cloudtui.core.reattach import KeptAttachment

        kept = KeptAttachment(
            bench.sessions,
            self.instance,
            self.session,
            on_data,
            on_change=on_change,
            pause=bench.connections.pause,
        )
        return await kept.open(columns, rows)
