"""Which known word a misspelt one means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.slip import nearest, slips

REGIONS = ("eu-west-1", "us-west-1", "us-east-1", "us-east-2", "ap-southeast-1")
words = st.text("abc-1", max_size=8)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("us-esat-1", "us-east-1"),
        ("useast-1", "us-east-1"),
        ("us-east-22", "us-east-2"),
        ("eu-wset-1", "eu-west-1"),
        ("ap-southeats-1", "ap-southeast-1"),
        ("frankfurt", ""),
        ("", ""),
    ],
)
def test_the_region_meant(typed: str, meant: str) -> None:
    assert nearest(typed, REGIONS) == meant


def test_letters_that_changed_places_are_one_slip() -> None:
    assert slips("us-esat-1", "us-east-1") == 1
    assert slips("us-esat-1", "us-west-1") == 2


@given(words, words)
def test_slips_are_counted_both_ways(one: str, other: str) -> None:
    assert slips(one, other) == slips(other, one)
    assert (slips(one, other) == 0) is (one == other)
    assert abs(len(one) - len(other)) <= slips(one, other) <= max(len(one), len(other))
