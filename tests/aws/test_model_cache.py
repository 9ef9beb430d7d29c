"""EC2's model cut down: equal to botocore's where it is used, and never in the way."""

from __future__ import annotations

import ast
import json
import stat
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import ServiceModel

from cloudtui.aws import model_cache
from cloudtui.aws.clients import Amazon
from cloudtui.aws.model_cache import OPERATIONS, SERVICES, Models, cache_name
from cloudtui.files.cache import FileCache
from tests.moto_child import StubEndpoint

AWS = Path(model_cache.__file__).parent


def said() -> tuple[list[tuple[str, str]], FileCache]:
    told: list[tuple[str, str]] = []
    return told, FileCache(lambda sentence, detail: told.append((sentence, detail)))


def whole() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")


def shape_of(shape: Any, seen: frozenset[str] = frozenset()) -> Any:
    """Everything below a shape that parsing and sending depend on."""
    if shape is None or shape.name in seen:
        return None
    seen |= {shape.name}
    inner = {n: shape_of(s, seen) for n, s in getattr(shape, "members", {}).items()}
    parts = [shape_of(getattr(shape, part, None), seen) for part in ("member", "key", "value")]
    return (shape.name, shape.type_name, shape.serialization, inner, parts)


def test_each_operation_is_as_botocore_has_it() -> None:
    full, cut = whole(), ServiceModel(Models(None).load_service_model("ec2", "service-2"), "ec2")
    assert set(cut.operation_names) == OPERATIONS
    assert cut.metadata == full.metadata
    for name in ("DescribeInstances", "RunInstances", "CreateTags", "DescribeRegions"):
        ours, theirs = cut.operation_model(name), full.operation_model(name)
        assert ours.http == theirs.http
        assert shape_of(ours.input_shape) == shape_of(theirs.input_shape)
        assert shape_of(ours.output_shape) == shape_of(theirs.output_shape)


def test_every_operation_that_is_called_is_in_it() -> None:
    names = {xform_name(name): name for name in whole().operation_names}
    called, services = set(), set()
    for file in AWS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            called.add(node.func.attr)
            first = node.args[0] if node.args else None
            if node.func.attr == "client" and isinstance(first, ast.Constant):
                services.add(first.value)
    assert {names[name] for name in called if name in names} <= OPERATIONS
    assert services <= SERVICES


def test_it_is_built_once_and_read_after(cut_off: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, cache = said()
    built = Models(cache).load_service_model("ec2", "service-2")
    (file,) = (cut_off / ".cache/cloudtui").iterdir()
    assert botocore.__version__ in file.name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_size < 600_000
    monkeypatch.setattr(model_cache, "build", lambda load: pytest.fail("built again"))
    assert Models(cache).load_service_model("ec2", "service-2") == built
    assert told == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"\xff", b'{"service-2": 1}', b"[" * 100_000],
)
def test_a_broken_file_is_set_aside_and_said(cut_off: Path, content: bytes) -> None:
    told, cache = said()
    cache.write(cache_name(), content)
    assert Models(cache).load_service_model("ec2", "service-2")["operations"]
    assert len(told) == 1
    assert "EC2's model does not read" in told[0][0]
    folder = cut_off / ".cache/cloudtui"
    assert (folder / f"{cache_name()}.broken").read_bytes() == content
    assert json.loads((folder / cache_name()).read_text())["service-2"]["operations"]


def test_a_file_without_an_operation_is_made_again(cut_off: Path) -> None:
    told, cache = said()
    Models(cache).load_service_model("ec2", "service-2")
    kept = json.loads(cache.read(cache_name()) or b"")
    del kept["service-2"]["operations"]["DescribeInstances"]
    cache.write(cache_name(), json.dumps(kept).encode())
    found = Models(cache).load_service_model("ec2", "service-2")["operations"]
    assert found.keys() == OPERATIONS
    assert len(told) == 1


def test_it_works_without_a_folder_to_write_to(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cut_off / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cut_off / "file"))
    told, cache = said()
    assert Models(cache).load_service_model("ec2", "service-2")["operations"]
    assert told == []


def test_models_of_the_users_own_go_before(cut_off: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = cut_off / ".aws/models/ec2/2016-11-15"
    own.mkdir(parents=True)
    (own / "service-2.json").write_text('{"mine": true}')
    models = Models(None)
    models.search_paths[0] = str(cut_off / ".aws/models")
    assert models.load_service_model("ec2", "service-2") == {"mine": True}


def test_a_service_that_cloudtui_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownServiceError):
        Models(None).load_service_model("lambda", "service-2")


async def test_its_clients_answer(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer(200, "<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>")
    _told, cache = said()
    for _ in range(2):
        async with Amazon(cache=cache) as amazon:
            client = await amazon.client("ec2", "eu-west-1")
            assert (await client.describe_regions())["Regions"] == []
            assert client.can_paginate("describe_volumes")
            assert "instance_running" in client.waiter_names
    assert "/eu-west-1/ec2/" in stub_endpoint.requests[-1].headers["Authorization"]


def test_endpoints_are_botocores() -> None:
    """What the legacy resolver says of the services that are used, in odd places too."""
    from botocore.regions import EndpointResolver

    ours = EndpointResolver(Models(None).load_data("endpoints"))
    theirs = EndpointResolver(Loader().load_data("endpoints"))
    for service in ("ec2", "sts", "s3", "iam", "api.pricing", "portal.sso", "oidc", "ssm"):
        for region in ("us-east-1", "eu-west-3", "cn-north-1", "us-gov-west-1", "mars-1"):
            assert ours.construct_endpoint(service, region) == theirs.construct_endpoint(
                service, region
            )
