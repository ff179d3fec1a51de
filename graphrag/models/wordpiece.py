"""WordPiece, the tokenisation of BERT models (Devlin et al. 2019, arXiv:1810.04805).

Ours because the library for it brings a client for a model hub, nine packages in all;
`tests/models/test_wordpiece.py` holds it equal to that library.
"""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

LONGEST_WORD = 100
"""Characters; BERT reads a longer word as unknown."""

_CJK = re.compile(
    "([\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b920-\U0002ceaf\uf900-\ufaff\U0002f800-\U0002fa1f])"
)
_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class WordPiece:
    """The tokeniser of an uncased BERT model, made from its `vocab.txt`."""

    def __init__(self, vocabulary: Path) -> None:
        lines = vocabulary.read_text("utf-8").split("\n")
        self._ids = {token: index for index, token in enumerate(lines) if token}
        self.start = self._ids["[CLS]"]
        self.end = self._ids["[SEP]"]
        self._unknown = self._ids["[UNK]"]
        self._word = lru_cache(maxsize=65536)(self._split_word)

    def encode(self, text: str) -> list[int]:
        """The ids of a text's pieces, without the start and end markers."""
        return [piece for word in _words(text) for piece in self._word(word)]

    def _split_word(self, word: str) -> tuple[int, ...]:
        """Longest match first; the whole word is unknown if any part of it is."""
        if len(word) > LONGEST_WORD:
            return (self._unknown,)
        pieces: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = self._ids.get(prefix + word[start:end])
                if piece is not None:
                    pieces.append(piece)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(pieces)


def _words(text: str) -> list[str]:
    """Control characters gone, accents stripped, lower case; split at white space, and around every
    Han character and every mark of punctuation."""
    spaced = _CJK.sub(r" \1 ", "".join(map(_visible, text)))
    return "".join(map(_plain, unicodedata.normalize("NFD", spaced))).split()


# Character by character, and texts have few different ones.
@lru_cache(maxsize=4096)
def _visible(character: str) -> str:
    if character in "\t\n\r":
        return " "
    return character if _is_visible(character) else ""


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    # str.lower() of a whole word knows the final sigma of Greek, BERT's vocabulary does not.
    if unicodedata.category(character) == "Mn":
        return ""
    return f" {character} " if _is_punctuation(character) else character.lower()


def _is_visible(character: str) -> bool:
    return (character.isascii() and character.isprintable()) or (
        character != "\ufffd" and unicodedata.category(character)[0] != "C"
    )


def _is_punctuation(character: str) -> bool:
    return character in _ASCII_PUNCTUATION or unicodedata.category(character)[0] == "P"
