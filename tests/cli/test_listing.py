"""`cloudtui ls` as a user runs it; the shape of its JSON document is pinned here."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.test_commands import cloudtui
from tests.lab import Lab
from tests.moto_child import StubEndpoint

DOCUMENT = {"schema", "account", "profiles", "regions", "instances", "total", "errors"}
INSTANCE = {
    "id": str,
    "name": str,
    "state": str,
    "type": str,
    "profile": str,
    "region": str,
    "zone": str,
    "public_ip": str,
    "public_dns": str,
    "private_ip": str,
    "ipv6": str,
    "key_name": str,
    "image_id": str,
    "architecture": str,
    "platform": str,
    "platform_details": str,
    "lifecycle": str,
    "tenancy": str,
    "hibernation": bool,
    "root_device": str,
    "vpc_id": str,
    "subnet_id": str,
    "iam_profile": str,
    "state_reason": str,
    "launched": str,
    "tags": dict,
    "security_groups": list,
    "volume_ids": list,
    "price": dict,
}
TOTAL = {
    "currency": str,
    "hourly": float,
    "machines": float,
    "storage": float,
    "addresses": float,
    "priced": int,
    "unpriced": int,
    "as_of": str,
}


def types(found: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in found.items()}


def test_the_json_document_has_the_shape_that_the_readme_promises(lab: Lab) -> None:
    (group,) = lab.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    lab.ec2.modify_instance_attribute(InstanceId=lab.gpu, Groups=[group["GroupId"]])
    told = cloudtui("ls", "--json")
    document = json.loads(told.stdout)
    assert document["schema"] == 1
    assert document.keys() == DOCUMENT
    (gpu,) = document["instances"]
    assert types(gpu) == INSTANCE
    assert types(document["total"]) == TOTAL
    assert (gpu["name"], gpu["id"], gpu["state"]) == ("bert-gpu", lab.gpu, "running")
    assert gpu["tags"] == {"Name": "bert-gpu"}
    assert gpu["security_groups"] == [{"id": group["GroupId"], "name": "default"}]
    assert gpu["price"] == {
        "hourly": 1.212,
        "as_of": "2026-07-20",
        "source": "table in cloudtui",
    }
    assert document["total"]["hourly"] == 1.212
    assert document["regions"] == ["us-east-1"]
    assert document["account"] == "123456789012"
    (profile,) = document["profiles"]
    assert profile.keys() == {"name", "account", "arn"}
    assert (told.stderr, document["errors"]) == ("", [])


def test_what_is_not_known_is_null_and_what_failed_is_among_the_errors(
    stub_endpoint: StubEndpoint,
) -> None:
    stub_endpoint.answer_error(403, "UnauthorizedOperation", "You are not authorized.")
    told = cloudtui("ls", "--json")
    document = json.loads(told.stdout)
    assert document.keys() == DOCUMENT
    assert (document["account"], document["instances"]) == (None, [])
    (error,) = document["errors"]
    assert error.keys() == {"profile", "region", "title", "detail", "hint", "exit_code"}
    assert (error["region"], error["exit_code"]) == ("us-east-1", 4)
    assert told.returncode == 4


def test_the_table_has_prices_and_their_sum_is_told_beside_it(lab: Lab) -> None:
    lab.launch("etl-box", "g99.huge")
    stopped = lab.launch("idle-box")
    lab.ec2.stop_instances(InstanceIds=[stopped])
    told = cloudtui("ls")
    assert told.returncode == 0
    header, first, second, third = (line.split() for line in told.stdout.splitlines())
    assert header[:4] == ["NAME", "ID", "STATE", "TYPE"]
    assert header[-1] == "$/H"
    assert [*first[:4], first[-1]] == ["bert-gpu", lab.gpu, "running", "g5.2xlarge", "1.21"]
    assert (second[0], second[-1]) == ("etl-box", "?")
    assert (third[0], third[-1]) == ("idle-box", "-")
    assert "3 listed, 2 running: $1.21/h + 1 unknown (list prices as of 2026-07-20)." in told.stderr
    assert "cloudtui ls --prices" in told.stderr


def test_after_asking_for_prices_it_is_said_why_some_are_unknown(lab: Lab) -> None:
    lab.launch("etl-box", "g99.huge")
    told = cloudtui("ls", "--prices")
    assert "cloudtui ls --prices" not in told.stderr
    assert "AWS was asked and has no price for etl-box (" in told.stderr


def test_several_regions_have_a_column(lab: Lab) -> None:
    assert cloudtui("ls").stdout.split()[:2] == ["NAME", "ID"]
    told = cloudtui("ls", "--region", "us-east-1", "--region", "eu-west-1")
    header, row = (line.split() for line in told.stdout.splitlines())
    assert (header[:2], row[:2]) == (["REGION", "NAME"], ["us-east-1", "bert-gpu"])


def test_near_names_are_told_when_none_matches(lab: Lab) -> None:
    told = cloudtui("ls", "brtgpu")
    assert (told.returncode, told.stdout) == (0, "")
    assert "No instances match 'brtgpu' in us-east-1." in told.stderr
    assert "Names near it: bert-gpu" in told.stderr
    told = cloudtui("ls", "bert", "state:runing")
    assert "No machine has state:runing. state:running is meant, perhaps.\n" in told.stderr
