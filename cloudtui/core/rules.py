"""Rules of actions: which need a machine that can be reached, and which change something."""

from __future__ import annotations

from cloudtui.model.lifecycle import Verb

NEEDS_HOST = frozenset(
    {
        "sessions",
        "shell",
        "jupyter",
        "files",
        "copy.ssh",
        "sessions.new",
        "sessions.change",
        "notebooks.change",
        "jobs.list",
        "jobs.new",
        "jobs.change",
    }
)
"""Rules of actions that need a machine that can be reached."""
LIFECYCLE = {f"lifecycle.{verb.value}": verb for verb in Verb}
"""Rules of actions that change a machine's state."""
CHANGES = frozenset(
    {
        "sessions.new",
        "sessions.change",
        "notebooks.change",
        "tags",
        "keys.change",
        "groups.change",
        "hosts.change",
        "jobs.new",
        "jobs.change",
        *LIFECYCLE,
    }
)
"""Rules of actions that change something, and that read-only refuses."""
