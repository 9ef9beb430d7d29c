"""What the demo's EC2 tells of host keys, and the one-time keys that it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from types_aiobotocore_ec2.client import EC2Client

from cloudtui.model.details import plain_lines
from cloudtui.model.host_key import announces
from tests.demo.conftest import Site


def _cloudtui(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudtui", *words],
        env=os.environ | site.demo.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


async def test_the_console_announces_the_very_host_key(
    site: Site, ec2: EC2Client, tmp_path: Path
) -> None:
    answer = await ec2.get_console_output(InstanceId=site.ids["bert-gpu"])
    lines = plain_lines(answer["Output"])
    assert announces(lines)
    key = lines[lines.index("-----BEGIN SSH HOST KEY KEYS-----") + 1]
    known = tmp_path / "known_hosts"
    known.write_text(f"bert {key}\n")
    strict = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "HostKeyAlias=bert")
    options = tuple(word for option in strict for word in ("-o", option))
    assert site.ssh("bert-gpu", "echo in", options=options).stdout == b"in\n"


def test_a_one_time_key_lets_in(site: Site) -> None:
    told = _cloudtui(site, "ssh", "bert-gpu", "--instance-connect", "--", "echo", "in")
    assert (told.returncode, told.stdout) == (0, "in\n"), told.stderr
