"""EC2 Instance Connect: a stub of its endpoint that lets the sent key into a real sshd."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, Refused
from cloudtui.model.instance import Instance
from tests.cli.test_commands import cloudtui
from tests.core.test_first_contact import Console
from tests.lab import Lab
from tests.moto_child import Answer, Request, StubEndpoint

JSON = "application/x-amz-json-1.1"


class InstanceConnect(Console):
    """EC2 as moto has it, and SendSSHPublicKey, which moto has not."""

    def __init__(self, moto: str, stub: StubEndpoint, lab: Lab) -> None:
        super().__init__(moto, stub)
        self.sent: list[dict[str, str]] = []
        self.code = ""
        self.deaf = False
        """The machine does not ask Instance Connect for keys."""
        self._lab = lab

    def _answer(self, request: Request) -> Answer:
        target = request.headers.get("X-Amz-Target", "")
        if not target.endswith(".SendSSHPublicKey"):
            return super()._answer(request)
        if self.code:
            return 400, json.dumps({"__type": self.code, "Message": "No."}), JSON
        words = json.loads(request.body)
        self.sent.append(words)
        if not self.deaf:
            self._lab.sshd.authorized.write_text(words["SSHPublicKey"] + "\n")
        return 200, json.dumps({"RequestId": "1", "Success": True}), JSON


@pytest.fixture
def endpoint(lab: Lab, aws_env: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstanceConnect]:
    """The machine's own key is lost: the server takes no key that is on the disk."""
    stub = StubEndpoint()
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
    lab.sshd.authorized.write_text("")
    yield InstanceConnect(aws_env, stub, lab)
    stub.close()


async def found(bench: Workbench) -> Instance:
    instance = await bench.inventory.find("bert-gpu")
    bench.connections.use_instance_connect(instance)
    return instance


async def test_a_lost_key_is_named_with_the_way_in(lab: Lab, endpoint: InstanceConnect) -> None:
    async with lab.bench() as bench:
        instance = await bench.inventory.find("bert-gpu")
        with pytest.raises(CredentialsProblem) as caught:
            await bench.connections.get(instance)
        assert "cloudtui ssh bert-gpu --instance-connect" in caught.value.hint
        assert endpoint.sent == []


async def test_a_one_time_key_is_sent_and_used(lab: Lab, endpoint: InstanceConnect) -> None:
    before = sorted((lab.home / ".ssh").iterdir())
    async with lab.bench() as bench:
        instance = await found(bench)
        first = await bench.connections.get(instance)
        assert (await first.run("echo in")).stdout == "in\n"
        await first.close()
        await bench.connections.get(instance)  # another one each time
    one, two = endpoint.sent
    assert one["SSHPublicKey"].startswith("ssh-ed25519 ")
    assert one["SSHPublicKey"] != two["SSHPublicKey"]
    assert (one["InstanceId"], one["InstanceOSUser"]) == (lab.gpu, lab.sshd.user)
    assert one["AvailabilityZone"] == instance.zone != ""
    assert sorted((lab.home / ".ssh").iterdir()) == before


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("AuthException", Refused, "the credentials do not allow it"),
        ("EC2InstanceStateInvalidException", Refused, "in its present state"),
        ("EC2InstanceTypeInvalidException", Refused, "is a g5.2xlarge, a type"),
        ("EC2InstanceNotFoundException", CloudtuiError, "knows no machine"),
        ("InvalidArgsException", CloudtuiError, "did not take the login"),
        ("ThrottlingException", CloudtuiError, "too many requests"),
        ("AccessDeniedException", Refused, "do not allow SendSSHPublicKey"),
    ],
)
async def test_what_instance_connect_refuses_is_said(
    lab: Lab, endpoint: InstanceConnect, code: str, kind: type[CloudtuiError], words: str
) -> None:
    endpoint.code = code
    async with lab.bench() as bench:
        instance = await found(bench)
        with pytest.raises(kind, match=words) as caught:
            await bench.connections.get(instance)
    assert code in caught.value.detail


async def test_a_machine_that_does_not_ask_for_the_key(lab: Lab, endpoint: InstanceConnect) -> None:
    endpoint.deaf = True
    async with lab.bench() as bench:
        instance = await found(bench)
        with pytest.raises(CredentialsProblem, match="not with a one-time key") as caught:
            await bench.connections.get(instance)
    assert "package ec2-instance-connect" in caught.value.hint


def test_ssh_instance_connect_as_typed(lab: Lab, endpoint: InstanceConnect) -> None:
    told = cloudtui("ssh", "bert-gpu", "--instance-connect", "--", "echo", "in")
    assert (told.returncode, told.stdout) == (0, "in\n")
    assert len(endpoint.sent) == 1
    refused = cloudtui("ssh", "bert-gpu", "--", "true")
    assert refused.returncode == 6
    assert "--instance-connect" in refused.stderr
