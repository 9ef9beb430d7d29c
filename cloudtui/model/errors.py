"""Every failure cloudtui reports, with its sentence, next step and exit code.

CloudtuiError              1
├── PortTaken              1
├── QuotaReached           1
├── Throttled              1
├── UsageError             2
├── NotFound               3
│   └── Ambiguous          3
├── Refused                4
│   ├── HostKeyChanged     4
│   └── NotRunning         4
├── Unreachable            5
│   ├── ConnectionCut      5
│   └── Timeout            5
└── CredentialsProblem     6
"""

from __future__ import annotations

READ_ONLY = "This is read-only mode: nothing is changed, on AWS or on a host."
"""Why everything that changes something is refused then."""


class CloudtuiError(Exception):
    """A failure that is shown, not a bug.

    `title` is one sentence saying what happened and to what; `detail` adds why (AWS's or
    OpenSSH's own code or last lines); `hint` is what to press or type next.
    """

    exit_code = 1

    def __init__(self, title: str, detail: str = "", hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return " ".join(part for part in (self.title, self.detail, self.hint) if part)


class PortTaken(CloudtuiError):
    """Another program listens on the local port."""


class QuotaReached(CloudtuiError):
    """The account may have no more of that."""


class Throttled(CloudtuiError):
    """AWS asks to slow down: too many requests of the account."""


class UsageError(CloudtuiError):
    """The words given make no sense together."""

    exit_code = 2


class NotFound(CloudtuiError):
    """No instance, session or file of that name."""

    exit_code = 3


class Ambiguous(NotFound):
    """Several things answer to the name; `candidates` lists them, one line each."""

    def __init__(self, title: str, candidates: list[str], hint: str = "") -> None:
        super().__init__(title, "\n".join(candidates), hint)
        self.candidates = candidates


class Refused(CloudtuiError):
    """Not done, for safety: a stopped instance, an open key file, a denied action."""

    exit_code = 4


class HostKeyChanged(Refused):
    """The server offers another key than the one on record."""


class NotRunning(Refused):
    """The machine does not run, as far as is known."""


class Unreachable(CloudtuiError):
    """The network, the port or the endpoint does not answer."""

    exit_code = 5


class ConnectionCut(Unreachable):
    """A connection that was up is gone."""


class NamesUnanswered(Unreachable):
    """No DNS server answers this computer."""


class Timeout(Unreachable):
    """No answer within the time given."""


class CredentialsProblem(CloudtuiError):
    """AWS or the SSH server does not accept who is asking.

    `login` is what cloudtui can ask for itself to mend it: `sso`, `mfa` or nothing; `profile` is
    the AWS profile it is about, empty for the default one.
    """

    exit_code = 6

    def __init__(self, title: str, detail: str = "", hint: str = "", login: str = "") -> None:
        super().__init__(title, detail, hint)
        self.login = login
        self.profile = ""
