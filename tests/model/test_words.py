from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloudtui.model.errors import Ambiguous, CloudtuiError
from cloudtui.model.finding import Identity
from cloudtui.model.remote import Route, login_user
from cloudtui.model.words import duration, plural, short_id, since, stamp


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (12.9, "12 s"),
        (302, "5m 02s"),
        (3 * 3600 + 61, "3h 01m"),
        (2 * 86400 + 4 * 3600 + 59, "2d 4h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_since_and_stamp_of_nothing() -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert since(None, now) == stamp(None) == "-"
    assert since(now - timedelta(minutes=1), now) == "1m 00s"
    assert stamp(now).startswith("2026-11-2")


def test_ids_are_shortened_in_the_middle() -> None:
    assert short_id("i-0f3c11112222a1b2") == "i-0f3c…a1b2"
    assert short_id("i-0f3c") == "i-0f3c"
    assert plural(1, "session") == "1 session"
    assert plural(0, "session") == "0 sessions"


@pytest.mark.parametrize(
    ("image", "user"),
    [
        ("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101", "ubuntu"),
        ("Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.9 (Ubuntu 24.04)", "ubuntu"),
        ("al2023-ami-2023.9.20260101.0-kernel-6.1-x86_64", "ec2-user"),
        ("amzn2-ami-hvm-2.0", "ec2-user"),
        ("debian-12-amd64-20260101", "admin"),
        ("Rocky-9-EC2-Base-9.5", "rocky"),
        ("RHEL-9.4", "ec2-user"),
        ("my-own-image", "ec2-user"),
    ],
)
def test_the_login_user_follows_the_image(image: str, user: str) -> None:
    assert login_user(image) == user


def test_the_description_counts_when_the_name_says_nothing() -> None:
    assert login_user("golden-7", "Built on Ubuntu 22.04") == "ubuntu"


def test_where_names_user_host_and_port() -> None:
    route = Route("x", "1.2.3.4", user="ubuntu", identity_files=(Path("k"),))
    assert route.where == "ubuntu@1.2.3.4 port 22"


def test_the_root_user_is_known_by_its_arn() -> None:
    assert Identity("1", "arn:aws:iam::1:root").root
    ann = Identity("1", "arn:aws:sts::1:assumed-role/Admin/ann")
    assert (ann.user, ann.root) == ("ann", False)


def test_every_failure_has_an_exit_code_of_the_contract() -> None:
    def family(kind: type[CloudtuiError]) -> set[type[CloudtuiError]]:
        return {kind}.union(*(family(k) for k in kind.__subclasses__()))

    assert {kind.exit_code for kind in family(CloudtuiError)} <= {1, 2, 3, 4, 5, 6}
    error = Ambiguous("two", ["a", "b"], "pick")
    assert str(error) == "two a\nb pick"
