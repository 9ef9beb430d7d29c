"""What real EC2 does and moto 5.2 does not, put into moto's classes.

Pending, stopping and shutting-down last a while. An Elastic IP stays over stop and start. Its
release while in use, a sixth one in a region, a start or stop from the wrong state and the stop
of a one-time Spot instance are refused in EC2's words. A start renews the launch time.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.sts.models import STSBackend

from cloudtui.demo import groups, looks, machine_changes

CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
ADDRESS_QUOTA = 5


def install_addresses(draw: Callable[[], str]) -> None:
    """Let moto's instances and Elastic IPs have the addresses that `draw` gives."""
    _replace(elastic_network_interfaces, "random_public_ip", draw)
    _replace(elastic_ip_addresses, "random_ip", draw)


def install(seconds: float, changed: Callable[[], None]) -> None:
    """Patch moto. `changed` is called, in any thread, after an instance reached a new state."""
    _install_phases(seconds, changed)
    _install_kept_addresses()
    _install_address_errors()
    machine_changes.install()
    groups.install()
    looks.install()


def install_identity() -> None:
    """Let the caller be the IAM user `demo`."""

    def caller(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
        account = self.account_id
        return "AIDADEMODEMODEMODEMO", f"arn:aws:iam::{account}:user/demo", account

    _replace(STSBackend, "get_caller_identity", caller)


def boots(instance: Any) -> int:
    """How many times the instance was started or rebooted since its launch."""
    return int(getattr(instance, "demo_boots", 0))


def _install_phases(seconds: float, changed: Callable[[], None]) -> None:
    launch, start, stop, reboot, terminate = (
        Instance.__init__,
        Instance.start,
        Instance.stop,
        Instance.reboot,
        Instance.terminate,
    )

    def pass_through(instance: Any, phase: str, state: str) -> None:
        _put(instance, phase)

        def arrive() -> None:
            if instance.state == phase:
                _put(instance, state)
                changed()

        timer = threading.Timer(seconds, arrive)
        timer.daemon = True
        timer.start()

    def launching(self: Any, *args: Any, **options: Any) -> None:
        launch(self, *args, **options)
        pass_through(self, "pending", "running")

    def starting(self: Any) -> Any:
        if self.state in ("running", "pending"):
            return copy.copy(self._state)
        _refuse_unless(self, ("stopped",), "started")
        before = start(self)
        self.launch_time = utcnow()
        self.demo_boots = boots(self) + 1
        pass_through(self, "pending", "running")
        return before

    def stopping(self: Any) -> Any:
        _refuse_unless(self, ("running", "pending", "stopping", "stopped"), "stopped")
        if self.lifecycle == "spot":
            _refuse(
                "UnsupportedOperation",
                f"You can't stop the Spot Instance '{self.id}' because it is associated with a "
                "one-time Spot Instance request. You can only stop Spot Instances associated "
                "with persistent Spot Instance requests.",
            )
        if self.state in ("stopping", "stopped"):
            return copy.copy(self._state)
        before = stop(self)
        pass_through(self, "stopping", "stopped")
        return before

    def rebooting(self: Any) -> None:
        _refuse_unless(self, ("running", "pending"), "rebooted")
        if self.state == "running":
            reboot(self)
            self.demo_boots = boots(self) + 1

    def terminating(self: Any) -> Any:
        if self.state in ("shutting-down", "terminated"):
            return copy.copy(self._state)
        before = terminate(self)
        pass_through(self, "shutting-down", "terminated")
        return before

    _replace(Instance, "__init__", launching)
    _replace(Instance, "start", starting)
    _replace(Instance, "stop", stopping)
    _replace(Instance, "reboot", rebooting)
    _replace(Instance, "terminate", terminating)


def _install_kept_addresses() -> None:
    stop, assign = NetworkInterface.stop, NetworkInterface.check_auto_public_ip
    associate = ElasticAddressBackend.associate_address

    def elastic(interface: Any) -> Any:
        return next((a for a in interface.ec2_backend.addresses if a.eni is interface), None)

    def stopping(self: Any) -> None:
        if elastic(self) is None:
            stop(self)

    def assigning(self: Any) -> None:
        kept = elastic(self) if getattr(self, "instance", None) else None
        if kept is None:
            assign(self)
        else:
            self.public_ip = kept.public_ip

    def associating(self: Any, *args: Any, **options: Any) -> Any:
        """Also free the machine that had the address, and the machine of its former address."""
        before = {address: address.eni for address in self.addresses}
        given = associate(self, *args, **options)
        for address, interface in before.items():
            if address is not given and address.eni is given.eni:
                address.eni = address.instance = address.association_id = None
            elif address is given and interface is not None and interface is not given.eni:
                _lose_public_ip(interface)
        return given

    def disassociate(
        self: Any, address: str | None = None, association_id: str | None = None
    ) -> None:
        found = (
            self.address_by_ip([address])
            if address
            else self.address_by_association([association_id])
        )[0]
        interface, found.eni, found.instance, found.association_id = found.eni, None, None, None
        if interface is not None:
            _lose_public_ip(interface)

    _replace(NetworkInterface, "stop", stopping)
    _replace(NetworkInterface, "check_auto_public_ip", assigning)
    _replace(ElasticAddressBackend, "disassociate_address", disassociate)
    _replace(ElasticAddressBackend, "associate_address", associating)


def _lose_public_ip(interface: Any) -> None:
    """Its Elastic IP is gone; a running machine gets an address of AWS's own."""
    interface.public_ip = None
    if interface.instance and interface.instance.state in ("running", "pending"):
        interface.check_auto_public_ip()


def _install_address_errors() -> None:
    release = ElasticAddressBackend.release_address
    allocate = ElasticAddressBackend.allocate_address

    def releasing(self: Any, address: str | None = None, allocation_id: str | None = None) -> None:
        found = (
            self.address_by_ip([address])
            if address
            else self.address_by_allocation([allocation_id])
        )[0]
        if found.association_id:
            _refuse("InvalidIPAddress.InUse", f"Address {found.public_ip} is in use.")
        release(self, address, allocation_id)

    def allocating(
        self: Any, domain: str, address: str | None = None, tags: dict[str, str] | None = None
    ) -> Any:
        if len(self.addresses) >= ADDRESS_QUOTA:
            _refuse("AddressLimitExceeded", "The maximum number of addresses has been reached.")
        return allocate(self, domain, address, tags)

    _replace(ElasticAddressBackend, "release_address", releasing)
    _replace(ElasticAddressBackend, "allocate_address", allocating)


def _put(instance: Any, state: str) -> None:
    instance._state.name, instance._state.code = state, CODES[state]


def _refuse(code: str, message: str) -> NoReturn:
    raise EC2ClientError(code, message)


def _refuse_unless(instance: Any, states: tuple[str, ...], participle: str) -> None:
    if instance.state not in states:
        _refuse(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {participle}.",
        )


def _replace(owner: Any, name: str, replacement: Any) -> None:
    setattr(owner, name, replacement)
