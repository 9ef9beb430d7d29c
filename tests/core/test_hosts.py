"""Entries of the ssh config follow the machines: moto's addresses, a real sshd, OpenSSH's ssh."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtui.core.events import Event, HostsState, Noted
from cloudtui.core.hosts import Planned
from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.errors import HostKeyChanged, NotFound, Refused, UsageError
from cloudtui.model.host_drift import HostRow, Kind, row_of
from cloudtui.model.host_entry import ConfigChange
from cloudtui.model.instance import Instance
from tests.lab import Person
from tests.network import Net
from tests.sshd import make_key, public_words


@asynccontextmanager
async def working(
    net: Net, person: Person | None = None, *, heal: str = "ours", **more: bool
) -> AsyncIterator[Workbench]:
    settings = Settings(heal_hosts=heal, key_folders=(net.lab.sshd.key.parent,))
    async with net.lab.bench(person, settings, **more) as bench:
        yield bench


async def plan_add(bench: Workbench, instance: Instance, **more: Any) -> Planned:
    return await bench.hosts.plan(await bench.hosts.draft(instance, **more))


async def add(bench: Workbench, net: Net, name: str = "bert-gpu", **more: Any) -> Instance:
    instance = await bench.inventory.find(name)
    sshd = net.lab.sshd
    planned = await plan_add(bench, instance, user=sshd.user, key=sshd.key, **more)
    await bench.hosts.save(planned)
    return instance


async def told(bench: Workbench, words: str) -> None:
    """Wait until something is said that has these words in it."""
    heard = asyncio.Event()

    def hear(event: Event) -> None:
        if isinstance(event, Noted) and words in event.note.text:
            heard.set()

    end = bench.listen(hear)
    try:
        if not any(words in note.text for note in bench.notes):
            await heard.wait()
    finally:
        end()


async def looked(bench: Workbench, machines: int) -> None:
    """Wait until the entries were looked at beside so many machines."""
    heard = asyncio.Event()
    look = bench.hosts.look

    async def look_and_tell() -> HostsState:
        state = await look()
        if len(bench.inventory.state.instances) == machines:
            heard.set()
        return state

    bench.hosts.look = look_and_tell  # type: ignore[method-assign]
    await heard.wait()


async def row(bench: Workbench, alias: str = "bert-gpu") -> HostRow:
    await bench.inventory.load()
    return row_of(alias, (await bench.hosts.look()).rows)


QUIET = (0, "")


async def test_after_an_add_plain_ssh_asks_nothing_and_goes_on_so_after_a_stop(net: Net) -> None:
    person = Person()
    async with working(net, person) as bench:
        await bench.hosts.meet(await add(bench, net))
        assert net.ssh("bert-gpu", "true") == QUIET
        bench.inventory.start()
        bench.hosts.healing.start()
        new = net.new_address(net.lab.gpu)
        assert net.ssh("bert-gpu", "true") != QUIET
        bench.inventory.refresh()
        await told(bench, "has the address")
        assert net.ssh("bert-gpu", "true") == QUIET
        assert len(person.keys) == 1
        found = await row(bench)
        assert (found.entry.get("HostName"), found.drifts) == (new, ())


async def test_a_host_key_known_by_the_address_is_known_by_the_entry(net: Net) -> None:
    net.known_hosts.write_text(
        f"{net.address(net.lab.gpu)} {public_words(net.lab.sshd.host_key)}\n"
    )
    person = Person()
    async with working(net, person) as bench:
        await add(bench, net)
    assert net.ssh("-o", "StrictHostKeyChecking=yes", "bert-gpu", "true") == QUIET
    assert not person.keys


async def test_the_key_of_the_machine_that_had_the_name_before_is_no_alarm(
    net: Net, tmp_path: Path
) -> None:
    net.config.write_text(f"Host bert-gpu\n  HostName 198.51.100.7\n{net.config.read_text()}")
    net.known_hosts.write_text(f"198.51.100.7 {public_words(make_key(tmp_path / 'other'))}\n")
    person = Person()
    async with working(net, person) as bench:
        await bench.hosts.meet(await add(bench, net))
    assert len(person.keys) == 1
    assert net.ssh("bert-gpu", "true") == QUIET


async def test_a_reused_address_is_no_alarm(net: Net, tmp_path: Path) -> None:
    other = public_words(make_key(tmp_path / "other"))
    net.known_hosts.write_text(f"i-0abc0000000000001,{net.address(net.lab.gpu)} {other}\n")
    person = Person()
    async with working(net, person) as bench:
        await bench.hosts.meet(await add(bench, net))
    assert len(person.keys) == 1
    assert net.ssh("bert-gpu", "true") == QUIET


async def test_another_machine_under_the_entry_is_an_alarm(net: Net, tmp_path: Path) -> None:
    net.known_hosts.write_text(f"{net.lab.gpu} {public_words(make_key(tmp_path / 'other'))}\n")
    async with working(net) as bench:
        instance = await add(bench, net)
        with pytest.raises(HostKeyChanged):
            await bench.hosts.meet(instance)
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in net.ssh("bert-gpu", "true")[1]


MINE = """\
# my machines
Host bert-gpu
  HostName 203.0.113.9   # old
  User {user}
  Port 2222
  IdentityFile {key}

