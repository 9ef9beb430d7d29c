"""The words of `cloudtui hosts rules`, `open`, `close` and `groups`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Verb = Callable[..., argparse.ArgumentParser]
"""From a verb's name, its help and parent parsers to its parser."""

VERBS = ("rules", "open", "close", "groups")


def add_words(verb: Verb, json: argparse.ArgumentParser) -> None:
    """Add the verbs about the security groups of an instance."""
    rules = verb("rules", "Show what the security groups of an instance let in and out.", json)
    rules.add_argument("name", metavar="NAME")

    opened = verb(
        "open", "Open SSH, or another port, of an instance to your own address; asks first.", json
    )
    opened.add_argument("name", metavar="NAME")
    closed = verb(
        "close",
        "Take away the rules that open made for you here, or those of a source; asks first.",
        json,
    )
    closed.add_argument("name", metavar="NAME")
    for each, default in ((opened, "22"), (closed, "")):
        each.add_argument(
            "--port",
            default=default,
            metavar="PORT",
            help=f"a TCP port or a range such as 8000-8100 (default: {default or 'every port'})",
        )
        each.add_argument(
            "--from",
            dest="source",
            default="",
            metavar="SOURCE",
            help="an address or network in place of your own address",
        )
        each.add_argument(
            "--group", default="", metavar="GROUP", help="which of its security groups"
        )

    groups = verb(
        "groups", "Show the security groups of an instance, or change them; asks first.", json
    )
    groups.add_argument("name", metavar="NAME")
    for option, help in (
        ("--add", "give it this group, by id or name; repeat it for several"),
        ("--remove", "take this group off; repeat it for several"),
        ("--set", "give it exactly these groups; repeat it for several"),
    ):
        groups.add_argument(option, action="append", default=[], metavar="GROUP", help=help)
    groups.add_argument(
        "--interface", default="", metavar="ENI", help="which of its network interfaces"
    )
