"""The details of one machine: as pairs in columns beside the list, as sections on a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from textual.content import Content

from cloudtui.model.details import (
    Checks,
    Image,
    MachineDetails,
    Protection,
    Volume,
)
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job
from cloudtui.model.price import INCLUDED, Price, Source, dollars, pays
from cloudtui.model.security_group import Group, Rule, exposed
from cloudtui.model.training import parts
from cloudtui.model.tunnel import TunnelState
from cloudtui.model.vitals import summary
from cloudtui.model.words import plural, stamp
from cloudtui.ui.widgets.runs_table import GLYPHS

if TYPE_CHECKING:
    from cloudtui.core.jobs import Jobs
    from cloudtui.core.vitals import Vitals
    from cloudtui.core.workbench import Workbench

LABEL = 10
RUNS_SHOWN = 4
COLUMN = 38
"""Cells of a label, and the least a pair needs."""
WORLD = "▲ SSH is open to the whole world"

Pair = tuple[str, str, str]
"""Label, text and style."""


@dataclass(frozen=True, slots=True)
class About:
    """All that is known of a machine at this moment."""

    instance: Instance
    tunnels: Sequence[TunnelState] = ()
    details: MachineDetails = field(default_factory=MachineDetails)
    price: Price | None = None
    why_no_price: str = ""
    runs: Sequence[Job] = ()
    """Those that go on, as far as the machine was asked."""
    doing: str = ""
    """Its GPUs, processors and so on, while they are watched."""

    @staticmethod
    def of(workbench: Workbench, instance: Instance) -> About:
        """What the workbench knows now, without asking AWS."""
        price = workbench.prices.price(instance)
        return About(
            instance,
            [t for t in workbench.tunnels.states if t.instance_id == instance.id],
            workbench.details.known(instance),
            price,
            "" if price else workbench.prices.why_unknown(instance),
            active_runs(workbench, instance),
            doing(workbench, instance),
        )


def active_runs(workbench: Workbench, instance: Instance) -> list[Job]:
    """What is known of them without asking; their room is not opened for it."""
    jobs: Jobs | None = vars(workbench).get("jobs")
    found = jobs.state(instance.id).jobs if jobs else ()
    return [job for job in found if not job.state.over]


def doing(workbench: Workbench, instance: Instance) -> str:
    """`GPU 93 %  CPU 40 %  memory 62 %  disk 71 %`, or nothing; its room is not opened for it."""
    vitals: Vitals | None = vars(workbench).get("vitals")
    state = vitals.state(instance.id) if vitals else None
    return summary(state.samples[-1]) if state and state.live and state.samples else ""


def run_words(job: Job) -> str:
    """`bert  ● running  loss 0.3248  step 4,018 of 18,750  21 %  1h 55m left`."""
    told = [f"{GLYPHS[job.state]} {job.words}", *parts(job.training)[:3]]
    return f"{job.id}  {'  '.join(told)}"


def pairs(about: About) -> list[Pair]:
    """What is worth knowing of a machine, in the order shown; empty values are left out."""
    i, known = about.instance, about.details
    state = f"{i.state.glyph} {i.state.value}"
    tags = ", ".join(f"{k}={v}" for k, v in i.tags.items() if k != "Name")
    everything: list[Pair] = [
        ("name", i.name, ""),
        ("id", i.id, ""),
        ("state", f"{state}  {i.state_reason}" if i.state_reason else state, ""),
        ("type", f"{i.type}  spot" if i.spot else i.type, ""),
        ("doing", about.doing, ""),
        ("zone", i.zone, ""),
        ("launched", stamp(i.launched) if i.launched else "", ""),
        ("price", price_words(about), ""),
        ("checks", *checks_words(known.checks)),
        ("public", i.public_ip, ""),
        ("private", i.private_ip, ""),
        ("ipv6", i.ipv6, ""),
        ("dns", i.public_dns, ""),
        ("key", i.key_name, ""),
        ("login", _login(known.image), ""),
        ("role", i.iam_profile, ""),
        ("network", f"{i.vpc_id}  {i.subnet_id}".strip(), ""),
        ("protected", protection_words(known.protection), ""),
        ("image", image_words(i, known.image), ""),
        ("groups", *groups_words(i, known.groups)),
        ("volumes", volumes_words(i, known.volumes), ""),
        ("tags", tags, ""),
    ]
    if i.profile:
        everything.insert(5, ("profile", i.profile, ""))
    if isinstance(known.checks, Checks):
        everything += [("planned", event, "$warning") for event in known.checks.events]
    everything += [("run", run_words(job), "") for job in about.runs[:RUNS_SHOWN]]
    if more := len(about.runs) - RUNS_SHOWN:
        everything += [("runs", f"and {more} more", "")] if more > 0 else []
    for tunnel in about.tunnels:
        text = f"{tunnel.where}  {tunnel.phase.value}"
        everything.append(("tunnel", text, ""))
    return [pair for pair in everything if pair[1]]


def describe(about: About, width: int) -> Content:
    """The pairs laid out for `width` cells, in up to three columns; long ones get a whole line.

    Runs come first: of a panel that is too low for everything, the top is seen.
    """
    columns = max(1, min(3, width // COLUMN))
    cell = width // columns
    everything = pairs(about)
    found = [pair for pair in everything if pair[0] not in ("run", "runs")]
    short = [pair for pair in found if len(pair[1]) <= cell - LABEL - 2]
    long = [pair for pair in found if pair not in short]
    depth = -(-len(short) // columns)
    lines = [_pair(pair, 0) for pair in everything if pair not in found]
    for row in range(depth):
        line = short[row::depth]
        lines.append(Content("").join([_pair(pair, cell) for pair in line]))
    lines += [_pair(pair, 0) for pair in long]
    return Content("\n").join(lines)


def _pair(pair: Pair, cell: int, label: int = LABEL) -> Content:
    name, value, style = pair
    shown = set_cell_size(value, cell - label) if cell else value
    return Content.assemble((name.ljust(label), "$foreground-muted"), (shown, style))


# ------------------------------------------------------------------ words of each part


def price_words(about: About) -> str:
    """`$1.21/h, about $63.02 since its start`; why not, when it is not known."""
    price, instance = about.price, about.instance
    if price is None:
        return "unknown"
    words = f"${price.words}/h"
    if pays(instance) and instance.launched and price.source is not Source.SPOT:
        hours = (datetime.now(UTC) - instance.launched).total_seconds() / 3600
        words += f", ${dollars(max(hours, 0) * price.hourly)} since its start"
    return words


def price_source(about: About) -> str:
    """Where the price is from and of which day, or why there is none."""
    if about.price is None:
        return f"unknown: {about.why_no_price}" if about.why_no_price else "unknown"
    return f"{about.price.source.value}, as of {about.price.as_of:%Y-%m-%d}"


def checks_words(checks: Checks | CloudtuiError | None) -> tuple[str, str]:
    """`system ok, instance ok, EBS ok`, and a style that warns."""
    if not isinstance(checks, Checks):
        return _short(checks), ""
    named = (("system", checks.system), ("instance", checks.instance), ("EBS", checks.ebs))
    parts = [f"{name} {word}" for name, word in named if word and word != "not-applicable"]
    bad = any(word == "impaired" for _, word in named)
    moving = any(word in ("initializing", "insufficient-data") for _, word in named)
    if parts and not bad and not moving:
        return f"{len(parts)}/{len(parts)} ok", "$state-running"
    return ", ".join(parts), "$error" if bad else "$warning" if moving else ""


def volumes_words(instance: Instance, volumes: tuple[Volume, ...] | CloudtuiError | None) -> str:
    """`200 GiB gp3, 500 GiB io2 not encrypted`, or the ids when no more is known."""
    if isinstance(volumes, tuple) and volumes:
        return ", ".join(
            f"{v.size} GiB {v.type}{'' if v.encrypted else ' not encrypted'}" for v in volumes
        )
    return ", ".join(instance.volume_ids) or _short(volumes if volumes else None)


def groups_words(
    instance: Instance, groups: tuple[Group, ...] | CloudtuiError | None
) -> tuple[str, str]:
    """Each group with the ports it opens, and an error's style when SSH is open to everyone."""
    if not isinstance(groups, tuple):
        return ", ".join(name or group for group, name in instance.security_groups), ""
    words = []
    for group in groups:
        ports = list(dict.fromkeys(port.words for port in group.inbound))
        opened = f" ({', '.join(ports)})" if ports else " (nothing open)"
        words.append(f"{group.name or group.id}{opened}")
    if exposed(groups):
        return f"{', '.join(words)}  {WORLD}", "$error"
    return ", ".join(words), ""


