"""moto's EC2 and STS as one WSGI application, trimmed so that it is up in about a second."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from cloudtui.demo import groups
from cloudtui.demo.folder import MY_ADDRESS_PATH, Plan

SERVICES = ("ec2", "sts")
UBUNTU = "099720109477"
"""Canonical's account."""
DEEP_LEARNING = "ami-0d8f0b0cf3d1a2c54"
SERVER = "ami-0a7d80731ae1b2435"
_IMAGES = (
    (
        DEEP_LEARNING,
        "898082745236",
        "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.7 (Ubuntu 22.04) 20250901",
        "Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4d, P4de, P5, P5e, P5en, P6-B200.",
        "2025-09-01T09:12:44.000Z",
    ),
    (
        SERVER,
        UBUNTU,
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250821",
        "Canonical, Ubuntu, 24.04, amd64 noble image",
        "2025-08-21T08:30:17.000Z",
    ),
)


class Ec2:
    """The application, a way to call it in this process, and moto's own objects behind it."""

    def __init__(self, plan: Plan) -> None:
        """Import and trim moto; blocks for most of a second."""
        self._prepare(plan)
        from moto.core.models import DEFAULT_ACCOUNT_ID
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.test import Client

        self._application = DomainDispatcherApplication(create_backend_app)
        self._client = Client(self._application)
        self._account = DEFAULT_ACCOUNT_ID
        self._regions = plan.regions

    @staticmethod
    def _prepare(plan: Plan) -> None:
        """Own images in place of moto's of 2017; of 30 regions' type offerings only those used;
        each of botocore's files, which moto asks for three times, read once."""
        images = plan.folder / "images.json"
        images.write_text(json.dumps([_image(*fields) for fields in _IMAGES]), "utf-8")
        os.environ["MOTO_AMIS_PATH"] = str(images)
        import moto.utilities.utils as resources
        from botocore.loaders import JSONFileLoader

        load = resources.load_resource

        def load_needed(resource: str) -> Any:
            folder, _, name = resource.rpartition("/")
            if "instance_type_offerings" in folder and name.split(".")[0] not in plan.regions:
                return []
            return load(resource)

        loaders: Any = JSONFileLoader
        read = loaders.load_file
        once: dict[str, Any] = {}

        def read_once(loader: Any, path: str) -> Any:
            if path not in once:
                once[path] = read(loader, path)
            return once[path]

        resources.load_resource = load_needed
        loaders.load_file = read_once
        import moto.ec2.models
        import moto.ec2.responses  # noqa: F401

        resources.load_resource, loaders.load_file = load, read

    def call(self, region: str, action: str, **parameters: str) -> ElementTree.Element:
        """One request as a client would send it; dots in names are written as `__`.

        Raises:
            RuntimeError: the answer was an error; its text is the message.
        """
        service = "sts" if action == "GetCallerIdentity" else "ec2"
        version = "2011-06-15" if service == "sts" else "2016-11-15"
        scope = f"demo/20260101/{region}/{service}/aws4_request"
        answer = self._client.post(
            "/",
            data={"Action": action, "Version": version}
            | {name.replace("__", "."): value for name, value in parameters.items()},
            headers={
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, "
                "SignedHeaders=host, Signature=0"
            },
        )
        text = answer.get_data(as_text=True)
        if answer.status_code != 200:
            raise RuntimeError(f"{action} in {region}: {text}")
        return _without_namespaces(ElementTree.fromstring(text))

    def instances(self) -> list[tuple[str, Any]]:
        """(region, moto's instance) for every one that has not been forgotten."""
        return [
            (region, instance)
            for region in self._regions
            for reservation in list(self.backend(region).reservations.values())
            for instance in list(reservation.instances)
        ]

    def backend(self, region: str) -> Any:
        from moto.ec2.models import ec2_backends

        return ec2_backends[self._account][region]

    def public_key(self, region: str, key_name: str) -> str:
        """The OpenSSH public key of a key pair, or an empty string."""
        pair = self.backend(region).key_pairs.get(key_name)
        material = pair.material_public if pair else ""
        return material.decode() if isinstance(material, bytes) else str(material or "")

    def serve(self, listener: socket.socket, answered: Callable[[], None]) -> None:
        """Answer on the listening socket from threads of its own, for good.

        `answered` is called, in any thread, after each answer.
        """
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class QuietHandler(MotoRequestHandler):  # type: ignore[misc, unused-ignore]
            protocol_version = "HTTP/1.1"

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing; the log is for failures."""

        host, port = listener.getsockname()
        server = make_server(
            host,
            port,
            _and_then(self._application, answered),
            threaded=True,
            request_handler=QuietHandler,
            fd=listener.fileno(),
        )
        threading.Thread(target=server.serve_forever, name="ec2", daemon=True).start()


def _and_then(application: Any, answered: Callable[[], None]) -> Any:
    def respond(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == MY_ADDRESS_PATH:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [f"{groups.MY_ADDRESS}\n".encode()]
        try:
            answer: Sequence[bytes] = list(application(environ, start_response))
            return answer
        finally:
            answered()

    return respond


def _image(ami_id: str, owner: str, name: str, description: str, created: str) -> dict[str, Any]:
    return {
        "ami_id": ami_id,
        "name": name,
        "description": description,
        "owner_id": owner,
        "public": True,
        "virtualization_type": "hvm",
        "architecture": "x86_64",
        "state": "available",
        "creation_date": created,
        "platform": None,
        "image_type": "machine",
        "image_location": f"amazon/{name}",
        "hypervisor": "xen",
        "root_device_type": "ebs",
        "root_device_name": "/dev/sda1",
        "sriov": "simple",
    }


def _without_namespaces(root: ElementTree.Element) -> ElementTree.Element:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
