"""Which key a server is sent, and which it must not see."""

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

OPENAI = "https://api.openai.com/v1"
SHARED = "OPENAI_API_KEY"
"""The environment variable that serves where the settings hold no key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A server's key, and where it comes from."""

    value: str = field(repr=False)
    """Empty for none."""
    advice: str
    """The environment variables to set it by, for an error to name."""


def choose(section: str, given: SecretStr | None, base_url: str, llm_url: str) -> Key:
    """The key for a server: that of the settings, else OPENAI_API_KEY where that may go.

    OPENAI_API_KEY goes to OpenAI and to the server of `llm.base_url` (an empty address is OpenAI's),
    to no other one; and never over plain http, except to this machine or a private network.
    """
    variable = f"GRAPHRAG_{section.upper()}__API_KEY"
    shared = os.environ.get(SHARED, "")
    if given and (key := given.get_secret_value()):
        return Key(key, f"{variable} or {SHARED}")
    if _origin(base_url) not in (_origin(OPENAI), _origin(llm_url)):
        return Key("", f"{variable} ({SHARED} is sent to the server of llm.base_url alone)")
    if urlsplit(base_url or OPENAI).scheme != "https" and not _near(base_url):
        return Key("", f"{variable} ({SHARED} is not sent over plain http)")
    return Key(shared, f"{variable} or {SHARED}")


def account(base_url: str) -> dict[str, str]:
    """The headers that name the account at OpenAI to bill, from OPENAI_ORG_ID and OPENAI_PROJECT_ID; none for
    any other server."""
    if _origin(base_url) != _origin(OPENAI):
        return {}
    named = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
    return {header: value for header, variable in named.items() if (value := os.environ.get(variable))}


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url or OPENAI)
    return parts.scheme, parts.netloc.rpartition("@")[2].casefold()


def _near(url: str) -> bool:
    """Whether a server is this machine, or has an address or a name that exists in a private network only."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