"""


class TestOwnEntry:
    @pytest.fixture(autouse=True)
    def mine(self, net: Net) -> None:
        text = MINE.format(user=net.lab.sshd.user, key=net.lab.sshd.key)
        net.config.write_text(text + net.config.read_text())

    async def test_it_is_edited_in_place_and_taken_back(self, net: Net) -> None:
        before = net.config.read_text()
        async with working(net) as bench:
            planned = await plan_add(bench, await bench.inventory.find("bert-gpu"))
            assert planned.in_place
            address = net.address(net.lab.gpu)
            assert f"+  HostName {address}   # old" in planned.change.diff
            await bench.hosts.save(planned)
            after = net.config.read_text()
            assert after.count("\n") == before.count("\n") + 1
            assert f"HostKeyAlias {net.lab.gpu}" in after
            assert "Port 2222" in after
            assert not (await row(bench)).entry.ours
            await bench.hosts.save(await bench.hosts.plan_undo())
        assert net.config.read_text() == before

    async def test_what_it_says_is_not_said_again(self, net: Net) -> None:
        net.lab.launch("etl-box", KeyName=net.lab.sshd.key.name)
        net.config.write_text(net.config.read_text().replace("bert-gpu", "etl-box"))
        async with working(net) as bench:
            box = await bench.inventory.find("etl-box")
            assert await bench.connections.key_file(box)
            planned = await plan_add(bench, box)
            names = {name for name, _ in planned.change.wanted}
            assert names == {"HostName", "HostKeyAlias"}
            net.config.write_text("Host etl-box\n  User ann\n")
            names = {name for name, _ in (await plan_add(bench, box)).change.wanted}
            assert names == {"HostName", "HostKeyAlias", "IdentityFile"}

    async def test_it_is_offered_and_not_healed(self, net: Net) -> None:
        before = net.config.read_text()
        async with working(net) as bench:
            bench.inventory.start()
            bench.hosts.healing.start()
            await told(bench, "the ssh entry bert-gpu says 203.0.113.9")
            found = await row(bench)
            assert found.address == net.address(net.lab.gpu)
            assert net.config.read_text() == before
            net.lab.launch("etl-box")
            bench.inventory.refresh()
            await looked(bench, 2)
            assert len(bench.notes) == 1
            planned = await bench.hosts.plan_sync(found)
            assert planned
            await bench.hosts.save(planned)
            assert (await row(bench)).drifts == ()

    async def test_it_is_healed_by_the_setting(self, net: Net) -> None:
        async with working(net, heal="always") as bench:
            bench.inventory.start()
            bench.hosts.healing.start()
            await told(bench, "has the address")
            assert (await row(bench)).entry.instance_id == net.lab.gpu


async def test_what_is_changed_from_the_console_is_healed_though_the_setting_asks(net: Net) -> None:
    async with working(net, heal="ask") as bench:
        instance = await add(bench, net)
        bench.inventory.start()
        bench.inventory.follow([instance.id])
        net.new_address(net.lab.gpu)
        bench.hosts.healing.start()
        bench.inventory.refresh()
        await told(bench, "has the address")
        assert (await row(bench)).drifts == ()


async def test_what_is_changed_by_a_command_is_healed_though_the_setting_asks(net: Net) -> None:
    async with working(net, heal="ask") as bench:
        instance = await add(bench, net)
        new = net.new_address(net.lab.gpu)
        await bench.hosts.healing.heal(())
        assert (await row(bench)).address == new
        now = bench.inventory.by_id(instance.id)
        assert now
        await bench.hosts.healing.heal([now])
        assert (await row(bench)).drifts == ()


async def test_many_are_healed_in_one_save_without_the_one_that_cannot_be(net: Net) -> None:
    names = ["bert-gpu", *(f"box-{n}" for n in range(6)), "odd"]
    ids = [net.lab.gpu, *(net.lab.launch(name) for name in names[1:])]
    net.settle()
    async with working(net) as bench:
        for name in names:
            await add(bench, net, name)
        odd = "Match originalhost odd\n  HostName 203.0.113.9\nMatch all\n"
        net.config.write_text(odd + net.config.read_text())
        old = net.address(net.lab.gpu)
        for one in ids:
            net.lab.ec2.stop_instances(InstanceIds=[one])
            net.lab.ec2.start_instances(InstanceIds=[one])
        await bench.inventory.load()
        await bench.hosts.healing.heal([i for i in bench.inventory.state.instances if i.id in ids])
        (last,) = [r.entry.alias for r in (await bench.hosts.look()).rows if r.address]
        assert last == "odd"
        (failed,) = [note for note in bench.notes if "still has" in note.text]
        assert "odd" in failed.text
        assert "shadowed by line 2" in failed.detail
        await bench.hosts.save(await bench.hosts.plan_undo())
        assert sum(bool(r.address) for r in (await bench.hosts.look()).rows) == len(names)
        assert f"hostname {old}\n" in net.config_of("bert-gpu")


@pytest.mark.parametrize(("heal", "read_only"), [("never", False), ("ours", True)])
async def test_nothing_is_healed(net: Net, heal: str, read_only: bool) -> None:
    async with working(net) as bench:
        await add(bench, net)
    new = net.new_address(net.lab.gpu)
    async with working(net, heal=heal, read_only=read_only) as bench:
        found = await row(bench)
        assert found.instance
        await bench.hosts.healing.heal([found.instance])
        assert (await row(bench)).address == new
        assert bench.notes == []
        await bench.hosts.meet(found.instance)  # the id leads to where the machine is now
        if read_only:
            with pytest.raises(Refused, match="read-only"):
                await bench.hosts.plan_heal(found)
            with pytest.raises(Refused, match="read-only"):
                await bench.hosts.plan_remove("bert-gpu")


async def test_a_terminated_instance_is_marked_told_and_offered_for_removal(net: Net) -> None:
    async with working(net) as bench:
        await add(bench, net)
        bench.inventory.start()
        bench.hosts.healing.start()
        net.lab.ec2.terminate_instances(InstanceIds=[net.lab.gpu])
        bench.inventory.refresh()
        await told(bench, "can be removed")
        found = await row(bench)
        assert found.has(Kind.GONE)
        planned = await bench.hosts.plan_sync(found)
        assert planned
        await bench.hosts.save(planned)
        with pytest.raises(NotFound):
            await row(bench)


async def test_an_instance_that_is_not_listed_is_gone_only_where_it_was(net: Net) -> None:
    async with working(net) as bench:
        await add(bench, net)
        await row(bench)
    async with working(net) as bench:
        bench.inventory.show_regions(["eu-west-1"])
        assert [d.kind for d in (await row(bench)).drifts] == [Kind.UNSEEN]
    alias = net.home_file
    alias.write_text(alias.read_text().replace(net.lab.gpu, "i-0abc0000000000001"))
    own = net.config.parent / "config.d/cloudtui.conf"
    own.write_text(own.read_text().replace(net.lab.gpu, "i-0abc0000000000001"))
    async with working(net) as bench:
        found = await row(bench)
        assert found.has(Kind.GONE)
        assert "us-east-1" in found.drifts[0].words


async def test_without_a_public_address_it_is_said_what_to_do(net: Net) -> None:
    async with working(net) as bench:
        instance = await bench.inventory.find("bert-gpu")
        hidden = replace(instance, public_ip="", public_dns="")
        with pytest.raises(Refused, match="no public address") as caught:
            await plan_add(bench, hidden)
        assert "Elastic IP" in caught.value.hint
        planned = await plan_add(bench, hidden, jump="ann@bastion")
        wanted = dict(planned.change.wanted)
        assert wanted["HostName"] == instance.private_ip
        assert wanted["ProxyJump"] == "ann@bastion"
        planned = await plan_add(bench, instance, private=True)
        assert dict(planned.change.wanted)["HostName"] == instance.private_ip


async def test_an_alias_of_another_living_instance_is_refused_and_not_taken(net: Net) -> None:
    net.lab.launch("etl-box")
    async with working(net) as bench:
        await add(bench, net, alias="box")
        other = await bench.inventory.find("etl-box")
        with pytest.raises(Refused, match=r"box is that of bert-gpu"):
            await plan_add(bench, other, alias="box")
        with pytest.raises(UsageError, match="scp"):
            await plan_add(bench, other, alias="a:b")
        again = await plan_add(bench, await bench.inventory.find("bert-gpu"))
        assert again.alias == "box"
        assert again.change.empty


async def test_values_are_edited_and_taken_away(net: Net) -> None:
    async with working(net) as bench:
        await add(bench, net)
        planned = await bench.hosts.plan_edit("bert-gpu", {"ForwardAgent": "yes", "User": None})
        await bench.hosts.save(planned)
        entry = (await row(bench)).entry
        assert (entry.get("forwardagent"), entry.get("user")) == ("yes", "")
        with pytest.raises(NotFound, match="no entry 'nosuch'"):
            await bench.hosts.plan_edit("nosuch", {"User": "x"})


async def test_a_missing_key_is_said(net: Net) -> None:
    async with working(net) as bench:
        await add(bench, net)
        net.lab.sshd.key.unlink()
        net.lab.sshd.key.with_name(f"{net.lab.sshd.key.name}.pub").unlink()
        found = await row(bench)
        assert [d.kind for d in found.drifts] == [Kind.KEY]
        assert str(net.lab.sshd.key) in found.drifts[0].words


async def test_an_editor_that_saves_in_the_same_moment_loses_nothing(net: Net) -> None:
    async with working(net) as bench:
        await add(bench, net)
        new, save = net.new_address(net.lab.gpu), bench.hosts.entries.save
        late = [net.config.parent / "config.d/cloudtui.conf"]

        async def save_late(change: ConfigChange) -> None:
            for file in late:
                late.clear()
                file.write_text(f"# mine\n{file.read_text()}")
            await save(change)

        bench.hosts.entries.save = save_late  # type: ignore[method-assign]
        found = await row(bench)
        assert found.instance
        await bench.hosts.healing.heal([found.instance])
        entry = (await row(bench)).entry
        assert entry.get("HostName") == new
        assert entry.file.read_text().startswith("# mine\n")