def image_words(instance: Instance, image: Image | CloudtuiError | None) -> str:
    """The image's id and name."""
    name = image.name if isinstance(image, Image) else ""
    return f"{instance.image_id}  {name or instance.platform}".strip()


def protection_words(protection: Protection | CloudtuiError | None) -> str:
    """What EC2 refuses to do to it, or nothing."""
    if not isinstance(protection, Protection):
        return ""
    parts = [
        word
        for word, on in (("termination", protection.terminate), ("stop", protection.stop))
        if on
    ]
    return f"against {' and '.join(parts)}" if parts else ""


def _login(image: Image | CloudtuiError | None) -> str:
    return image.user if isinstance(image, Image) else ""


def _short(part: object) -> str:
    return "could not be asked" if isinstance(part, CloudtuiError) else ""


# ------------------------------------------------------------------ sections of the screen

WIDE = 13


def sections(about: About) -> Content:
    """Everything, part by part; a part that is on its way or failed says so."""
    i, known = about.instance, about.details
    blocks: list[tuple[str, list[Content]]] = [
        ("Machine", _lines(_machine_pairs(about))),
        ("Cost", _lines([("price", price_words(about), ""), ("source", price_source(about), "")])),
        ("Status checks", _part(known.checks, _checks_lines)),
        ("Volumes", _part(known.volumes, _volume_lines)),
        ("Open ports", _part(known.groups, _group_lines)),
        ("Image and login", _part(known.image, _image_lines)),
        ("Tags", _lines([(k, v, "") for k, v in sorted(i.tags.items())]) or [_muted("none")]),
    ]
    parts: list[Content] = []
    for title, lines in blocks:
        parts += [Content.styled(title, "bold $accent"), *lines, Content("")]
    return Content("\n").join(parts)


