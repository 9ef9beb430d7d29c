from __future__ import annotations

import pytest

from cloudtui.model.errors import Refused, Unreachable
from cloudtui.model.session import Program, Session
from tests.lab import Lab, Person


async def test_only_hosts_with_a_connection_are_asked_unless_told_to(lab: Lab) -> None:
    lab.launch("far-away")
    config = lab.home / ".ssh/config"
    config.write_text(f"{config.read_text()}Host far-away\nHostName 127.0.0.1\nPort 9\n")
    person = Person()
    async with lab.bench(person) as bench:
        await bench.inventory.load()
        await bench.all_sessions.refresh()
        assert [h.words for h in bench.all_sessions.hosts] == ["not asked yet", "not asked yet"]
        await bench.all_sessions.refresh(ask=True)
        gpu, far = bench.all_sessions.hosts
        assert (gpu.connected, gpu.words) == (True, "no session")
        assert not far.connected
        assert "refuses connections" in far.words
        await bench.sessions.new(gpu.instance, Program.TMUX, "work", "cat")
        await bench.all_sessions.refresh()
        assert [s.name for h in bench.all_sessions.hosts for s in h.sessions] == ["work"]
        assert person.keys == []
        with pytest.raises(Unreachable):
            await bench.sessions.preview(far.instance, SOME)


SOME = Session(Program.TMUX, "$0", "work")


async def test_read_only_changes_nothing_on_a_host(lab: Lab) -> None:
    async with lab.bench(read_only=True) as bench:
        await bench.inventory.load()
        gpu = bench.all_sessions.hosts[0].instance
        for act in (
            bench.sessions.new(gpu, Program.TMUX, "x"),
            bench.sessions.rename(gpu, SOME, "x"),
            bench.sessions.kill(gpu, SOME),
            bench.sessions.detach(gpu, SOME),
            bench.sessions.wipe(gpu),
        ):
            with pytest.raises(Refused, match="read-only"):
                await act
        for rule in ("sessions.new", "sessions.change"):
            assert bench.why_not(rule, gpu).startswith("This is read-only mode")
