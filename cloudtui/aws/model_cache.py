"""EC2's service model cut down to what cloudtui calls: 0.3 MB in place of 9, classes of 70
operations in place of 800. Built once for each botocore, then read from the cache."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import botocore
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from cloudtui.aws.quiet import ModelLoader
from cloudtui.model.cache import Cache

SERVICES = frozenset(
    {
        "ec2",
        "ec2-instance-connect",
        "iam",
        "pricing",
        "s3",
        "sagemaker",
        "ssm",
        "sso",
        "sso-oidc",
        "sts",
    }
)
"""The services that cloudtui makes clients of."""

OPERATIONS = frozenset(
    {
        # instances
        "DescribeInstanceAttribute",
        "DescribeInstanceCreditSpecifications",
        "DescribeInstanceStatus",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "GetConsoleOutput",
        "GetPasswordData",
        "ModifyInstanceAttribute",
        "ModifyInstanceMetadataOptions",
        "RebootInstances",
        "RunInstances",
        "StartInstances",
        "StopInstances",
        "TerminateInstances",
        # images, volumes, snapshots
        "AttachVolume",
        "CreateImage",
        "CreateSnapshot",
        "CreateVolume",
        "DeleteSnapshot",
        "DeleteVolume",
        "DeregisterImage",
        "DescribeImageAttribute",
        "DescribeImages",
        "DescribeSnapshots",
        "DescribeVolumeStatus",
        "DescribeVolumes",
        "DescribeVolumesModifications",
        "DetachVolume",
        "ModifyVolume",
        # addresses and networks
        "AllocateAddress",
        "AssociateAddress",
        "AuthorizeSecurityGroupIngress",
        "CreateSecurityGroup",
        "DeleteSecurityGroup",
        "DescribeAddresses",
        "DescribeInstanceConnectEndpoints",
        "DescribeNetworkInterfaces",
        "DescribeRouteTables",
        "DescribeSecurityGroupRules",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcs",
        "DisassociateAddress",
        "ModifyNetworkInterfaceAttribute",
        "ModifySecurityGroupRules",
        "ReleaseAddress",
        "RevokeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        # keys, tags, roles
        "AssociateIamInstanceProfile",
        "CreateKeyPair",
        "CreateTags",
        "DeleteKeyPair",
        "DeleteTags",
        "DescribeIamInstanceProfileAssociations",
        "DescribeKeyPairs",
        "DescribeTags",
        "DisassociateIamInstanceProfile",
        "ImportKeyPair",
        "ReplaceIamInstanceProfileAssociation",
        # places, launch templates, Spot
        "CancelSpotInstanceRequests",
        "DescribeAccountAttributes",
        "DescribeAvailabilityZones",
        "DescribeLaunchTemplateVersions",
        "DescribeLaunchTemplates",
        "DescribeRegions",
        "DescribeSpotInstanceRequests",
        "DescribeSpotPriceHistory",
        "GetSpotPlacementScores",
    }
)
"""The EC2 operations that cloudtui calls; others are not in its clients."""

_KINDS = ("service-2", "paginators-1", "waiters-2", "endpoint-rule-set-1")
_ENDPOINTS = "endpoints"
_SHAPE = 1

_Tree = dict[str, Any]


def cache_name() -> str:
    """The file of this botocore and these operations."""
    words = " ".join([str(_SHAPE), *sorted(OPERATIONS), *sorted(SERVICES)])
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return f"ec2-model-{botocore.__version__}-{digest}.json"


class Models(Loader):
    """botocore's loader; EC2's model and the list of endpoints come cut down.

    What the user keeps in ~/.aws/models goes before, as ever.
    """

    def __init__(self, cache: Cache | None) -> None:
        super().__init__(file_loader=_Files(cache))

    def list_available_services(self, type_name: str) -> list[str]:
        """The services known, without looking into the folders of all 400."""
        if type_name in _KINDS:
            return sorted(SERVICES)
        found: list[str] = super().list_available_services(type_name)
        return found

    def load_service_model(
        self, service_name: str, type_name: str, api_version: str | None = None
    ) -> Any:
        """See botocore.

        Raises:
            UnknownServiceError: also for one that is not in SERVICES.
        """
        if service_name not in SERVICES:
            raise UnknownServiceError(
                service_name=service_name, known_service_names=", ".join(sorted(SERVICES))
            )
        return super().load_service_model(service_name, type_name, api_version)


class _Files(ModelLoader):
    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._kept: _Tree = {}
        self._lock = threading.Lock()

    def load_file(self, file_path: str) -> Any:
        path = Path(file_path)
        if not file_path.startswith(Loader.BUILTIN_DATA_PATH):
            return super().load_file(file_path)
        if path.name == _ENDPOINTS or (path.parent.parent.name == "ec2" and path.name in _KINDS):
            with self._lock:
                self._kept = self._kept or self._read() or self._build()
            return self._kept[path.name]
        return super().load_file(file_path)

    def _read(self) -> _Tree:
        packed = self._cache.read(cache_name()) if self._cache else None
        if packed is None:
            return {}
        try:
            found: _Tree = json.loads(packed)
            for kind in (*_KINDS, _ENDPOINTS):
                if not isinstance(found[kind], dict):
                    raise TypeError(f"{kind} is no table")
            if OPERATIONS - found["service-2"]["operations"].keys():
                raise ValueError("operations are missing")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            assert self._cache is not None
            self._cache.set_aside(cache_name(), f"EC2's model does not read ({error})")
            return {}
        return found

    def _build(self) -> _Tree:
        built = build(super().load_file)
        if self._cache:
            self._cache.write(cache_name(), json.dumps(built, separators=(",", ":")).encode())
        return built


def build(load: Callable[[str], Any]) -> _Tree:
    """The cut models by kind; `load` reads a file of botocore's data by its path."""
    data = Path(Loader.BUILTIN_DATA_PATH)
    newest = max(path for path in (data / "ec2").iterdir() if path.is_dir())
    model, pages, waits, rules = (load(str(newest / kind)) for kind in _KINDS)
    operations = {name: op for name, op in model["operations"].items() if name in OPERATIONS}
    shapes = _reached(model["shapes"], operations.values())
    cut = model | {"operations": operations, "shapes": shapes}
    paginators = {name: p for name, p in pages["pagination"].items() if name in operations}
    waiters = {n: w for n, w in waits["waiters"].items() if w["operation"] in operations}
    return {
        "service-2": _without_words(cut),
        "paginators-1": pages | {"pagination": paginators},
        "waiters-2": waits | {"waiters": waiters},
        "endpoint-rule-set-1": _without_words(rules),
        _ENDPOINTS: _endpoints(load(str(data / _ENDPOINTS))),
    }


def _reached(shapes: Mapping[str, _Tree], operations: Iterable[_Tree]) -> _Tree:
    """The shapes that the operations lead to."""
    reached: _Tree = {}
    left = [
        part["shape"]
        for operation in operations
        for part in (operation.get("input"), operation.get("output"), *operation.get("errors", ()))
        if part
    ]
    while left:
        name = left.pop()
        if name in reached:
            continue
        shape = reached[name] = shapes[name]
        members = [*shape.get("members", {}).values(), *map(shape.get, ("member", "key", "value"))]
        left += [member["shape"] for member in members if member]
    return reached


def _without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_words(inner)
            for key, inner in value.items()
            if not (key == "documentation" and isinstance(inner, str))
        }
    return [_without_words(inner) for inner in value] if isinstance(value, list) else value


def _endpoints(everything: _Tree) -> _Tree:
    """The legacy list of endpoints, of SERVICES only."""
    names = SERVICES | {"api.pricing", "api.sagemaker", "portal.sso", "oidc"}
    partitions = [
        partition | {"services": {n: s for n, s in partition["services"].items() if n in names}}
        for partition in everything["partitions"]
    ]
    return everything | {"partitions": partitions}
