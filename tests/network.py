"""Addresses of moto that lead to a real sshd, for cloudtui and for plain ssh."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import Lab

RELAY = """
import selectors, socket, sys
from pathlib import Path
known = dict(line.split() for line in Path({file!r}).read_text().splitlines())
if sys.argv[1] not in known:
    sys.exit(f"no route to {{sys.argv[1]}}")
there = socket.create_connection(("127.0.0.1", int(known[sys.argv[1]])))
ways = selectors.DefaultSelector()
ways.register(0, selectors.EVENT_READ)
ways.register(there, selectors.EVENT_READ)
import os
while True:
    for way, _ in ways.select():
        data = os.read(way.fd, 65536)
        if not data:
            sys.exit()
        if way.fd:
            os.write(1, data)
        else:
            there.sendall(data)
"""


class Net:
    """The internet in small: which address of moto's leads to which port of this machine."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self._file, self.config = lab, folder / "net", lab.home / ".ssh/config"
        self.known_hosts = lab.home / ".ssh/known_hosts"
        relay = folder / "relay.py"
        relay.write_text(RELAY.format(file=str(self._file)))
        self._file.touch()
        self.known_hosts.unlink()
        self.config.write_text(
            f"Host *\n  ProxyCommand {sys.executable} {relay} %h\n"
            f"  UserKnownHostsFile {self.known_hosts}\n"
        )
        self.settle()

    @property
    def home_file(self) -> Path:
        """Where cloudtui keeps which region an instance was in."""
        return self.lab.home / ".local/state/cloudtui/hosts.json"

    def settle(self) -> None:
        """Every running machine is the one real sshd, at the address it has now."""
        lines = [
            f"{i['PublicIpAddress']} {self.lab.sshd.port}\n"
            for r in self.lab.ec2.describe_instances()["Reservations"]
            for i in r["Instances"]
            if i["State"]["Name"] == "running" and i.get("PublicIpAddress")
        ]
        self._file.write_text("".join(lines))

    def ssh(self, *words: str) -> tuple[int, str]:
        """Plain ssh that may ask nothing; its exit status and everything it said."""
        done = subprocess.run(
            ["ssh", "-F", self.config, "-o", "BatchMode=yes", *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stdout + done.stderr

    def config_of(self, alias: str) -> str:
        """What ssh makes of an alias: `ssh -G`."""
        return subprocess.run(
            ["ssh", "-G", "-F", self.config, alias], capture_output=True, text=True, check=True
        ).stdout

    def new_address(self, instance_id: str) -> str:
        """Give the machine another address, as a stop and a start do."""
        self.lab.ec2.stop_instances(InstanceIds=[instance_id])
        self.lab.ec2.start_instances(InstanceIds=[instance_id])
        self.settle()
        return self.address(instance_id)

    def address(self, instance_id: str) -> str:
        told = self.lab.ec2.describe_instances(InstanceIds=[instance_id])
        return str(told["Reservations"][0]["Instances"][0]["PublicIpAddress"])


@pytest.fixture
def net(lab: Lab, tmp_path: Path) -> Net:
    return Net(lab, tmp_path)
