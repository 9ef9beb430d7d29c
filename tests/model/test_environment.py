from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.environment import Has, Kind, find_environment, parse_environments
from cloudtui.model.errors import Ambiguous, NotFound

TEXT = """\
HOME /home/ubuntu
ENV conda NOTHING - /home/ubuntu/miniconda3
ENV conda PIP 3.12.4 /home/ubuntu/miniconda3/envs/torch
ENV conda LAB 3.11.1 /opt/conda/envs/torch
ENV venv NOTEBOOK 3.10 /home/ubuntu/my project/.venv
ENV system LAB - /usr
ENV martian LAB - /x
ENV venv ALIEN - /x
ENV venv LAB
noise
"""


def test_names_and_the_order() -> None:
    found = parse_environments(TEXT)
    assert [(e.name, e.kind, e.has) for e in found] == [
        ("/opt/conda/envs/torch", Kind.CONDA, Has.LAB),
        ("system", Kind.SYSTEM, Has.LAB),
        ("~/my project/.venv", Kind.VENV, Has.NOTEBOOK),
        ("~/miniconda3/envs/torch", Kind.CONDA, Has.PIP),
        ("base", Kind.CONDA, Has.NOTHING),
    ]
    assert [e.ready for e in found] == [True, True, True, False, False]
    assert found[3].words == "~/miniconda3/envs/torch  conda, Python 3.12.4, no Jupyter"


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse_environments(text)


def test_one_is_found_by_name_path_or_the_end_of_it() -> None:
    found = parse_environments(TEXT)
    for text in ("base", "/home/ubuntu/miniconda3", "/home/ubuntu/miniconda3/", "miniconda3"):
        assert find_environment(found, text).name == "base"
    assert find_environment(found, "~/my project/.venv").kind is Kind.VENV
    assert find_environment(found, "my project/.venv").kind is Kind.VENV
    with pytest.raises(Ambiguous) as two:
        find_environment(found, "torch")
    assert len(two.value.candidates) == 2
    with pytest.raises(NotFound, match="answers to jax") as none:
        find_environment(found, "jax")
    assert "base  conda, no Jupyter, no pip" in none.value.detail
