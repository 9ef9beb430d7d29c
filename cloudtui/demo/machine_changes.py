"""What a change of a machine is asked about beforehand, where moto 5.2 says nothing of it.

Which volumes go with a machine, the one-time request behind a Spot machine, the refusal to
hibernate one that was not launched for it, and stop protection, which forbids terminating too.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError, OperationDisableApiStopNotPermitted
from moto.ec2.models.elastic_block_store import VolumeAttachment
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses.instances import InstanceResponse


def install() -> None:
    """Patch moto."""
    attachment: Any = VolumeAttachment
    attachment.delete_on_termination = property(_goes_with_it)
    instance: Any = Instance
    instance.hibernation_configured = property(_hibernates)
    _install_hibernation()
    _install_stop_protection()


def request_spot(backend: Any, instance: Any) -> None:
    """The one-time request that the Spot instance was launched by."""
    (request,) = backend.request_spot_instances(
        price="0.21",
        image_id=instance.image_id,
        count=1,
        spot_instance_type="one-time",
        valid_from=None,
        valid_until=None,
        launch_group=None,
        availability_zone_group=None,
        key_name=instance.key_name,
        security_groups=[],
        user_data=None,
        instance_type=instance.instance_type,
        placement=None,
        kernel_id=None,
        ramdisk_id=None,
        monitoring_enabled=False,
        subnet_id=instance.subnet_id,
    )
    # moto has launched another machine for the request.
    launched = request.instance.id
    backend.reservations = {
        key: reservation
        for key, reservation in backend.reservations.items()
        if all(i.id != launched for i in reservation.instances)
    }
    request.instance = instance
    request.state, request._status_code = "active", "fulfilled"
    instance.spot_instance_request_id = request.id


def _goes_with_it(attachment: Any) -> bool:
    devices = attachment.instance.block_device_mapping.values()
    return any(d.delete_on_termination for d in devices if d.volume_id == attachment.volume.id)


def _hibernates(instance: Any) -> bool:
    return str((instance.hibernation_options or {}).get("Configured", "")).lower() == "true"


def _install_hibernation() -> None:
    response: Any = InstanceResponse
    stop = response.stop_instances

    def stopping(self: Any) -> Any:
        if str(self._get_param("Hibernate", "")).lower() == "true" and not self._get_param(
            "DryRun", False
        ):
            for instance_id in self._get_param("InstanceIds", []):
                if not self.ec2_backend.get_instance(instance_id).hibernation_configured:
                    raise EC2ClientError(
                        "UnsupportedHibernationConfiguration",
                        f"The instance '{instance_id}' is not configured for hibernation.",
                    )
        return stop(self)

    response.stop_instances = stopping


def _install_stop_protection() -> None:
    backend: Any = InstanceBackend
    terminate = backend.terminate_instances

    def terminating(self: Any, instance_ids: list[str]) -> Any:
        for instance in self.get_multi_instances_by_id(instance_ids):
            if instance.disable_api_stop is True:
                raise OperationDisableApiStopNotPermitted(instance.id)
        return terminate(self, instance_ids)

    backend.terminate_instances = terminating
