"""The words of `cloudtui ip`."""

from __future__ import annotations

import argparse


def add_words(ip: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Give `cloudtui ip` its own verbs; without one it is `ls`."""
    verbs = ip.add_subparsers(dest="ip_verb", metavar="WHAT", title="what to do with them")
    json = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    json.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def verb(name: str, help: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=help, description=help, parents=[common, json])

    verb("ls", "List the Elastic IPs, who has each, and what it costs.")

    allocate = verb("allocate", "Get a new Elastic IP; it costs from then on, used or not.")
    allocate.add_argument("name", nargs="?", default="", metavar="TAG", help="its Name tag")

    associate = verb("associate", "Give an Elastic IP to an instance; asks first.")
    associate.add_argument("address", metavar="ADDRESS")
    associate.add_argument("name", metavar="NAME", help="the instance")
    associate.add_argument(
        "--interface", default="", metavar="ENI", help="which of its network interfaces"
    )

    disassociate = verb(
        "disassociate", "Take an Elastic IP off its instance; it stays yours. Asks first."
    )
    disassociate.add_argument("address", metavar="ADDRESS")

    release = verb("release", "Give Elastic IPs that nothing uses back to AWS; asks first.")
    release.add_argument("addresses", nargs="+", metavar="ADDRESS")
