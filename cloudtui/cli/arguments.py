"""The words of the command line; nothing heavy is imported to explain them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from cloudtui import __version__
from cloudtui.cli import (
    cp_arguments,
    hosts_arguments,
    ip_arguments,
    jobs_arguments,
    jupyter_arguments,
    kernels_arguments,
    keys_arguments,
    output,
    run_arguments,
    tunnel_arguments,
)
from cloudtui.model.errors import UsageError

EPILOG = """\
NAME is a Name tag, an instance id, or a unique beginning of either.

exit codes: 0 done, 1 failed, 2 usage, 3 not found or ambiguous, 4 refused,
5 not reachable, 6 credentials, 130 interrupted
"""

LIFECYCLE = {
    "start": "Start stopped instances.",
    "stop": "Stop instances; asks first.",
    "reboot": "Reboot instances; asks first.",
    "terminate": "Terminate instances for good; asks for the name to be typed. --yes answers "
    "for it only when each NAME is a whole Name tag or id.",
}


class Parser(argparse.ArgumentParser):
    """Wrong words are a failure like any other, told with the usage of the verb they are of."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return words, unknown

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"{self.prog}: {message}", self.format_usage().rstrip(), f"See: {self.prog} --help"
        )

    def _print_message(self, message: str, file: object = None) -> None:
        """The help and the version; argparse says nothing where they cannot be written."""
        output.line(message.removesuffix("\n"))