def _machine_pairs(about: About) -> list[Pair]:
    i = about.instance
    kept = ("groups", "volumes", "tags", "image", "login", "checks", "price", "planned")
    found = [pair for pair in pairs(about) if pair[0] not in kept]
    extra: list[Pair] = [
        ("architecture", i.architecture, ""),
        ("tenancy", i.tenancy if i.tenancy != "default" else "", ""),
        ("platform", i.platform_details, ""),
        ("root", i.root_device, ""),
        ("hibernation", "possible" if i.hibernation else "", ""),
        ("spot request", i.spot_request_id, ""),
    ]
    return [*found, *(pair for pair in extra if pair[1])]


def _lines(found: Sequence[Pair]) -> list[Content]:
    width = max([WIDE, *(len(pair[0]) + 2 for pair in found)])
    return [_pair(pair, 0, min(width, 32)) for pair in found]


def _muted(text: str) -> Content:
    return Content.styled(text, "$foreground-muted")


def _part(part: object, lines: object) -> list[Content]:
    if part is None:
        return [_muted("asking …")]
    if isinstance(part, CloudtuiError):
        texts = (part.title, part.detail, part.hint)
        return [Content.styled(texts[0], "$warning"), *(_muted(t) for t in texts[1:] if t)]
    return lines(part)  # type: ignore[operator, no-any-return]


def _checks_lines(checks: Checks) -> list[Content]:
    named = (("system", checks.system), ("instance", checks.instance), ("EBS", checks.ebs))
    styles = {"ok": "$state-running", "impaired": "$error", "initializing": "$warning"}
    found = [(name, word, styles.get(word, "")) for name, word in named if word]
    found += [("planned", event, "$warning") for event in checks.events]
    return _lines(found) or [_muted("none while it does not run")]


def _volume_lines(volumes: tuple[Volume, ...]) -> list[Content]:
    if not volumes:
        return [_muted("none: its disks are the instance store's")]
    return [
        Content.assemble(
            (f"{v.device or '-':<{WIDE}}", "$foreground-muted"),
            f"{v.size:>6} GiB  {v.type:<8} {v.id}",
            (_speed(v), "$foreground-muted"),
            "  ",
            ("encrypted" if v.encrypted else "not encrypted", "" if v.encrypted else "$warning"),
            ", deleted with the machine" if v.delete_on_termination else ", kept when it ends",
        )
        for v in volumes
    ]


def _speed(volume: Volume) -> str:
    """What a volume was given beyond what every one of its type has."""
    iops, throughput = INCLUDED.get(volume.type, (0, 0))
    more = f"  {volume.iops} IOPS" if volume.iops > iops else ""
    return f"{more}  {volume.throughput} MiB/s" if volume.throughput > throughput else more


def _group_lines(groups: tuple[Group, ...]) -> list[Content]:
    lines: list[Content] = []
    for group in groups:
        lines.append(Content.assemble((group.name, "bold"), f"  {group.id}".rstrip()))
        if not group.inbound:
            lines.append(_muted("  lets nothing in"))
        lines += [_port_line(port) for port in group.inbound]
    if opened := exposed(groups):
        words = f"{WORLD}: {plural(len(opened), 'rule')} with {_sources(opened)}."
        lines.append(Content.styled(words, "bold $error"))
    return lines or [_muted("none")]


def _sources(ports: Sequence[Rule]) -> str:
    return " and ".join(dict.fromkeys(port.source for port in ports))


def _port_line(port: Rule) -> Content:
    style = "$error" if port.exposed else "$warning" if port.world else ""
    return Content.assemble(
        (f"  {port.words:<{WIDE + 5}} ", style),
        (f"from {port.source}", style),
        (f"  {port.description}" if port.description else "", "$foreground-muted"),
    )


def _image_lines(image: Image) -> list[Content]:
    found = [("image", image.id, ""), ("name", image.name, ""), ("about", image.description, "")]
    found.append(("login user", image.user, ""))
    lines = _lines([pair for pair in found if pair[1]])
    return lines if image.name else [*lines, _muted("EC2 does not show this image any more.")]
