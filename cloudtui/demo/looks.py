"""What the demo's EC2 tells of one machine: a boot log, a Spot price that moves, user data."""

from __future__ import annotations

import base64
import math
import time
from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.responses.general import General
from moto.ec2.responses.spot_instances import SpotInstances

from cloudtui.demo import first_login

SPOT = {"g4dn.xlarge": 0.2137, "g5.2xlarge": 0.4846, "g5.xlarge": 0.4021, "c5.2xlarge": 0.1312}
"""Dollars an hour; other types have no Spot price here."""

_BOOT = """\
[    0.000000] Linux version 6.8.0-1033-aws (buildd@lcy02-amd64-032) #35-Ubuntu SMP
[    0.000000] Command line: BOOT_IMAGE=/vmlinuz-6.8.0-1033-aws root=PARTUUID=6c1d6b7e ro \
console=tty1 console=ttyS0 nvme_core.io_timeout=4294967295
[    0.000000] DMI: Amazon EC2 {type}/, BIOS 1.0 10/16/2017
[    0.324117] Memory: available, Linux kernel ready on {type}
[    1.118402] nvme nvme0: pci function 0000:00:04.0
[    1.493077] ena 0000:00:05.0: Elastic Network Adapter (ENA) found, mac 0a:ff:d1:2c:7e:55
[    2.204981] EXT4-fs (nvme0n1p1): mounted filesystem with ordered data mode
[    3.871266] systemd[1]: Set hostname to <ip-{ip}>.
[  OK  ] Started systemd-networkd.service - Network Configuration.
[  OK  ] Reached target network-online.target - Network is Online.
[  OK  ] Started ssh.service - OpenBSD Secure Shell server.
cloud-init[812]: Cloud-init v. 25.1.4 running 'modules:config' at {when}. Up 11.42 seconds.
{script}cloud-init[1034]: Cloud-init v. 25.1.4 running 'modules:final' at {when}. Up 19.87 seconds.
ci-info: no authorized SSH keys fingerprints found for user root.
{host_keys}cloud-init[1034]: Cloud-init v. 25.1.4 finished at {when}. \
Datasource DataSourceEc2Local. Up 24.55 seconds

Ubuntu ip-{ip} ttyS0

ip-{ip} login: """
_GPU = """\
[    7.402115] nvidia: loading out-of-tree module taints kernel.
[    7.611893] NVRM: loading NVIDIA UNIX x86_64 Kernel Module  570.133.20
"""

_SETUP = """\
#!/bin/bash
# Runs once, at the first start.
set -euo pipefail
mkdir -p /home/ubuntu/data /home/ubuntu/runs
apt-get install -y tmux htop
sudo -u ubuntu tmux new-session -d -s {name}
"""


def install() -> None:
    """Patch moto."""
    general: Any = General
    spot: Any = SpotInstances
    general.get_console_output = _console_output
    first_login.install()
    spot.describe_spot_price_history = _spot_prices


def user_data(name: str) -> str:
    """The base64 of a machine's set-up script."""
    return base64.b64encode(_SETUP.format(name=name).encode()).decode()


def _console_output(self: Any) -> ActionResult:
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    text = _BOOT.format(
        type=instance.instance_type,
        ip=str(instance.private_ip).replace(".", "-"),
        when=f"{instance.launch_time:%a, %d %b %Y %H:%M:%S} +0000",
        host_keys=first_login.announcement(instance.id),
        script=_GPU if instance.instance_type.startswith(("g", "p")) else "",
    )
    output = base64.b64encode(text.replace("\n", "\r\n").encode()).decode()
    return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})


def _spot_prices(self: Any) -> ActionResult:
    wanted = self._get_param("InstanceTypes", []) or list(SPOT)
    hour = int(time.time()) // 3600
    history = [
        {
            "InstanceType": kind,
            "ProductDescription": "Linux/UNIX",
            "SpotPrice": f"{SPOT[kind] * (1 + 0.03 * math.sin(hour + ord(letter))):.6f}",
            "AvailabilityZone": f"{self.ec2_backend.region_name}{letter}",
            "Timestamp": utcnow() - timedelta(minutes=17),
        }
        for kind in wanted
        if kind in SPOT
        for letter in "abcd"
    ]
    return ActionResult({"SpotPriceHistory": history})
