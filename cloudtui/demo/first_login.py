"""What EC2 tells and is told of a first login: host keys on the serial console, and the one-time
keys of Instance Connect."""

from __future__ import annotations

import json
import time
from typing import Any

VALID_SECONDS = 60.0

_host_keys: dict[str, str] = {}
_sent: dict[str, tuple[float, str]] = {}


def announce(instance_id: str, public_key: str) -> None:
    """The machine has made its host key, a line of a .pub file."""
    _host_keys[instance_id] = public_key.strip()


def announcement(instance_id: str) -> str:
    """What cloud-init prints of the machine's host key; empty before it has one."""
    key = _host_keys.get(instance_id)
    if not key:
        return ""
    return f"-----BEGIN SSH HOST KEY KEYS-----\n{key}\n-----END SSH HOST KEY KEYS-----\n"


def was_sent(instance_id: str, public_key: str) -> bool:
    """Whether Instance Connect was asked, within the last 60 s, to let this key in."""
    when, key = _sent.get(instance_id, (0.0, ""))
    return key.split()[:2] == public_key.split()[:2] and time.monotonic() - when < VALID_SECONDS


def install() -> None:
    """Patch moto, which takes any key and does nothing with it."""
    from moto.ec2instanceconnect.responses import Ec2InstanceConnectResponse

    Ec2InstanceConnectResponse.send_ssh_public_key = _send  # type: ignore[method-assign, unused-ignore]


def _send(self: Any) -> str:
    words = json.loads(self.body)
    _sent[words["InstanceId"]] = (time.monotonic(), words["SSHPublicKey"])
    return json.dumps({"RequestId": "demo", "Success": True})
