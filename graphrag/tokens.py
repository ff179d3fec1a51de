"""Counting tokens, offline.

Counts are those of o200k_base, the vocabulary of OpenAI's models since GPT-4o; other models'
counts differ by some per cent. Its ranks ship with the package, so nothing is downloaded.
"""

import gzip
from binascii import a2b_base64
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

# How o200k_base splits text before merging bytes; part of the vocabulary's definition.
_LETTERS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PATTERN = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?{_LETTERS}*{_SMALL}+{_SUFFIX}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_LETTERS}+{_SMALL}*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
# tiktoken's splitter overflows its stack on a million spaces: long texts are counted in pieces.
_PIECE = 50_000


@cache
def _encoding() -> "Encoding":
    import tiktoken

    lines = gzip.decompress(files("graphrag").joinpath("data/o200k_base.tiktoken.gz").read_bytes()).splitlines()
    ranks = {a2b_base64(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    return tiktoken.Encoding(name="o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})


def count(text: str) -> int:
    """The number of tokens of a text. Names of special tokens count as the plain text they are."""
    encoding = _encoding()
    return sum(len(encoding.encode_ordinary(text[start : start + _PIECE])) for start in range(0, len(text), _PIECE))


def release() -> None:
    """Let go of the vocabulary, some 80 MB, until something is counted again."""
    _encoding.cache_clear()
