"""From a new key to plain ssh, and on through every change of address, as it is typed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtui.files import paths
from tests.cli.here import Here, here
from tests.moto_child import StubEndpoint
from tests.network import Net
from tests.sshd import public_words

__all__ = ["here"]

QUIET = (0, "")


@pytest.fixture(autouse=True)
def my_address(cut_off: Path) -> Iterator[None]:
    """A page that says 203.0.113.7, named in the settings."""
    page = StubEndpoint()
    page.answer(200, "203.0.113.7\n", "text/plain")
    file = paths.settings_file()
    file.parent.mkdir(parents=True)
    file.write_text(f"address_urls: [{page.url}]\n")
    yield
    page.close()


def test_plain_ssh_works_from_the_key_to_the_end(net: Net, here: Here) -> None:
    def done(*words: str) -> str:
        code, told = here(*words, "--yes")
        assert code == 0, told
        return told

    lab = net.lab
    done("keys", "create", "team")
    key = net.lab.home / ".ssh/team.pem"
    public = subprocess.run(
        ["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True
    ).stdout
    lab.sshd.authorized.write_text(public)
    box = lab.launch("etl-box", KeyName="team")
    net.settle()
    address = net.address(box)
    net.known_hosts.write_text(f"{address} {public_words(lab.sshd.host_key)}\n")
    done("hosts", "open", "etl-box")
    assert "203.0.113.7/32" in done("hosts", "rules", "etl-box")
    assert "ssh etl-box\n" in done("hosts", "add", "etl-box", "--user", lab.sshd.user)
    assert net.ssh("etl-box", "true") == QUIET

    done("stop", "etl-box")
    done("start", "etl-box")
    net.settle()
    assert net.address(box) != address
    assert net.ssh("etl-box", "true") == QUIET

    elastic = done("ip", "allocate").split()[0]
    done("ip", "associate", elastic, "etl-box")
    net.settle()
    assert net.address(box) == elastic
    assert net.ssh("etl-box", "true") == QUIET

    lab.ec2.terminate_instances(InstanceIds=[box])
    (entry,) = json.loads(done("hosts", "ls", "--json"))["hosts"]
    assert [drift["kind"] for drift in entry["drift"]] == ["instance gone"]
    done("hosts", "sync")
    assert "No entry" in done("hosts") or "no entry" in done("hosts")
