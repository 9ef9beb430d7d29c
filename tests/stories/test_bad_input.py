"""What goes wrong out there: each has its sentence, next step and exit code, in both fronts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.widgets import Static

from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings, load
from cloudtui.model.errors import Unreachable
from cloudtui.model.instance import Instance, State
from cloudtui.ui.app import CloudtuiApp
from cloudtui.ui.widgets.machines_table import MachinesTable
from tests.cli.test_commands import cloudtui
from tests.lab import Lab, Person
from tests.moto_child import StubEndpoint
from tests.sshd import make_key, public_words


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong: how it comes about, and what both fronts must say of it."""

    name: str
    bring_about: Callable[..., object]
    exit_code: int
    sentence: str
    next_step: str


def no_credentials(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def expired(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer_error(400, "RequestExpired", "Request has expired.")


def no_region(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")


def wrong_region(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "not a region")


def region_not_enabled(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer_error(401, "OptInRequired", "You are not subscribed to this service.")


def endpoint_down(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")


def captive_portal(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer(200, "<html><body>Log in to the hotel</body></html>", "text/html")


def no_sso_login(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "config").write_text(
        "[profile lab]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = Researcher\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "lab")


def denied(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer_error(
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User: arn:aws:iam::1:user/ann is not "
        "authorized to perform: ec2:DescribeInstances",
    )


def throttled(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answer_error(503, "RequestLimitExceeded", "Request limit exceeded.")


def wrong_clock(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    date = (datetime.now(UTC) + timedelta(minutes=17)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    stub.answer_error(401, "AuthFailure", "AWS was not able to validate the keys.", Date=date)


def half_credentials(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def unknown_profile(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nosuch")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


def no_ca_bundle(stub: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url.replace("http:", "https:"))


CLOUD = (
    Trouble("no credentials", no_credentials, 6, "credentials", "aws"),
    Trouble("no SSO login", no_sso_login, 6, "SSO login of profile lab", "aws sso login"),
    Trouble("expired", expired, 6, "expired", ""),
    Trouble("no region", no_region, 2, "egion", "AWS_REGION"),
    Trouble("wrong region", wrong_region, 2, "not a region", ""),
    Trouble("region not enabled", region_not_enabled, 2, "us-east-1", ""),
    Trouble("endpoint down", endpoint_down, 5, "127.0.0.1", ""),
    Trouble("captive portal", captive_portal, 5, "not AWS", "log in"),
    Trouble("denied", denied, 4, "ec2:DescribeInstances", ""),
    Trouble("throttled", throttled, 1, "too many requests", "Try again"),
    Trouble("wrong clock", wrong_clock, 6, "clock is 17 min behind", "timedatectl"),
    Trouble("half credentials", half_credentials, 6, "incomplete", "AWS_SECRET_ACCESS_KEY"),
    Trouble("unknown profile", unknown_profile, 6, "no AWS profile nosuch", "aws configure"),
    Trouble("no CA bundle", no_ca_bundle, 5, "trusted certificates", "AWS_CA_BUNDLE"),
)


@pytest.mark.parametrize("trouble", CLOUD, ids=lambda t: t.name)
async def test_the_cloud_is_in_trouble(
    trouble: Trouble, stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble.bring_about(stub_endpoint, monkeypatch)
    told = await asyncio.to_thread(cloudtui, "ls")
    assert told.returncode == trouble.exit_code, told.stderr
    assert told.stdout == ""
    assert trouble.sentence in told.stderr
    assert trouble.next_step in told.stderr
    assert "Traceback" not in told.stderr
    title = told.stderr.splitlines()[0]

    app = CloudtuiApp(lambda prompts: Workbench(load(), prompts), settings=Settings())
    async with app.workbench, app.run_test(size=(120, 34)) as pilot:
        inventory = app.workbench.inventory
        await until(lambda: bool(inventory.state.errors) and not inventory.state.loading)
        await pilot.pause()
        assert title in words_of(app)


ONE = (
    "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
    "<instanceId>i-0aa1</instanceId><instanceState><name>running</name></instanceState>"
    "<tagSet><item><key>Name</key><value>bert-gpu</value></item></tagSet>"
    "</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
)


async def test_credentials_that_expire_in_the_middle(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer(200, ONE)
    app = CloudtuiApp(lambda prompts: Workbench(load(), prompts), settings=Settings())
    async with app.workbench, app.run_test(size=(120, 34)) as pilot:
        inventory = app.workbench.inventory
        await until(lambda: inventory.state.updated is not None)
        stub_endpoint.answer_error(400, "ExpiredToken", "The provided token has expired.")
        await pilot.press("ctrl+r")
        await until(lambda: bool(inventory.state.errors) and not inventory.state.loading)
        await pilot.pause()
        # What was known stays, dimmed, below the sentence.
        assert "have expired" in words_of(app)
        assert inventory.state.dimmed(inventory.state.instances[0])
        stub_endpoint.answer(200, ONE)
        await pilot.press("ctrl+r")
        await until(lambda: not inventory.state.errors and not inventory.state.loading)
        await pilot.pause()
        assert "have expired" not in words_of(app)
        assert not inventory.state.dimmed(inventory.state.instances[0])


def stopped(lab: Lab) -> None:
    lab.ec2.stop_instances(InstanceIds=[lab.gpu])


def key_readable_by_others(lab: Lab) -> None:
    lab.sshd.key.chmod(0o644)


def key_file_gone(lab: Lab) -> None:
    lab.sshd.key.unlink()
    lab.ec2.terminate_instances(InstanceIds=[lab.gpu])
    lab.ec2.create_key_pair(KeyName="lab")
    lab.gpu = lab.launch("bert-gpu", KeyName="lab")
    instance = lab.ec2.describe_instances(InstanceIds=[lab.gpu])["Reservations"][0]["Instances"][0]
    config = lab.home / ".ssh/config"
    text = config.read_text().replace("Host bert-gpu", "Host !x *")
    lines = [line for line in text.splitlines() if not line.startswith("IdentityFile")]
    config.write_text("\n".join(lines) + "\n")
    assert instance["PublicIpAddress"]


def host_key_changed(lab: Lab) -> None:
    other = make_key(lab.home / "other_host_key")
    record = lab.home / ".ssh/known_hosts"
    record.unlink()
    lab.sshd.known_hosts(record, other)


def port_closed(lab: Lab) -> None:
    lab.sshd.stop()


def no_such_host(lab: Lab) -> None:
    lab.name_in_config("bert-gpu", "HostName no-such-host.invalid")


def login_refused(lab: Lab) -> None:
    lab.sshd.authorized.write_text("")


def config_broken(lab: Lab) -> None:
    lab.name_in_config("bert-gpu", "NoSuchKeyword yes")


HOST = (
    Trouble("stopped", stopped, 4, "bert-gpu", "stopped"),
    Trouble("key mode", key_readable_by_others, 4, "0644", "chmod 400"),
    Trouble("no key file", key_file_gone, 6, "its private key was not found", "lab.pem"),
    Trouble("host key changed", host_key_changed, 4, "known_hosts line 1", "ssh-keygen"),
    Trouble("port closed", port_closed, 5, "refuses", ""),
    Trouble("no such host", no_such_host, 5, "no-such-host.invalid", ""),
    Trouble("login refused", login_refused, 6, "client_key", ""),
    Trouble("config broken", config_broken, 2, "nosuchkeyword", ""),
)


@pytest.mark.parametrize("trouble", HOST, ids=lambda t: t.name)
async def test_the_host_is_in_trouble(trouble: Trouble, lab: Lab) -> None:
    trouble.bring_about(lab)
    told = await asyncio.to_thread(cloudtui, "sessions", "bert-gpu")
    assert told.returncode == trouble.exit_code, told.stderr
    assert told.stdout == ""
    assert trouble.sentence.casefold() in told.stderr.casefold()
    assert trouble.next_step in told.stderr
    assert "Traceback" not in told.stderr
    title = told.stderr.splitlines()[0]

    app = CloudtuiApp(lambda prompts: lab.bench(), settings=Settings())
    async with app.workbench, app.run_test(size=(120, 34)) as pilot:
        await until(lambda: app.workbench.inventory.state.updated is not None)
        await pilot.pause()
        # Of two machines of one name the terminated one may stand first.
        app.screen.query_one(MachinesTable).select(lab.gpu)
        await pilot.press("enter")
        await until(lambda: title in words_of(app) or any(title in s for s in said_by(app)))


async def test_a_wrong_passphrase_is_asked_again_and_then_explained(lab: Lab) -> None:
    locked = make_key(lab.home / ".ssh/locked", "ed25519", "right")
    lab.name_in_config("bert-gpu", f"IdentityFile {locked}", "IdentitiesOnly yes")
    lab.sshd.authorized.write_text(public_words(locked) + "\n")
    person = Person(passphrases=["wrong", "wrong", "wrong", "wrong"])
    config = lab.home / ".ssh/config"
    config.write_text(config.read_text().replace(f"IdentityFile {lab.sshd.key}\n", ""))
    async with lab.bench(person) as bench:
        state = await bench.sessions.list(await bench.inventory.find("bert-gpu"))
    assert state.error is not None
    assert state.error.exit_code == 6
    assert person.asked == [locked] * 3


async def test_without_a_terminal_nobody_can_trust_a_new_host(lab: Lab) -> None:
    lab.name_in_config("bert-gpu", known=False)
    told = await asyncio.to_thread(cloudtui, "sessions", "bert-gpu")
    assert told.returncode == 4
    assert "SHA256:" in told.stderr
    assert "no terminal" in told.stderr
    assert (
        not (lab.home / ".ssh/known_hosts").exists()
        or not (lab.home / ".ssh/known_hosts").read_text()
    )


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


async def test_an_sshd_that_hangs(lab: Lab, silent_port: int) -> None:
    lab.name_in_config("bert-gpu", f"Port {silent_port}", "ConnectTimeout 1")
    told = await asyncio.to_thread(cloudtui, "sessions", "bert-gpu")
    assert told.returncode == 5
    assert str(silent_port) in told.stderr
    assert "1 s" in told.stderr


async def test_a_machine_without_a_public_address(lab: Lab) -> None:
    """Its private address is on loopback here, so that nothing leaves this machine."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    (lab.home / ".ssh/config").write_text(f"Host *\nPort {port}\n")
    inside = Instance("i-9", "us-east-1", State.RUNNING, name="inside", private_ip="127.0.0.1")
    async with lab.bench() as bench:
        with pytest.raises(Unreachable) as caught:
            await bench.connections.get(inside)
    assert "no public address" in caught.value.hint
    assert "Elastic IP" in caught.value.hint


async def test_an_entry_that_still_has_the_old_address(lab: Lab) -> None:
    lab.sshd.stop()
    told = await asyncio.to_thread(cloudtui, "sessions", "bert-gpu")
    assert told.returncode == 5
    assert f"{lab.home}/.ssh/config line 1 says HostName 127.0.0.1" in told.stderr


def test_no_such_instance_and_an_ambiguous_one(lab: Lab) -> None:
    told = cloudtui("ssh", "nosuch", "--", "true")
    assert told.returncode == 3
    assert "'nosuch'" in told.stderr
    assert "bert-gpu" in told.stderr
    twin = lab.launch("bert-gpu")
    told = cloudtui("ssh", "bert", "--", "true")
    assert told.returncode == 3
    assert lab.gpu in told.stderr
    assert twin in told.stderr


async def test_a_jupyter_that_does_not_start_shows_its_last_lines(lab: Lab) -> None:
    lab.sshd.script("jupyter", "#!/bin/sh\necho No module named traitlets >&2\nexit 1\n")
    lab.sshd.script("jupyter-lab", "#!/bin/sh\n")
    told = await asyncio.to_thread(cloudtui, "jupyter", "bert-gpu", "--no-browser")
    assert told.returncode == 1
    assert "No module named traitlets" in told.stderr

    app = CloudtuiApp(lambda prompts: lab.bench(), settings=Settings())
    async with app.workbench, app.run_test(size=(120, 34)) as pilot:
        await until(lambda: app.workbench.inventory.state.updated is not None)
        await pilot.pause()
        await pilot.press("J")
        await until(lambda: "No module named traitlets" in words_of(app))


async def test_no_jupyter_is_offered_and_never_installed_silently(lab: Lab) -> None:
    told = await asyncio.to_thread(cloudtui, "jupyter", "bert-gpu", "--no-browser")
    assert told.returncode == 3
    assert "Jupyter is not installed on bert-gpu" in told.stderr
    assert not (lab.sshd.home / ".local").exists()


async def test_a_terminal_that_is_too_small(lab: Lab) -> None:
    app = CloudtuiApp(lambda prompts: lab.bench(), settings=Settings())
    async with app.workbench, app.run_test(size=(50, 12)):
        await until(lambda: "60" in words_of(app))
        assert "15" in words_of(app)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


def words_of(app: CloudtuiApp) -> str:
    """The text of every visible Static on the front screen, with wrapping undone."""
    return "\n".join(str(w.render()) for w in app.screen.query(Static) if w.display)


def said_by(app: CloudtuiApp) -> list[str]:
    return [note.text for note in app.workbench.notes]
