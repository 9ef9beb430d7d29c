"""Executes a notebook in place, and saves it as it goes: notebook_run.py NOTEBOOK

What the cells print is printed here too. The first of these that has nbclient does it: this
Python, the Python of `jupyter`, of the notebook's folder (.venv, venv), of conda, of /opt, of a
Jupyter that runs; else `jupyter nbconvert`, which saves at the end only. The exit status is 1 when
a cell failed.
"""

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Iterator

SAVE_SECONDS = 5.0
NEEDED = "import nbclient, nbformat"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def save(notebook: Any, path: str) -> None:
    """All of it or nothing: whoever has it open sees the old one or the new one."""
    import nbformat

    target = os.path.realpath(path)
    handle, name = tempfile.mkstemp(
        prefix=".cloudtui-", suffix=".ipynb", dir=os.path.dirname(target)
    )
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            nbformat.write(notebook, file)  # type: ignore[no-untyped-call]
        with contextlib.suppress(OSError):
            shutil.copymode(target, name)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def execute(path: str) -> int:
    """The exit status."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    with open(path, encoding="utf-8") as file:
        notebook = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    total = sum(cell.cell_type == "code" for cell in notebook.cells)

    class Client(NotebookClient):
        """Tells and saves what comes."""

        saved = time.time()
        number = 0

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            kind, content = msg["msg_type"], msg["content"]
            if kind == "execute_input":
                self.number += 1
                first = (cell.source.strip().splitlines() or [""])[0]
                say("[cell %d of %d] %s" % (self.number, total, first[:120]))
            elif kind == "stream":
                sys.stdout.write(content.get("text", ""))
                sys.stdout.flush()
            elif kind in ("execute_result", "display_data"):
                text = content.get("data", {}).get("text/plain", "")
                if text:
                    say(text)
            elif kind == "error":
                say("\n".join(content.get("traceback", ())))
            done = NotebookClient.process_message(self, msg, cell, cell_index)
            if time.time() - self.saved >= SAVE_SECONDS or kind == "execute_input":
                self.keep()
            return done

        def keep(self) -> None:
            try:
                save(self.nb, path)
            except OSError as error:
                say("[%s cannot be saved: %s]" % (path, error.strerror))
            self.saved = time.time()

    folder = os.path.dirname(os.path.abspath(path))
    kernel = notebook.metadata.get("kernelspec", {}).get("name", "")
    more = {"kernel_name": kernel} if kernel else {}
    client = Client(notebook, timeout=None, resources={"metadata": {"path": folder}}, **more)
    try:
        client.execute()
    except CellExecutionError:
        client.keep()
        say("[cell %d of %d failed; %s has its error]" % (client.number, total, path))
        return 1
    except Exception as error:  # noqa: BLE001 - a kernel fails in ways of its own
        client.keep()
        name = type(error).__name__
        say("[%s was not executed to its end: %s: %s]" % (path, name, error))
        if name == "NoSuchKernel":
            say("Its kernel is not installed here. Those that are: jupyter kernelspec list")
        return 1
    client.keep()
    say("[%d cells done; outputs are in %s]" % (total, path))
    return 0


def candidates(folder: str) -> Iterator[str]:
    """Pythons that may have nbclient."""
    yield sys.executable
    for name in ("jupyter-nbconvert", "jupyter"):
        found = shutil.which(name)
        if found:
            try:
                with open(found, "rb") as file:
                    first = file.readline(300).decode("utf-8", "replace").strip()
            except OSError:
                continue
            if first.startswith("#!"):
                words = first[2:].split()
                if words and not words[0].endswith("/env"):
                    yield words[0]
            yield os.path.join(os.path.dirname(os.path.realpath(found)), "python3")
    home = os.path.expanduser("~")
    for base in (folder, os.getcwd()):
        for name in (".venv", "venv", "env"):
            yield os.path.join(base, name, "bin", "python3")
    prefix = os.environ.get("CONDA_PREFIX") or os.environ.get("VIRTUAL_ENV")
    if prefix:
        yield os.path.join(prefix, "bin", "python3")
    for name in ("miniconda3", "anaconda3", "miniforge3", "mambaforge"):
        yield os.path.join(home, name, "bin", "python3")
    for found in sorted(glob.glob("/opt/*/bin/python3")):
        yield found
    # Of the Jupyter that runs, or of its kernels.
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(name, "rb") as file:
                words = file.read(4000).decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if len(words) > 1 and any(w in " ".join(words[1:4]) for w in ("jupyter", "ipykernel")):
            yield words[0]


def main() -> int:
    if len(sys.argv) != 2:
        say("A notebook takes no further words: %s" % " ".join(sys.argv[2:]))
        return 2
    path = sys.argv[1]
    if not os.path.isfile(path):
        say("There is no notebook %s in %s." % (path, os.getcwd()))
        return 1
    if os.environ.pop("CLOUDTUI_NOTEBOOK", ""):
        return execute(path)
    seen = set()
    for python in candidates(os.path.dirname(os.path.abspath(path))):
        if not python or python in seen or not os.access(python, os.X_OK):
            continue
        seen.add(python)
        null = subprocess.DEVNULL
        if subprocess.call([python, "-c", NEEDED], stdin=null, stdout=null, stderr=null) == 0:
            os.environ["CLOUDTUI_NOTEBOOK"] = "1"
            os.environ["PATH"] = os.path.dirname(python) + os.pathsep + os.environ.get("PATH", "")
            os.execv(python, [python, "-u", os.path.abspath(__file__), path])
    converter = shutil.which("jupyter-nbconvert")
    if converter:
        say("[no Python here has nbclient: outputs are saved when all cells are done]")
        command = [converter, "--to", "notebook", "--execute", "--inplace"]
        os.execv(converter, [*command, "--ExecutePreprocessor.timeout=-1", path])
    say("Nothing here can execute a notebook: no Python with nbclient, and no jupyter nbconvert.")
    say("Install it there: python3 -m pip install --user nbclient ipykernel")
    return 1


if __name__ == "__main__":
    sys.exit(main())
