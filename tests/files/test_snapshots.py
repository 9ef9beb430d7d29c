"""What was listed last time, kept and read back: the same rows, or none and a sentence."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtui.files import paths, snapshots
from cloudtui.files.snapshots import Broken, Snapshot, load, save
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
instances = st.builds(
    Instance,
    id=words,
    region=st.just("us-east-1"),
    state=st.sampled_from(State),
    name=words,
    launched=st.none() | st.datetimes(timezones=st.just(UTC)),
    security_groups=st.lists(st.tuples(words, words), max_size=2).map(tuple),
    volume_ids=st.lists(words, max_size=2).map(tuple),
    tags=st.dictionaries(words, words, max_size=3),
    hibernation=st.booleans(),
    profile=st.just("lab"),
)


def of(*rows: Instance) -> Snapshot:
    return Snapshot("123456789012", ("us-east-1",), {"us-east-1": rows}, {"us-east-1": NOW})


def file() -> Path:
    return paths.cache_dir() / "instances" / "key.jsonl"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(instances, max_size=4))
def test_what_is_kept_is_what_is_read(cut_off: Path, rows: list[Instance]) -> None:
    save("key", of(*rows))
    assert load("key", "lab") == of(*rows)


def test_many_rows_keep_their_order_and_no_line_is_long(cut_off: Path) -> None:
    rows = tuple(Instance(f"i-{n}", "us-east-1", State.RUNNING) for n in range(1001))
    save("key", of(*rows))
    assert load("key", "") == of(*rows)
    assert len(file().read_bytes().splitlines()) == 1 + 5


def test_a_region_without_machines_is_known_to_have_none(cut_off: Path) -> None:
    save("key", of())
    assert load("key", "") == of()


def test_nothing_kept_is_nothing_read(cut_off: Path) -> None:
    assert load("key", "") is None


def test_only_this_user_reads_it(cut_off: Path) -> None:
    save("key", of())
    assert file().stat().st_mode & 0o777 == 0o600
    assert file().parent.stat().st_mode & 0o777 == 0o700


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def wrong(change: str) -> bytes:
    """A file with one fault."""
    head, part = lines(file())
    rows = part["rows"]
    assert isinstance(rows, list)
    match change:
        case "no json":
            return b"{"
        case "no object":
            return b"[]\n"
        case "empty":
            return b""
        case "no text":
            return b"\xff\xfe\n"
        case "cut":
            return file().read_bytes().splitlines(keepends=True)[0]
        case "state":
            rows[0][2] = "melting"
        case "number for a name":
            rows[0][3] = 7
        case "short row":
            rows[0].pop()
        case "other region":
            rows[0][1] = "eu-west-1"
        case "time":
            part["listed"] = "yesterday"
        case "time without zone":
            part["listed"] = "2026-11-21T09:30:00"
        case "group":
            rows[0][rows_field("security_groups")] = [["one"]]
        case "deep":
            return b"[" * 100_000
    return "\n".join(json.dumps(line) for line in (head, part)).encode()


def rows_field(name: str) -> int:
    fields = lines(file())[0]["fields"]
    assert isinstance(fields, list)
    return fields.index(name)


@pytest.mark.parametrize(
    "change",
    [
        "no json",
        "no object",
        "empty",
        "no text",
        "cut",
        "state",
        "number for a name",
        "short row",
        "other region",
        "time",
        "time without zone",
        "group",
        "deep",
    ],
)
def test_a_broken_file_is_set_aside(cut_off: Path, change: str) -> None:
    save("key", of(Instance("i-1", "us-east-1", State.RUNNING, name="one")))
    file().write_bytes(wrong(change))
    with pytest.raises(Broken) as told:
        load("key", "")
    assert "broken" in told.value.title
    assert str(file().with_suffix(".broken")) in told.value.detail
    assert file().with_suffix(".broken").exists()
    assert load("key", "") is None


def test_a_file_of_another_version_is_no_fault(cut_off: Path) -> None:
    save("key", of(Instance("i-1", "us-east-1", State.RUNNING)))
    head, part = lines(file())
    head["fields"] = ["id", "colour"]
    file().write_text("\n".join(json.dumps(line) for line in (head, part)))
    assert load("key", "") == Snapshot()


def test_a_disk_that_takes_nothing_is_told(cut_off: Path) -> None:
    (paths.cache_dir()).parent.mkdir(parents=True, exist_ok=True)
    paths.cache_dir().write_text("a file where the folder belongs")
    with pytest.raises(CloudtuiError, match="cannot be kept") as told:
        save("key", of())
    assert "next start" in told.value.hint


def test_files_that_nobody_renews_are_removed(cut_off: Path) -> None:
    save("old", of())
    before = (datetime.now(UTC) - timedelta(days=snapshots.KEPT_DAYS + 1)).timestamp()
    os.utime(file().with_name("old.jsonl"), (before, before))
    save("key", of())
    assert load("old", "") is None
    assert load("key", "") is not None


def test_rows_are_those_of_the_profile_that_reads(cut_off: Path) -> None:
    made = Instance("i-1", "us-east-1", State.RUNNING, profile="lab")
    save("key", of(made))
    assert load("key", "prod") == of(replace(made, profile="prod"))
