"""The scenes of the screenshots: a pretend fleet, a clock that stands still, a fixed size."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

from cloudtui.core.browsing import FileRow, Folder
from cloudtui.core.events import InventoryState
from cloudtui.files.settings import Settings
from cloudtui.model.copy import CopyPhase, CopyState, Facts
from cloudtui.model.errors import Unreachable
from cloudtui.model.finding import Identity
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job, JobState
from cloudtui.model.key_pair import KeyFormat, LocalKey
from cloudtui.model.preview import Preview
from cloudtui.model.session import Program, Session, SessionList
from cloudtui.model.then import StepState, ThenStep
from cloudtui.model.training import Training
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelState
from cloudtui.ui.screens.files import FilesScreen
from cloudtui.ui.widgets.pane import Pane
from tests.ui.fake_jobs import run
from tests.ui.fake_network import NLP, OPEN
from tests.ui.fake_notebooks import LOCKED, LOOKING, SERVER, TRAINING
from tests.ui.fake_vitals import doing
from tests.ui.fakes import Console, console, machine

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SIZE = (110, 30)
DESCENT = 5.0
"""Pixels by which DejaVu's letters reach below the last line's clip."""
THEMES = {"dark": "cloudtui-dark", "light": "cloudtui-light"}


def _machine(number: int, name: str, up: timedelta, **changes: object) -> Instance:
    made = machine(number, name)
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return replace(
        made,
        id=f"i-0{digest[:16]}",
        launched=NOW - up,
        **{"key_name": "nlp-lab", **changes},  # type: ignore[arg-type]
    )


FLEET = (
    _machine(43, "bert-gpu", timedelta(days=2, hours=4)),
    _machine(44, "bert-gpu-2", timedelta(seconds=12), state=State.PENDING, public_ip=""),
    _machine(51, "etl-box", timedelta(days=9), state=State.STOPPED, type="m5.xlarge", public_ip=""),
    _machine(45, "jupyter-lab", timedelta(hours=6, minutes=12), type="t3.xlarge"),
    _machine(
        46, "paper-eu", timedelta(days=5, hours=1), type="c5.2xlarge", zone="eu-west-1a",
        region="eu-west-1",
    ),
    _machine(
        47, "spot-trainer", timedelta(hours=1, minutes=42), type="g4dn.xlarge", lifecycle="spot"
    ),
)  # fmt: skip

LISTED = InventoryState(
    instances=FLEET,
    regions=("us-east-1", "eu-west-1"),
    updated=NOW - timedelta(seconds=4),
    identities={"": Identity("123456789012", "arn:aws:iam::123456789012:user/nlp-lab")},
)

SESSIONS = SessionList(
    (
        Session(
            Program.TMUX,
            "$0",
            "bert",
            2,
            1,
            NOW - timedelta(hours=9, minutes=3),
            command="python3",
        ),
        Session(Program.TMUX, "$3", "eval", 1, 0, NOW - timedelta(minutes=12), command="bash"),
        Session(Program.SCREEN, "4711.prep", "prep", 2, 0, NOW - timedelta(days=1), command="make"),
    ),
    "tmux 3.4",
    "Screen version 4.09.01",
)


def _training_lines() -> list[str]:
    lines = [
        "\x1b[2J\x1b[H\x1b[1m***** Running training *****\x1b[0m",
        "  Num examples = 200,000",
        "  Num Epochs = 3",
        "  Instantaneous batch size per device = 32",
        "  Total optimization steps = 18,750",
        "  Resuming from checkpoint-4000",
    ]
    for step in range(18):
        loss, rate = 0.3475 - step * 0.0013, 1.5732e-05 - step * 2.1e-09
        lines.append(
            f"{{'loss': {loss:.4f}, 'grad_norm': {2.4 + step % 5 * 0.31:.4f}, "
            f"'learning_rate': {rate:.6e}, 'epoch': {0.6403 + step * 0.0003:.4f}}}"
        )
    lines.append(
        " 21%|\x1b[36m████████▋\x1b[0m                               | 4018/18750 "
        "[31:26<1:55:16, \x1b[32m2.13it/s\x1b[0m]"
    )
    return lines


def _training_log() -> str:
    lines = _training_lines()
    bar = "\x1b[30;42m[bert] 0:train*  1:htop-" + " " * 66 + '"bert-gpu" 09:30 21-Nov\x1b[0m'
    return "\r\n".join(lines) + f"\x1b[{SIZE[1] - 1};1H{bar}\x1b[26;1H"


async def details_shown(made: Console) -> None:
    """The cursor has rested on its row, and the details that were asked for are painted."""
    machine = made.app.screen.instance  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        while not made.bench.details.known(machine).asked:
            await made.settle()


async def machines(made: Console) -> None:
    """The first screen."""
    await details_shown(made)


async def sessions(made: Console) -> None:
    made.bench.sessions.answer = SESSIONS
    lines = tuple(_training_lines()[1:])
    made.bench.sessions.pictures["bert"] = Preview(lines, 110, 29, "window 0 train")
    await made.do("machine.sessions")
    await made.app.workers.wait_for_complete()


async def all_sessions(made: Console) -> None:
    """Every host's sessions in one list, the selected one in the preview."""
    bench = made.bench
    bench.all_sessions.connected = {"bert-gpu", "jupyter-lab", "spot-trainer"}
    notes = Session(Program.TMUX, "$0", "notes", 1, 0, NOW - timedelta(hours=6), command="vim")
    lost = Unreachable("spot-trainer does not answer.", "", "Look at its state in EC2.")
    bench.sessions.answers = {
        "bert-gpu": SESSIONS,
        "jupyter-lab": SessionList((notes,), "tmux 3.4", ""),
        "spot-trainer": lost,
    }
    lines = tuple(line.strip("\r") for line in _training_lines()[1:])
    bench.sessions.pictures["bert"] = Preview(lines, 110, 29, "window 0 train")
    await made.do("go.sessions")
    await made.app.workers.wait_for_complete()
    made.app.screen.query_one("SessionsTable").select(  # type: ignore[attr-defined]
        f"{FLEET[0].id}/tmux:$0"
    )
    await made.settle()
    await made.app.workers.wait_for_complete()


