from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.filter import WORDS, Filter, complete, matches, near, searched
from cloudtui.model.instance import Instance, State

GPU = Instance(
    "i-0aa1",
    "us-east-1",
    State.RUNNING,
    name="bert-gpu",
    type="g5.2xlarge",
    zone="us-east-1a",
    public_ip="54.1.2.3",
    private_ip="10.0.0.4",
    key_name="lab",
    image_id="ami-1",
    vpc_id="vpc-7",
    security_groups=(("sg-1", "nlp-ssh"),),
    launched=datetime(2026, 11, 20, tzinfo=UTC),
    tags={"Name": "bert-gpu", "team": "nlp", "project": "bert large", "odd,key": "a*b"},
)
LAB = Instance(
    "i-0ab2",
    "eu-west-1",
    State.STOPPED,
    name="jupyter-lab",
    type="t3.medium",
    lifecycle="spot",
    profile="research",
    ipv6="2600:1f18::7",
    tags={"Name": "jupyter-lab", "team": "vision"},
)
GONE = Instance("i-0ac3", "us-east-1", State.TERMINATED, name="bert-gpu")
ALL = (GPU, LAB, GONE)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {GPU, LAB, GONE}),
        ("state:running", {GPU}),
        ("STATE:Run", {GPU}),
        ("state:run,stop", {GPU, LAB}),
        ("-state:running", {LAB, GONE}),
        ("!state:running,stopped", {GONE}),
        ("type:g5*", {GPU}),
        ("region:eu-*", {LAB}),
        ("tag:team=nlp", {GPU}),
        ("tag:team=nlp,vision", {GPU, LAB}),
        ("-tag:team=nlp", {LAB, GONE}),
        ("tag:team", {GPU, LAB}),
        ('tag:project="bert large"', {GPU}),
        ('tag:"odd,key"="a*"', {GPU}),
        ('tag:project="bert*e"', set()),
        ("spot:yes", {LAB}),
        ("spot:", {LAB}),
        ("spot:no name:bert", {GPU, GONE}),
        ("profile:research", {LAB}),
        ("profile:default", {GPU, GONE}),
        ("image:ami-1", {GPU}),
        ("vpc:vpc-7 group:nlp", {GPU}),
        ("launched:2026-11", {GPU}),
        ("nlp", {GPU}),
        ("-nlp", {LAB, GONE}),
        ('"-gpu"', {GPU, GONE}),
        ('"bert large"', {GPU}),
        ('"bert lar', {GPU}),
        ("54.1", {GPU}),
        ("ip:10.", {GPU}),
        ("ip:2600:1f18::", {LAB}),
        ("bert state:term", {GONE}),
        ("odd:word", set()),
        ("- !", {GPU, LAB, GONE}),
        ("type:", {GPU, LAB, GONE}),
    ],
)
def test_filter_words(query: str, wanted: set[Instance]) -> None:
    assert {i.id for i in ALL if matches(i, query)} == {i.id for i in wanted}


def test_words_that_a_shell_has_split_keep_their_spaces() -> None:
    assert Filter(["tag:project=bert large", "state:run"]).rows(ALL) == [GPU]
    assert Filter(["bert large"]).rows(ALL) == [GPU]


@pytest.mark.parametrize("query", ["stat:", "stat:running", "-stat:x", "bert stat:running"])
def test_a_word_that_does_not_exist_is_explained(query: str) -> None:
    problem = Filter(query).problem
    assert problem.startswith("There is no filter word stat:. state: is meant, perhaps. Known: ")
    assert all(word in problem for word in WORDS)


@pytest.mark.parametrize("query", ["state:x", "2600:1f18::", "arn:aws", '"stat:x"', "a", ""])
def test_what_is_no_wrong_word_is_not_explained(query: str) -> None:
    assert not Filter(query).problem


@pytest.mark.parametrize(
    ("query", "near"),
    [
        ("state:runing", "state:running"),
        ("bert state:stoped,runing", "state:stopped"),
        ("type:g5.2xlagre", "type:g5.2xlarge"),
        ("state:running", ""),
        ("state:pending", ""),  # no machine is, but the word is right
        ("-state:runing state:*ing type:x", ""),
        ('"state:runing" state:', ""),
    ],
)
def test_a_value_that_is_near_to_a_known_one_is_told(query: str, near: str) -> None:
    machines = [Instance("i-1", "r", State.RUNNING, type="g5.2xlarge")]
    told = Filter(query).near_value(machines)
    assert told.partition(". ")[2] == (f"{near} is meant, perhaps." if near else "")


def test_without_an_exact_match_the_near_ones_come_nearest_first() -> None:
    fleet = [
        Instance(f"i-{n}", "r", State.RUNNING, name=name)
        for n, name in enumerate(
            ("big-ray-tuning", "bert-gpu", "oberart-g-p-u", "batch-gpu", "bxgxpxu", "data")
        )
    ]
    found = [i.name for i in Filter("bgpu").rows(fleet)]
    assert found[:2] == ["batch-gpu", "bert-gpu"] or found[:2] == ["bert-gpu", "batch-gpu"]
    assert "data" not in found
    assert "big-ray-tuning" not in found
    assert [i.name for i in Filter("bert-g").rows(fleet)] == ["bert-gpu"]
    assert next(i.name for i in Filter("bgpu -batch").rows(fleet)) == "bert-gpu"
    assert Filter("state:stopped bgpu").rows(fleet) == []


