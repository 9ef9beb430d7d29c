"""Where one demo keeps its files: a private folder that goes when the demo ends."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MY_ADDRESS_PATH = "/my-address"
"""Where the API's port tells who asks, as AWS's check-ip page does."""

EXAMPLES = "203.0.113"
"""The block of addresses that is kept for examples: nobody has them."""
NOBODY = 1
"""A port that refuses: that of an address which no host has now."""
_LONGEST_TEMP = 24
"""Characters; a Unix socket's whole path may have 104 to 108."""


def make_private_folder() -> Path:
    """A new folder that only this user may enter, with a path short enough for sockets in it."""
    temp = tempfile.gettempdir()
    if len(temp) > _LONGEST_TEMP and os.access("/tmp", os.W_OK | os.X_OK):
        temp = "/tmp"
    return Path(tempfile.mkdtemp(prefix="cloudtui-demo-", dir=temp))


@dataclass(frozen=True, slots=True)
class Plan:
    """What the console decides and the child carries out; travels as JSON."""

    folder: Path
    api: int
    """File descriptor of the API's listening socket."""
    network: str
    """First two octets of the hosts' addresses, `127.77`; empty when the system has 127.0.0.1
    only, and each host gets a port of its own there."""
    ssh_port: int
    """The port of every host; unused when `network` is empty."""
    regions: tuple[str, ...]
    phase_seconds: float

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh" / "config"

    @property
    def host_ports(self) -> Path:
        """The part of the ssh config that changes while the demo runs."""
        return self.folder / "ssh" / "ports"

    @property
    def key(self) -> Path:
        return self.folder / "ssh" / "demo.pem"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "ssh" / "known_hosts"

    @property
    def config_home(self) -> Path:
        return self.folder / "config"

    @property
    def log(self) -> Path:
        return self.folder / "cloud.log"

    @property
    def hosts(self) -> Path:
        return self.folder / "hosts"

    @property
    def mark(self) -> str:
        """An environment entry that every process of the demo's hosts carries."""
        return f"CLOUDTUI_DEMO={self.folder}"

    def dumps(self) -> str:
        return json.dumps(
            {
                "folder": str(self.folder),
                "api": self.api,
                "network": self.network,
                "ssh_port": self.ssh_port,
                "regions": self.regions,
                "phase_seconds": self.phase_seconds,
            }
        )

    @classmethod
    def loads(cls, text: str) -> Plan:
        data = json.loads(text)
        return cls(
            Path(data["folder"]),
            data["api"],
            data["network"],
            data["ssh_port"],
            tuple(data["regions"]),
            data["phase_seconds"],
        )


def lay_out(plan: Plan, port: int) -> None:
    """Write what the console reads before the cloud is up: its settings and the ssh config.

    `port` is the API's, which also tells the console its public address.
    """
    for name in ("ssh", "config/cloudtui", "state", "cache", "aws", "hosts"):
        (plan.folder / name).mkdir(parents=True, mode=0o700)
    quoted = json.dumps
    (plan.config_home / "cloudtui" / "settings.yaml").write_text(
        f"regions: [{', '.join(plan.regions)}]\n"
        "on_quit: close\n"
        f"ssh_config: {quoted(str(plan.ssh_config))}\n"
        f"key_folders: [{quoted(str(plan.key.parent))}]\n"
        f"address_urls: [{quoted(f'http://127.0.0.1:{port}{MY_ADDRESS_PATH}')}]\n",
        "utf-8",
    )
    (plan.folder / "aws" / "config").write_text("[default]\nregion = us-east-1\n", "utf-8")
    credentials = plan.folder / "aws" / "credentials"
    credentials.touch(0o600)
    credentials.write_text(
        "[default]\naws_access_key_id = AKIADEMODEMODEMODEMO\naws_secret_access_key = demo\n"
    )
    write_ssh_config(plan)
    write_host_ports(plan, {})


def write_ssh_config(plan: Plan) -> None:
    """What holds for every host of the demo, under any name; nothing of ~/.ssh is used."""
    port = f"    Port {plan.ssh_port}\n" if plan.network else ""
    plan.ssh_config.write_text(
        "# The hosts of one `cloudtui demo`; gone when it ends.\n"
        f'Include "{plan.host_ports}"\n'
        "\nHost *\n"
        f"{port}"
        "    User ubuntu\n"
        f'    IdentityFile "{plan.key}"\n'
        "    IdentitiesOnly yes\n"
        "    IdentityAgent none\n"
        f'    UserKnownHostsFile "{plan.known_hosts}"\n'
        "    StrictHostKeyChecking accept-new\n",
        "utf-8",
    )
    plan.ssh_config.chmod(0o600)


def write_host_ports(plan: Plan, ports: Mapping[str, int]) -> None:
    """Say which address is which port of 127.0.0.1, where the system has no other address."""
    relay = Path(__file__).with_name("relay.py")
    known = dict(ports) if plan.network else {**ports, f"{EXAMPLES}.*": NOBODY}
    blocks = [
        f'Match host {address}\n    ProxyCommand "{sys.executable}" "{relay}" {port}\n'
        for address, port in known.items()
    ]
    fresh = plan.host_ports.with_suffix(".new")
    fresh.write_text("".join(blocks), "utf-8")
    fresh.chmod(0o600)
    fresh.replace(plan.host_ports)


def remove(folder: Path) -> None:
    """Remove the folder and everything in it, also while a dying process still writes there."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def free_network() -> tuple[str, int]:
    """Two octets under 127 and a port to listen on there; `("", 0)` where 127.0.0.1 is all."""
    for octet in os.urandom(8):
        network = f"127.{16 + octet % 220}"
        for port in (2222, 2022, 8022, 0):
            with socket.socket() as probe:
                try:
                    probe.bind((f"{network}.0.1", port))
                except OSError:
                    continue
                return network, probe.getsockname()[1]
    return "", 0