def parser() -> argparse.ArgumentParser:
    """The whole grammar; every verb sets `verb`."""
    common = _common()
    root = Parser(
        prog="cloudtui",
        description="EC2 machines, Jupyter tunnels and tmux or screen sessions in one console. "
        "Without a verb it opens the console.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    root.add_argument("--version", action="version", version=f"cloudtui {__version__}")
    verbs = root.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    def verb(name: str, help: str, *, json: bool = False) -> argparse.ArgumentParser:
        sub = verbs.add_parser(
            name,
            help=help,
            description=help,
            parents=[common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if json:
            sub.add_argument("--json", action="store_true", help="one JSON document on stdout")
        return sub

    demo = verb("demo", "The console on an embedded cloud: no account, no network.")
    demo.add_argument(
        "command",
        nargs="*",
        default=[],
        metavar="-- COMMAND",
        help="run this in the demo's environment instead of the console",
    )

    ls = verb("ls", "List the instances.", json=True)
    ls.add_argument(
        "filter",
        nargs="*",
        default=[],
        metavar="WORD",
        help="state:running type:g5* tag:team=nlp region:eu-* or any text; all must match. "
        "!WORD is the opposite (quote it)",
    )
    ls.add_argument(
        "--prices",
        action="store_true",
        help="ask AWS for prices that are not known here: Spot, other regions, volumes",
    )

    for name, help in LIFECYCLE.items():
        changed = verb(name, help, json=True)
        changed.add_argument("names", nargs="+", metavar="NAME")
        changed.add_argument(
            "--dry-run",
            action="store_true",
            help="say what would be done and whether AWS would allow it; change nothing",
        )
        changed.add_argument(
            "--no-wait", action="store_true", help="do not follow the change to its end"
        )
        if name == "stop":
            changed.add_argument(
                "--hibernate", action="store_true", help="keep what is in memory on the root volume"
            )
            changed.add_argument(
                "--force",
                action="store_true",
                help="cut it off without a shutdown, for one that hangs in stopping",
            )

    ssh = verb("ssh", "Open a shell on an instance, or run a command there.")
    ssh.add_argument("name", metavar="NAME")
    _instance_connect(ssh)
    ssh.add_argument(
        "command",
        nargs="*",
        default=[],
        metavar="-- COMMAND",
        help="run this instead; its exit status is passed on",
    )

    sessions = verb("sessions", "List the tmux and screen sessions of instances.", json=True)
    sessions.add_argument(
        "name", metavar="NAME", nargs="?", default="", help="default: every running instance"
    )

    attach = verb("attach", "Attach this terminal to a tmux or screen session.")
    attach.add_argument(
        "name", metavar="NAME[:SESSION]", help="or NAME:RUN; without SESSION the only one"
    )
    _instance_connect(attach)
    attach.add_argument("--new", metavar="SESSION", help="make this session first")
    attach.add_argument(
        "--in",
        dest="program",
        choices=["tmux", "screen"],
        help="the program of a new session (default: tmux where installed)",
    )

    jupyter_help = "Open the Jupyter of an instance on localhost."
    jupyter_arguments.add_words(verb("jupyter", jupyter_help, json=True), _port)

    run_help = "Start a command on an instance that goes on whatever happens here."
    run_arguments.add_words(verb("run", run_help, json=True))

    jobs_help = "List the runs of instances, stop them, start them again, remove them."
    jobs_arguments.add_jobs_words(verb("jobs", jobs_help, json=True))

    logs_help = "Print what a run printed, and with -f what it prints until it ends."
    jobs_arguments.add_logs_words(verb("logs", logs_help))

    kernels_help = (
        "List the Jupyter servers and kernels of instances, end them, keep what they print, run "
        "notebooks."
    )
    kernels_arguments.add_words(verb("kernels", kernels_help, json=True))

    hosts_help = "List, add, edit, remove and mend the entries of the ssh config."
    hosts_arguments.add_words(verb("hosts", hosts_help, json=True), common)

    keys_help = "List, create, import, delete, mend and convert key pairs and private keys."
    keys_arguments.add_words(verb("keys", keys_help, json=True), common)

    ip_help = "List, allocate, associate, disassociate and release Elastic IPs."
    ip_arguments.add_words(verb("ip", ip_help, json=True), common)

    tunnel_help = "Forward ports of an instance to this computer, or the other way."
    tunnel_arguments.add_words(verb("tunnel", tunnel_help, json=True))

    cp_help = "Copy files and folders from here to machines, back, and between them."
    cp_arguments.add_words(verb("cp", cp_help, json=True))

    verb("doctor", "Check programs, credentials, region, ssh config and keys.", json=True)
    return root


def asks_for_json(argv: Sequence[str] | None = None) -> bool:
    """Whether words that may be wrong ask for JSON."""
    given = list(sys.argv[1:] if argv is None else argv)
    return "--json" in given[: given.index("--") if "--" in given else None]


def parsed(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The words of a command line; what comes after `--` is the verb's COMMAND, wherever the
    options before it stand.

    Raises:
        UsageError: they make no sense.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    at = given.index("--") if "--" in given else len(given)
    try:
        words = parser().parse_args(given[:at])
    except UsageError:
        if "cp" not in given[:at] or at == len(given):
            raise
        words = parser().parse_args(given)  # its paths may all come after it
        if hasattr(words, "command"):
            raise
        return words
    if at == len(given):
        return words
    if not hasattr(words, "command"):
        return parser().parse_args(given)
    words.command = [*words.command, *given[at + 1 :]]
    return words


def _instance_connect(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--instance-connect",
        action="store_true",
        help="log in with a one-time key that EC2 Instance Connect sends, as when the key is lost",
    )


def _common() -> Parser:
    """Options that may stand before or after the verb."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("options for every verb")
    group.add_argument(
        "--profile",
        action="append",
        dest="profiles",
        metavar="NAME",
        help="AWS profile; repeat it for several (default: AWS_PROFILE)",
    )
    group.add_argument(
        "--region",
        action="append",
        dest="regions",
        metavar="REGION",
        help="AWS region; repeat it for several, or say all",
    )
    group.add_argument(
        "--read-only",
        action="store_true",
        help="refuse what changes AWS, a machine, or the ssh config and keys here",
    )
    group.add_argument("--yes", action="store_true", help="answer yes to what would be asked")
    return common


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port
