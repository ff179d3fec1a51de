"""Front matter: what a Markdown file says of itself before its text, in YAML or TOML."""

import tomllib
from typing import cast

# Longer than any real one, in characters; what opens with a thematic break is not YAML to its end.
_LONGEST = 65_536


def split(text: str) -> tuple[dict[str, object], str]:
    """The values between two `---` (YAML) or `+++` (TOML) lines at the start, and the text after them.

    What is not a mapping in plain YAML or TOML stays in the text. Values are Python's, dates included.
    """
    fence = text[:3]
    end = text.find(f"\n{fence}\n", 3, _LONGEST)
    if fence not in _READERS or text[3:4] != "\n" or end < 0:
        return {}, text
    try:
        values = _READERS[fence](text[4 : end + 1])
    except (ValueError, RecursionError):
        return {}, text
    if not isinstance(values, dict):
        return {}, text
    return cast("dict[str, object]", values), text[end + len("\n---\n") :]


def _yaml(block: str) -> object:
    """Raises ValueError."""
    import yaml

    try:
        return yaml.safe_load(block) if _is_harmless(block) else None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _is_harmless(block: str) -> bool:
    """A few nested aliases can stand for more values than memory holds; deep nesting takes hours."""
    import yaml

    depth = 0
    for event in yaml.parse(block):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > 20 or isinstance(event, yaml.AliasEvent):
            return False
    return True


_READERS = {"---": _yaml, "+++": tomllib.loads}