def test_near_prefers_the_beginnings_of_words() -> None:
    found = near("bg2", "bigbert-gpu-2")
    assert found is not None
    assert found[1] == (0, 8, 12)
    assert near("gb", "bert-gpu") is None
    assert near("longer", "long") is None


NAMES = st.text("ab-2g", max_size=12)
WORD = st.text("ab-2g", min_size=1, max_size=5)


@given(WORD, NAMES)
def test_near_is_a_subsequence_and_tells_where(word: str, name: str) -> None:
    rest = iter(name)
    found = near(word, name)
    assert (found is not None) == all(letter in rest for letter in word)
    if found:
        places = found[1]
        assert "".join(name[p] for p in places) == word
        assert list(places) == sorted(set(places))


@given(WORD, st.lists(NAMES, min_size=1))
def test_an_exact_match_shuts_the_near_ones_out(word: str, names: list[str]) -> None:
    fleet = [Instance(f"x{n}", "r", State.RUNNING, name=name) for n, name in enumerate(names)]
    found = Filter([word]).rows(fleet)
    exact = [i for i in fleet if matches(i, f'"{word}"')]
    if exact and word[0] != "-":
        assert found == exact


MACHINES = st.builds(
    Instance,
    id=st.text("i-0a", min_size=1, max_size=6),
    region=st.sampled_from(["us-east-1", "eu-west-1"]),
    state=st.sampled_from(State),
    name=NAMES,
    type=st.sampled_from(["g5.xlarge", "t3.micro", "t3.medium"]),
    tags=st.dictionaries(st.sampled_from(["team", "a"]), st.text("ab*,", max_size=3)),
    lifecycle=st.sampled_from(["", "spot"]),
)
WORDS_TYPED = st.one_of(
    WORD,
    st.builds(
        "{}{}:{}{}".format,
        st.sampled_from(["", "-", "!"]),
        st.sampled_from(["state", "type", "tag", "spot", "name", "region", "nosuch"]),
        st.sampled_from(["", "r", "ru", "t", "t3", "t3.m", "a", "team=a", "*", "n", "y", "eu-"]),
        st.sampled_from(["", "*", "?", ",b", '"', '" "', "1"]),
    ),
)
QUERIES = st.lists(WORDS_TYPED, max_size=4).map(" ".join)


@given(QUERIES, st.text(string.printable, max_size=3), MACHINES)
def test_a_filter_that_narrows_another_never_shows_more(
    query: str, more: str, machine: Instance
) -> None:
    wide, narrow = Filter(query), Filter(query + more)
    if narrow.narrows(wide) and narrow.matches(machine):
        assert wide.matches(machine)


def test_typing_on_narrows() -> None:
    for wide, narrow in (
        ("b", "be"),
        ("bert", "bert "),
        ("bert ", "bert s"),
        ("state:r", "state:ru"),
        ("", "x"),
        ("x", "x -y"),
    ):
        assert Filter(narrow).narrows(Filter(wide)), (wide, narrow)
    for wide, narrow in (
        ("be", "b"),
        ("stat", "state:"),
        ("-b", "-be"),
        ("type:g5?", "type:g5?x"),
        ("state:r", "state:r,s"),
        ("tag:a=", "tag:a=b"),
    ):
        assert not Filter(narrow).narrows(Filter(wide)), (wide, narrow)


@given(st.text(string.printable), MACHINES)
def test_any_text_is_a_filter(query: str, machine: Instance) -> None:
    found = Filter(query)
    assert found.matches(machine) == found.matches(machine, searched(machine))
    found.nearness(machine)
    complete(query, [machine])


@given(WORD.filter(lambda w: not w.startswith("-")), WORD, MACHINES)
def test_more_words_never_match_more(one: str, two: str, machine: Instance) -> None:
    if matches(machine, f"{one} {two}"):
        assert matches(machine, one)
        assert matches(machine, two)


@given(WORDS_TYPED.filter(lambda w: w[0] not in '-!"' and '"' not in w), MACHINES)
def test_a_minus_turns_a_word_round(word: str, machine: Instance) -> None:
    assert matches(machine, f"-{word}") != matches(machine, word)
    assert matches(machine, f"!{word}") != matches(machine, word)


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("sta", "state:"),
        ("s", ""),
        ("st", "state:"),
        ("bert -sta", "bert -state:"),
        ("state:ru", "state:running"),
        ("tag:te", "tag:team="),
        ("tag:team=n", ""),
        ("type:g5", "type:g5.2xlarge"),
        ("type:", ""),
        ("", ""),
    ],
)
def test_what_can_be_meant_is_completed(typed: str, whole: str) -> None:
    assert complete(typed, ALL) == whole
