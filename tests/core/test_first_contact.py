"""First contact: a real sshd's host key against the console output that a stub of EC2 tells."""

from __future__ import annotations

import base64
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from cloudtui.model.errors import HostKeyChanged
from tests.lab import Lab, Person
from tests.moto_child import Answer, Request, StubEndpoint
from tests.sshd import make_key

REFUSED = """<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>
<RequestID>0f3c</RequestID></Response>"""


class Console:
    """EC2 as moto has it, but for GetConsoleOutput, which gives `now`, or `then` without Latest."""

    def __init__(self, moto: str, stub: StubEndpoint) -> None:
        self.now = self.then = ""
        self.error = ""
        self.asked: list[bool] = []
        """Whether Latest was asked for, each time."""
        self._moto = moto
        stub.answer_by(self._answer)

    def _answer(self, request: Request) -> Answer:
        words = parse_qs(request.body)
        if words["Action"] != ["GetConsoleOutput"]:
            return self._forwarded(request)
        latest = words.get("Latest") == ["true"]
        self.asked.append(latest)
        if self.error and (latest or self.error != "UnsupportedOperation"):
            return 403, REFUSED.format(self.error, "You are not authorized."), "text/xml"
        text = base64.b64encode((self.now if latest else self.then).encode()).decode()
        return (
            200,
            "<GetConsoleOutputResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
            f"<instanceId>{words['InstanceId'][0]}</instanceId>"
            f"<timestamp>2026-11-21T10:00:00.000Z</timestamp><output>{text}</output>"
            "</GetConsoleOutputResponse>",
            "text/xml",
        )

    def _forwarded(self, request: Request) -> Answer:
        kept = ("Content-Type", "Authorization", "X-Amz-Date")
        headers = {name: value for name, value in request.headers.items() if name in kept}
        asked = urllib.request.Request(
            self._moto + request.path, request.body.encode(), headers, method=request.method
        )
        try:
            with urllib.request.urlopen(asked) as answer:
                return answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            return error.code, error.read(), "text/xml"


def announced(*keys: Path) -> str:
    """What cloud-init prints about these host keys."""
    prints = [
        subprocess.run(["ssh-keygen", "-l", "-f", f"{key}.pub"], capture_output=True, text=True)
        for key in keys
    ]
    told = [f"ec2: {done.stdout.strip()}" for done in prints]
    begin, end = (f"ec2: -----{word} SSH HOST KEY FINGERPRINTS-----" for word in ("BEGIN", "END"))
    return "\n".join(["[ 1.0] booting", begin, *told, end, "login:"])


@pytest.fixture
def console(lab: Lab, aws_env: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """The lab's EC2 with a console of its own; its machine was never met."""
    stub = StubEndpoint()
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
    lab.name_in_config("bert-gpu", known=False)
    yield Console(aws_env, stub)
    stub.close()


def known_hosts(lab: Lab) -> str:
    record = lab.home / ".ssh/known_hosts"
    return record.read_text() if record.exists() else ""


async def connect(lab: Lab, person: Person) -> None:
    async with lab.bench(person) as bench:
        await bench.connections.get(await bench.inventory.find("bert-gpu"))


async def test_the_announced_key_connects_without_a_question(lab: Lab, console: Console) -> None:
    console.now = announced(lab.sshd.host_key)
    person = Person()
    await connect(lab, person)
    assert person.keys == []
    assert lab.gpu in known_hosts(lab).split()[0].split(",")
    console.error = "UnauthorizedOperation"
    await connect(lab, person)  # known from now on: EC2 is not asked again
    assert (console.asked, person.keys) == ([True], [])


async def test_another_key_is_refused_with_both_fingerprints(
    lab: Lab, console: Console, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other")
    console.now = announced(other)
    person = Person()
    with pytest.raises(HostKeyChanged, match=r"is not bert-gpu \(i-") as caught:
        await connect(lab, person)
    for key in (other, lab.sshd.host_key):
        assert announced(key).split("256 ")[1].split()[0] in caught.value.detail
    assert person.keys == []
    assert known_hosts(lab) == ""
    assert "Accepted" not in lab.sshd.log
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("", "holds no host key fingerprints"),
        ("UnauthorizedOperation", "do not allow GetConsoleOutput"),
    ],
)
async def test_what_ec2_does_not_tell_is_asked_with_the_reason(
    lab: Lab, console: Console, error: str, words: str
) -> None:
    console.now, console.error = "[ 1.0] booting", error
    person = Person(trust=True)
    await connect(lab, person)
    (asked,) = person.keys
    assert words in asked.note
    assert asked.fingerprint.startswith("SHA256:")
    assert lab.gpu in known_hosts(lab)


async def test_a_console_that_was_written_over_is_looked_up_as_of_the_start(
    lab: Lab, console: Console
) -> None:
    console.now, console.then = "[ 9999.0] nothing new", announced(lab.sshd.host_key)
    person = Person()
    await connect(lab, person)
    assert (console.asked, person.keys) == ([True, False], [])


async def test_machines_that_cannot_tell_the_latest(lab: Lab, console: Console) -> None:
    console.then, console.error = announced(lab.sshd.host_key), "UnsupportedOperation"
    person = Person()
    await connect(lab, person)
    assert (console.asked, person.keys) == ([True, False], [])


async def test_a_key_of_another_type_is_asked_about(
    lab: Lab, console: Console, tmp_path: Path
) -> None:
    console.now = announced(make_key(tmp_path / "rsa", "rsa"))
    person = Person(trust=True)
    await connect(lab, person)
    assert "no ED25519 key" in person.keys[0].note
