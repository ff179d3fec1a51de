"""Which server is sent OPENAI_API_KEY."""

import pytest
from pydantic import SecretStr

from graphrag.models import keys

KEY = "sk-of-the-environment"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("", True),
        ("https://api.openai.com/v1", True),
        ("https://models.example.com/v1", True),
        ("http://models.example.com/v1", False),
        ("http://api.openai.com/v1", False),
        ("http://8.8.8.8/v1", False),
        ("http://localhost:8000/v1", True),
        ("http://user:password@127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://[2606:4700::1111]/v1", False),
        ("http://192.168.1.7:8000/v1", True),
        ("http://vllm:8000/v1", True),
        ("http://gpu.local/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://localhost@example.com/v1", False),
    ],
)
def test_the_chat_server(url: str, sent: bool):
    assert keys.choose("llm", None, url, url).value == (KEY if sent else "")


@pytest.mark.parametrize(
    ("url", "llm", "sent"),
    [
        ("https://a.example.com/v1", "https://a.example.com/v1", True),
        ("https://A.example.com/embed", "https://a.example.com/v1", True),
        ("https://b.example.com/v1", "https://a.example.com/v1", False),
        ("https://b.example.com/v1", "", False),
        ("https://api.openai.com/v1", "http://localhost:8000/v1", True),
        ("http://localhost:8001/v1", "http://localhost:8000/v1", False),
    ],
)
def test_the_embedding_server(url: str, llm: str, sent: bool):
    key = keys.choose("embedding", None, url, llm)
    assert key.value == (KEY if sent else "")
    assert (
        sent or key.advice == "GRAPHRAG_EMBEDDING__API_KEY (OPENAI_API_KEY is sent to the server of llm.base_url alone)"
    )


def test_a_key_of_the_settings_goes_where_the_settings_say():
    key = keys.choose("embedding", SecretStr("mine"), "http://other.example.com", "")
    assert key.value == "mine"
    assert "mine" not in repr(key)


@pytest.mark.parametrize(
    ("url", "named"), [("", True), ("https://api.openai.com/v1/", True), ("https://models.test/v1", False)]
)
def test_the_account_to_bill_is_told_to_openai_alone(url: str, named: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.delenv("OPENAI_PROJECT_ID", raising=False)
    assert keys.account(url) == ({"OpenAI-Organization": "org-1"} if named else {})
