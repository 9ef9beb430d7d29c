"""What is kept of commands and logs holds no secret, and stays readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.without_secrets import command_without_secrets, without_secrets


@pytest.mark.parametrize(
    "text",
    [
        "wandb: api_key=SECRETSECRET12", 'HF_TOKEN="SECRETSECRET12"', "password: SECRETSECRET12",
        "Authorization: Bearer SECRETSECRET12", "hf_SECRETSECRETSECRET12345",
        "ghp_SECRETSECRETSECRET1234567", "https://me:SECRETSECRET12@host/repo.git",
        "http://127.0.0.1:8888/lab?token=SECRETSECRET12", "aws_secret_access_key = SECRETSECRET12",
        "--db-password SECRETSECRET12", "AKIASECRETSECRETSECR",
    ],
)  # fmt: skip
def test_a_secret_is_hidden(text: str) -> None:
    assert "SECRET" not in without_secrets(text).replace("SECRET_access", "").replace("aws_", "")
    assert without_secrets(text) != text


@pytest.mark.parametrize("text", ["password=48151623", "pwd: 4815", "--api-key 48151623"])
def test_a_password_of_digits_is_hidden(text: str) -> None:
    assert "4815" not in without_secrets(text)


@pytest.mark.parametrize("piece", ["a", "-", "a-", "A_", "token"])
def test_a_word_of_a_million_letters_does_not_take_hours(piece: str) -> None:
    assert command_without_secrets([piece * 200_000])


@pytest.mark.parametrize(
    "text",
    [
        "{'loss': 0.3248, 'learning_rate': 5e-05, 'epoch': 0.64}", "tokens: 1,234,567",
        "token_accuracy=0.93 tokens/s: 12000", "tokenizer: bert-base-uncased",
        " 21%|██        | 4018/18750 [1:02:03<3:47:12,  1.08it/s]", "train.py --epochs 3",
    ],
)  # fmt: skip
def test_what_a_training_prints_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_command_is_kept_without_its_variables_and_passwords() -> None:
    words = ("env", "WANDB=abc", "sh", "-c", "A_B='x y' python t.py", "--hf-token", "abc", "--lr=3")
    assert command_without_secrets(words) == (
        "env", "WANDB=…", "sh", "-c", "A_B=… python t.py", "--hf-token", "…", "--lr=3",
    )  # fmt: skip


@given(st.text(), st.lists(st.text()))
def test_any_text_is_taken(text: str, words: list[str]) -> None:
    without_secrets(text)
    assert len(command_without_secrets(words)) == len(words)
