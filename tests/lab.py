"""A small AWS account with one real machine: moto lists it, a real sshd answers for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings, load
from cloudtui.model.remote import HostKey
from tests.sshd import Sshd


@dataclass
class Person:
    """Answers what a connection asks; everything asked is kept."""

    trust: bool = True
    passphrases: list[str | None] = field(default_factory=list)
    keys: list[HostKey] = field(default_factory=list)
    asked: list[Path] = field(default_factory=list)

    async def trust_host_key(self, key: HostKey) -> bool:
        self.keys.append(key)
        return self.trust

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        self.asked.append(key_file)
        return self.passphrases.pop(0) if self.passphrases else None

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        return None


class Lab:
    """`bert-gpu` runs and is reached through an entry of ~/.ssh/config, like any user's."""

    def __init__(self, home: Path, sshd: Sshd) -> None:
        self.home = home
        self.sshd = sshd
        self.ec2: Any = boto3.client("ec2", region_name="us-east-1")
        images = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["*ubuntu*"]}])
        self.image = images["Images"][0]["ImageId"]
        self.gpu = self.launch("bert-gpu", "g5.2xlarge")
        self.name_in_config("bert-gpu")

    def launch(self, name: str, kind: str = "t3.micro", **more: object) -> str:
        """A running instance; its id."""
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        made = self.ec2.run_instances(
            ImageId=self.image,
            MinCount=1,
            MaxCount=1,
            InstanceType=kind,
            TagSpecifications=tags,
            **more,
        )
        return str(made["Instances"][0]["InstanceId"])

    def name_in_config(self, alias: str, *lines: str, known: bool = True) -> Path:
        """~/.ssh/config with one entry that leads to the sshd; `lines` come first in it."""
        config = self.home / ".ssh/config"
        config.write_text(
            "".join(
                f"{line}\n"
                for line in (
                    f"Host {alias}",
                    *lines,
                    f"HostName {self.sshd.host}",
                    f"Port {self.sshd.port}",
                    f"User {self.sshd.user}",
                    f"IdentityFile {self.sshd.key}",
                    f"UserKnownHostsFile {self.home}/.ssh/known_hosts",
                )
            )
        )
        config.chmod(0o600)
        record = self.home / ".ssh/known_hosts"
        record.unlink(missing_ok=True)
        if known:
            self.sshd.known_hosts(record)
        return config

    def bench(
        self, person: Person | None = None, settings: Settings | None = None, **more: Any
    ) -> Workbench:
        return Workbench(settings or load(), person or Person(), **more)


@pytest.fixture
def lab(cut_off: Path, aws_env: str, sshd: Sshd) -> Lab:
    return Lab(cut_off, sshd)
