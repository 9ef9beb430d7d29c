"""Which server is opened, and how a new one is started."""

from __future__ import annotations

import json

import pytest

from cloudtui.core.jupyter import Wish
from cloudtui.core.workbench import Workbench
from cloudtui.model.environment import Has
from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.notebook import OpenJupyter
from tests.jupyters import STUB, conda_environment
from tests.lab import Lab
from tests.sshd import free_port


class Asking:
    """Opens, and keeps what was said and asked; the answer is always no."""

    def __init__(self, bench: Workbench, gpu: Instance) -> None:
        self.bench, self.gpu = bench, gpu
        self.steps: list[str] = []
        self.asked: list[str] = []

    async def no(self, sentence: str) -> bool:
        self.asked.append(sentence)
        return False

    async def open(self, wish: Wish) -> OpenJupyter:
        return await self.bench.jupyter.open(
            self.gpu, ask_install=self.no, on_step=self.steps.append, wish=wish,
            local_port=free_port(),
        )  # fmt: skip


async def test_the_server_that_is_meant_or_a_new_one(lab: Lab) -> None:
    home = lab.sshd.home
    (home / "my data").mkdir()
    for name in ("jupyter", "jupyter-lab"):
        lab.sshd.script(name, STUB)
    torch = conda_environment(home, "torch", "jupyter", "jupyter-lab")
    conda_environment(home, "bare", "pip")
    wanted = Wish(folder="~/my data", environment="torch")
    async with lab.bench() as bench:
        there = Asking(bench, await bench.inventory.find("bert-gpu"))
        found = await bench.jupyter.environments(there.gpu)
        ours = [e for e in found if e.path.startswith(str(home))]
        assert [(e.name, e.python, e.has) for e in ours] == [
            ("torch", "3.12.4", Has.LAB),
            ("bare", "3.12.4", Has.PIP),
        ]
        first = await there.open(wanted)
        assert first.started
        assert first.server.root_dir == str(home / "my data")
        (file,) = (home / ".local/share/jupyter/runtime").glob("jpserver-*.json")
        about = json.loads(file.read_text())
        assert (about["prefix"], about["activated"]) == (str(torch), str(torch))
        assert any(step.startswith("Starting Jupyter with torch") for step in there.steps)

        again = await there.open(wanted)
        assert (again.started, again.server.port) == (False, first.server.port)
        assert (first.moved, first.was_open, again.local_port) == ("", False, first.local_port)
        assert again.moved == f"Its tunnel was open already: localhost:{first.local_port}."
        elsewhere = await there.open(Wish())
        assert elsewhere.server.port == first.server.port

        second = await there.open(Wish(new=True))
        assert second.started
        assert second.server.root_dir == str(home)
        assert second.others == (first.server.port,)
        home_folder = await there.open(Wish(folder="~"))
        assert (home_folder.started, home_folder.server.port) == (False, second.server.port)
        chosen = await there.open(Wish(port=second.server.port))
        assert chosen.server.port == second.server.port

        with pytest.raises(NotFound, match="no Jupyter server on port 1") as caught:
            await there.open(Wish(port=1))
        assert f"{first.server.port} {home}/my data" in caught.value.detail
        with pytest.raises(NotFound, match="No Python environment answers to jax"):
            await there.open(Wish(environment="jax"))
        with pytest.raises(NotFound, match=r"not installed on bert-gpu .*, environment bare"):
            await there.open(Wish(environment="bare"))
        (question,) = there.asked
        assert f"{home}/miniconda3/envs/bare/bin/python -m pip install jupyterlab" in question
    async with lab.bench(read_only=True) as bench:
        there = Asking(bench, await bench.inventory.find("bert-gpu"))
        assert not (await there.open(wanted)).started
        with pytest.raises(Refused, match="read-only"):
            await there.open(Wish(new=True))