async def pane(made: Console) -> None:
    await sessions(made)
    await made.do("session.attach")
    while not made.bench.sessions.attached:
        await made.settle()
    made.bench.sessions.attached[0].print(_training_log())


_PROMPT = "\x1b[32mubuntu@{}\x1b[0m:\x1b[34m~\x1b[0m$ "

_RUN = (
    "step  4018/18750  loss 0.3254  lr 1.57e-05\r\n"
    "step  4019/18750  loss 0.3241  lr 1.57e-05\r\n"
    "step  4020/18750  loss 0.3233  lr 1.57e-05\r\n"
    " 21%|\x1b[36m████████▋\x1b[0m           | 4020/18750 \x1b[32m2.13it/s\x1b[0m"
)

_DISK = (
    "df -h /data\r\n"
    "Filesystem      Size  Used Avail Use% Mounted on\r\n"
    "/dev/nvme1n1    500G  {}G  {}G  {}% /data\r\n"
)


async def splits(made: Console) -> None:
    """A session and two hosts side by side, two of them typed into together."""
    await sessions(made)
    await made.do("session.attach")
    opened = made.bench.sessions.attached
    leader = "ctrl+right_square_bracket"

    async def shown(count: int) -> None:
        async with asyncio.timeout(30):
            while len(opened) < count or not isinstance(made.app.focused, Pane):
                await made.settle()

    await shown(1)
    await made.press(leader, "vertical_line", "enter")
    await shown(2)
    await made.press(leader, "minus", *["down"] * 5, "enter")
    await shown(3)
    await made.press(leader, "b", leader, "up", leader, "b")
    await made.settle()
    bar = "\x1b[30;42m[bert] 0:train*" + " " * 17 + '"bert-gpu" 09:30 21-Nov\x1b[0m'
    opened[0].print(f"\x1b[2J\x1b[H{_RUN}\x1b[29;1H{bar}\x1b[4;48H")
    for place, host, used in ((1, "bert-gpu", 212), (2, "jupyter-lab", 37)):
        prompt = _PROMPT.format(host)
        disk = _DISK.format(used, 500 - used, used // 5)
        opened[place].print(f"\x1b[2J\x1b[H{prompt}{disk}{prompt}")


def _tunnel(machine: Instance, label: str, port: int, **changes: object) -> TunnelState:
    state = TunnelState(
        machine.id,
        f"{label} on {machine.name}",
        port,
        port,
        TunnelPhase.UP,
        NOW - timedelta(hours=3, minutes=4),
        machine=machine.name,
        latency=0.083,
    )
    return replace(state, **changes)  # type: ignore[arg-type]


async def tunnels(made: Console) -> None:
    """One of each state that matters."""
    gpu, stopped, lab, spot = FLEET[0], FLEET[2], FLEET[3], FLEET[5]
    lost = Unreachable(
        "spot-trainer does not answer.", "Connection timed out.", "Look at its state in EC2."
    )
    made.bench.tunnels.show(
        _tunnel(gpu, "TensorBoard", 6006, bytes_in=48_300_000, bytes_out=310_000, connections=2),
        _tunnel(lab, "Jupyter", 8888, bytes_in=7_200_000, bytes_out=190_000, connections=5, cuts=1),
        _tunnel(
            spot, "Ray", 8265, phase=TunnelPhase.RECONNECTING, error=lost, latency=None, cuts=3,
            since=NOW - timedelta(seconds=41), retry_at=NOW + timedelta(seconds=14),
        ),
        _tunnel(stopped, "PostgreSQL", 5432, phase=TunnelPhase.WAITING, latency=None),
        _tunnel(gpu, "SOCKS", 1080, remote_port=0, direction=Direction.DYNAMIC, bytes_in=812),
    )  # fmt: skip
    await made.do("go.tunnels")
    await made.settle()
    made.app.screen.query_one("TunnelsTable").select("8265")  # type: ignore[attr-defined]
    await made.settle()


def _losses(last: float, count: int = 40) -> tuple[float, ...]:
    return tuple(last * (1 + 0.9 * 0.87**n + (n * 5 % 3 - 1) / 60) for n in range(count))[-24:]


async def runs(made: Console) -> None:
    """One of each state that matters, the running ones with what they do."""
    gpu, lab, spot = FLEET[0], FLEET[3], FLEET[5]

    def job(machine: Instance, id: str, command: str, began: timedelta, **more: object) -> Job:
        made = run(machine, id, command=tuple(command.split()), cwd="~/bert", training=Training(),
                   started=NOW - began, last_output=NOW - timedelta(seconds=2))  # fmt: skip
        return replace(made, **more)  # type: ignore[arg-type]

    fine = Training(step=4018, steps=18_750, epoch=0.64, epochs=3, loss=0.3248, eta=6916,
                    rate=2.13, learning_rate=1.57e-05, losses=_losses(0.3248, 24))  # fmt: skip
    nan = Training(step=310, steps=2000, loss=float("nan"), broken=True, losses=_losses(2.1, 12))
    hour = timedelta(hours=1)
    copied = ThenStep("copy:out:results", StepState.WAITING)
    made.bench.jobs.show(
        gpu,
        job(gpu, "bert", "python train.py --epochs 3", 9.05 * hour, training=fine,
            gpus=(0,), then=(copied, ThenStep("stop", StepState.WAITING)),
            last_line="{'loss': 0.3248, 'learning_rate': 1.57e-05, 'epoch': 0.64}"),
        job(gpu, "eval", "python eval.py --split dev", hour, state=JobState.QUEUED, started=None,
            queued=NOW - hour, session="", last_line="", log_bytes=0, why="for bert"),
        job(gpu, "tokenize", "python tokenize.py", 11 * hour, state=JobState.DONE, exit_status=0,
            ended=NOW - 10.2 * hour, last_line="200,000 lines in 48 shards"),
    )  # fmt: skip
    made.bench.jobs.show(
        spot,
        job(spot, "sweep-7", "python sweep.py --lr 3e-4", 0.7 * hour, training=nan,
            last_line="step 310/2000 loss=nan"),
        job(spot, "sweep-6", "python sweep.py --lr 1e-3", 1.5 * hour, state=JobState.KILLED,
            exit_status=137, signal="KILL", ended=NOW - 0.7 * hour, last_line="out of memory"),
    )  # fmt: skip
    made.bench.jobs.show(
        lab,
        job(lab, "notes", "vim", 6 * hour, by_hand=True, session="notes", last_line="~"),
        job(lab, "scrape", "python scrape.py", 5 * hour, state=JobState.FAILED, exit_status=1,
            ended=NOW - 4.8 * hour, last_line="HTTP Error 429: Too Many Requests"),
    )  # fmt: skip
    await made.do("go.runs")
    await made.app.workers.wait_for_complete()
    await made.settle()
    made.app.screen.query_one("RunsTable").select(f"{gpu.id}/bert")  # type: ignore[attr-defined]
    await made.settle()


async def monitor(made: Console) -> None:
    """A machine that trains: its GPU, a run, a disk that fills."""
    await details_shown(made)
    gpu = FLEET[0]
    losses = tuple(0.31 + 1.6 * math.exp(-n / 40) + 0.05 * math.sin(n * 2.3) for n in range(190))
    training = Training(
        step=4018, steps=18_750, epoch=0.64, loss=0.3248, rate=2.13, eta=6916.0, losses=losses
    )
    job = run(gpu, training=training, started=NOW - timedelta(minutes=31))
    made.bench.jobs.answers["bert-gpu"] = (job,)
    made.bench.connections.open.add("bert-gpu")
    await made.do("machine.monitor")
    await made.app.workers.wait_for_complete()
    made.bench.vitals.show(doing(gpu.id, NOW.timestamp()))
    await made.settle()


async def hosts(made: Console) -> None:
    """Entries of cloudtui's own and of the user, in step and not."""
    await made.bench.hosts.healing.close()
    folder = Path.home() / ".ssh"
    (folder / "config.d").mkdir(parents=True, exist_ok=True)
    (folder / "config").write_text(
        "Include config.d/cloudtui.conf\n\n"
        "Host bastion\n    HostName bastion.nlp-lab.example\n    User ann\n\n"
        "Host jupyter-lab   # mine, by hand\n    HostName 54.81.7.20\n    User ubuntu\n\n"
        "Host github.com\n    User git\n    IdentityFile ~/.ssh/no-more.pem\n"
    )
    gone = Instance("i-0c41d9a2e7f05b638", "us-east-1", State.TERMINATED, "bert-old")
    state = made.bench.inventory.state
    made.bench.inventory.show(instances=(*state.instances, gone))
    entries = ((FLEET[0], FLEET[0].public_ip), (gone, "54.90.3.111"))
    (folder / "config.d/cloudtui.conf").write_text(
        "\n".join(
            f"Host {machine.name}\n    HostName {address}\n    User ubuntu\n"
            f"    HostKeyAlias {machine.id}\n"
            for machine, address in entries
        )
    )
    await made.do("go.hosts")
    await made.app.workers.wait_for_complete()
    await made.settle()
    made.app.screen.query_one("HostsTable").select("jupyter-lab")  # type: ignore[attr-defined]
    await made.settle()
    for file in (folder / "config", folder / "config.d/cloudtui.conf"):
        file.unlink()  # the next scene has the same home


async def help(made: Console) -> None:
    await made.press("question_mark")


async def notebooks(made: Console) -> None:
    """The Jupyter servers of three machines; one wants its password, one host has none."""
    bench = made.bench
    bench.notebooks.connected = {"bert-gpu", "jupyter-lab", "spot-trainer"}
    busy = replace(TRAINING, last_activity=NOW - timedelta(seconds=3), connections=0)
    idle = replace(LOOKING, last_activity=NOW - timedelta(hours=5, minutes=12))
    sweep = replace(
        busy, id="c0de77aa", path="sweeps/lr-sweep.ipynb", connections=1, memory=19_300_000_000
    )
    gpu = replace(SERVER, kernels=(busy, sweep), terminals=())
    lab = replace(SERVER, kernels=(idle,), server=replace(SERVER.server, root_dir="/home/ubuntu"))
    bench.notebooks.answers = {"bert-gpu": (gpu, LOCKED), "jupyter-lab": (lab,)}
    await made.do("go.notebooks")
    await made.app.workers.wait_for_complete()
    made.app.screen.query_one("NotebooksTable").select(  # type: ignore[attr-defined]
        f"{FLEET[0].id}/8888/kernel/{busy.id}"
    )
    await made.settle()


async def jupyter(made: Console) -> None:
    made.app.screen.query_one("MachinesTable").select(FLEET[3].id)  # type: ignore[attr-defined]
    await made.settle()
    await details_shown(made)
    await made.do("machine.jupyter")


async def details(made: Console) -> None:
    """One machine in full: what it costs, its volumes and open ports."""
    await details_shown(made)
    await made.do("machine.everything")
    await made.app.workers.wait_for_complete()


async def security_groups(made: Console) -> None:
    """The rules of a machine that two groups fence, one of them open to the world."""
    made.bench.security_groups.groups = (NLP, OPEN)
    await details_shown(made)
    await made.do("machine.groups")
    await made.app.workers.wait_for_complete()


async def keys(made: Console) -> None:
    """A key pair whose private key others may read, one that is not here, and a key of another
    service."""
    (mine,) = made.bench.keys.found
    other = LocalKey(
        mine.path.with_name("id_github"), 0o600, KeyFormat.OPENSSH, "ssh-rsa", 3072, encrypted=True
    )
    made.bench.keys.found = (mine, other)
    made.bench.keys.machines = tuple(
        replace(m, key_name="spot-fleet" if m.spot else "team-nlp") for m in FLEET
    )
    await made.do("go.keys")
    await made.app.workers.wait_for_complete()
    await made.press("down")


async def files(made: Console) -> None:
    """A folder here, one of a machine, and two copies on their way."""
    made.bench.copies.homes = {"bert-gpu": Path.home()}
    await made.do("machine.files")
    await made.app.workers.wait_for_complete()
    screen = made.app.screen
    assert isinstance(screen, FilesScreen)
    left, right = screen.panels

    def row(name: str, size: int, hours: float, kind: str = "f", mode: int = 0o644) -> FileRow:
        when = int((NOW - timedelta(hours=hours)).timestamp()) * 1_000_000_000
        return FileRow(name, Facts(kind, size, mode, when))

    here = (
        row("configs", 4096, 30, "d", 0o755),
        row("results", 4096, 2, "d", 0o755),
        row("finetune.py", 8_412, 5),
        row("requirements.txt", 214, 400),
        row("sst2-dev.tsv", 5_213_331, 900),
        row("sst2-train.tsv", 48_761_002, 900),
    )
    there = (
        row("checkpoint-4000", 4096, 3, "d", 0o755),
        row("checkpoint-8000", 4096, 1, "d", 0o755),
        row("finetune.py", 8_377, 26),
        row("loss.csv", 41_870, 0.1),
        row("model.safetensors", 438_012_904, 1),
        row("train.log", 2_210_448, 0.02),
    )
    left.show_folder(left.begin(), Folder("/home/ann/bert", here, 212 << 30))
    right.show_folder(right.begin(), Folder("/home/ubuntu/bert", there, 37 << 30))
    right.table.select("model.safetensors")
    right.table.mark()
    made.bench.copies.show(
        CopyState(
            "1", ("bert-gpu:/home/ubuntu/bert/checkpoint-8000",), "/home/ann/bert/results",
            CopyPhase.COPYING, 9, 4, 1_320_000_000, 771_000_000, 88_200_000.0, 6.2,
            "checkpoint-8000/optimizer.pt",
        ),
        CopyState(
            "2", ("/home/ann/bert/sst2-train.tsv",), "bert-gpu:/home/ubuntu/bert",
            CopyPhase.COPYING, 1, 0, 48_761_002, 11_200_000, 9_800_000.0, 3.8, "sst2-train.tsv",
        ),
    )  # fmt: skip
    right.paint()
    await made.settle()


SCENES: dict[str, Callable[[Console], Awaitable[None]]] = {
    "machines": machines,
    "details": details,
    "sessions": sessions,
    "all-sessions": all_sessions,
    "pane": pane,
    "splits": splits,
    "tunnels": tunnels,
    "files": files,
    "runs": runs,
    "monitor": monitor,
    "hosts": hosts,
    "security-groups": security_groups,
    "keys": keys,
    "help": help,
    "jupyter": jupyter,
    "notebooks": notebooks,
}


@asynccontextmanager
async def scene(name: str, theme: str) -> AsyncIterator[Console]:
    """The console as the scene leaves it, settled; `theme` is dark or light."""
    zone, os.environ["TZ"] = os.environ.get("TZ"), "UTC"
    time.tzset()
    try:
        with time_machine.travel(NOW, tick=False):
            async with console(LISTED, size=SIZE, settings=Settings(theme=THEMES[theme])) as made:
                await SCENES[name](made)
                for _ in range(4):
                    await made.settle()
                yield made
    finally:
        os.environ.pop("TZ") if zone is None else os.environ.update(TZ=zone)
        time.tzset()


def drawing(made: Console, name: str) -> str:
    """The screen as SVG, in a font that every machine has a likeness of."""
    svg = made.app.export_screenshot(title=f"cloudtui: {name}")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    clip = re.compile(r'(-clip-terminal">\s*<rect [^>]*height=")([\d.]+)')
    svg = clip.sub(lambda m: f"{m[1]}{float(m[2]) + DESCENT}", svg)
    return svg.replace("Fira Code", "DejaVu Sans Mono")


def words(svg: str) -> str:
    """The text of a drawing, without where and in which colour."""
    return "\n".join(re.findall(r"<text[^>]*>(.*?)</text>", svg))
