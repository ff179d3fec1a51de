"""Near-duplicates: documents that are another one but for a few words.

Documents are compared by their shingles, all runs of five words (Broder, "On the resemblance and
containment of documents", 1997). MinHash signatures in bands find what may be alike in about
linear time; each pair is then confirmed by comparing the shingles themselves, so that chance has
no say in what is called alike.
"""

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphrag.errors import MissingDependencyError
from graphrag.language import UNSPACED, WORD, fold_text
from graphrag.records import Document
from graphrag.settings import InputSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHINGLE = 5
"""Words; where words are not spaced, characters."""
PERMUTATIONS = 128
MISSED = 0.001
"""At most this share of the pairs that are just alike enough is lost in either step before the last."""
SHOWN = 20
"""Near-duplicates with a notice of their own; the others are counted."""
_SEED = 1
_BLOCK = 8_192
_KEPT = 4_000_000
"""Shingles: 32 MB."""
_DEVIATIONS = 3.1
"""Below a normal distribution's mean, MISSED lies outside of so many standard deviations."""
_UNSPACED_RUN = re.compile(f"({UNSPACED.pattern})")


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A document and the most similar one before it that is no near-duplicate itself."""

    document: Document
    original: Document
    similarity: float
    """Jaccard similarity of the two sets of shingles, 0 to 1."""


def screened(documents: Sequence[Document], settings: InputSettings) -> tuple[Sequence[Document], Sequence[str]]:
    """The documents that are to be indexed, numbered anew, and notices of near-duplicates.

    `settings.dedupe` says whether they are looked for, and left out. Raises MissingDependencyError.
    """
    if settings.dedupe == "off":
        return documents, ()
    found = near_duplicates(documents, settings.duplicate_similarity)
    skip = settings.dedupe == "skip"
    notices = tuple(_notices(found, "; left out (input.dedupe: skip)" if skip else ""))
    left_out = {pair.document.id for pair in found} if skip else set[str]()
    kept = [document for document in documents if document.id not in left_out]
    return [replace(document, human_readable_id=number) for number, document in enumerate(kept)], notices


def near_duplicates(documents: Sequence[Document], threshold: float) -> list[NearDuplicate]:
    """Each document that is at least as similar as `threshold` to one before it that stays.

    Before means in order of `human_readable_id`, whatever the order of the sequence. What is left
    without them has no two that are alike, and whatever goes is like one that stays: likeness is
    not handed on from one that goes. Only the words of the texts count, not their case, marks,
    white space or titles. Raises MissingDependencyError.
    """
    import numpy as np

    in_order = sorted(documents, key=lambda document: document.human_readable_id)
    sketch, index, shingles = _sketcher(), _lsh_index(threshold), _Shingles(in_order)
    signatures = np.empty((len(in_order), PERMUTATIONS), np.uint64)
    found: list[NearDuplicate] = []
    for number, document in enumerate(in_order):
        mine = shingles.of(number)
        if not len(mine):
            continue
        signature = sketch(mine)
        signatures[number] = signature.hashvalues
        others = _likely(signatures, number, index.query(signature), threshold)
        similarity, other = max(((jaccard(mine, shingles.of(other)), -other) for other in others), default=(0.0, 0))
        if similarity >= threshold:
            found.append(NearDuplicate(document, in_order[-other], similarity))
        else:
            index.insert(number, signature)
    return found


def shingles_of(text: str) -> "NDArray[np.uint64]":
    """64-bit hashes of the distinct shingles of a text, sorted; a shorter text is one, one without words none."""
    import numpy as np

    words = np.array([_hash(word) for word in _words(text)], np.uint64)
    mixed = np.zeros(max(len(words) - SHINGLE + 1, min(len(words), 1)), np.uint64)
    for place in range(min(SHINGLE, len(words))):
        mixed = (mixed ^ words[place : place + len(mixed)]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.unique(mixed)


def jaccard(first: "NDArray[np.uint64]", second: "NDArray[np.uint64]") -> float:
    """The share of the elements of two sorted sets, not both empty, that both have."""
    import numpy as np

    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


def bands(threshold: float) -> tuple[int, int]:
    """Number and size of the bands of a signature: the longest that miss no more than MISSED.

    Two sets of similarity s agree in all r values of one of b bands with probability 1 - (1 - s^r)^b.
    """
    sizes = range(1, PERMUTATIONS // 2 + 1)
    size = max((r for r in sizes if (1 - threshold**r) ** (PERMUTATIONS // r) <= MISSED), default=1)
    return PERMUTATIONS // size, size


def _likely(signatures: "NDArray[np.uint64]", number: int, others: list[int], threshold: float) -> list[int]:
    """Those of some documents whose signatures say that they may be alike enough.

    The share of equal values estimates the similarity; its standard deviation is that of a share
    of PERMUTATIONS draws. Comparing signatures takes a fraction of the time of comparing shingles.
    """
    import numpy as np

    candidates = np.array(others, np.int64)
    equal = (signatures[candidates] == signatures[number]).mean(axis=1)
    least = threshold - _DEVIATIONS * math.sqrt(threshold * (1 - threshold) / PERMUTATIONS)
    return candidates[equal >= least].tolist()


class _Shingles:
    """The shingles of some documents, of which a bounded number is kept."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._kept: dict[int, NDArray[np.uint64]] = {}
        self._room = _KEPT

    def of(self, number: int) -> "NDArray[np.uint64]":
        if number not in self._kept:
            shingles = shingles_of(self._documents[number].text)
            if len(shingles) > self._room:
                self._kept.clear()
                self._room = _KEPT
            self._kept[number] = shingles
            self._room -= len(shingles)
        return self._kept[number]


def _words(text: str) -> Iterator[str]:
    """The words of a text, folded; characters where words are not spaced."""
    for word in WORD.findall(fold_text(text)):
        if word.isascii() or not UNSPACED.search(word):
            yield word
        else:
            for part in _UNSPACED_RUN.split(word):
                yield from part if UNSPACED.match(part) else filter(None, [part])


@lru_cache(maxsize=65_536)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _sketcher() -> "Callable[[NDArray[np.uint64]], Any]":
    """The function that makes signatures."""
    blank = _datasketch().MinHash(PERMUTATIONS, _SEED, hashfunc=int, scheme="affine64")

    def sketch(shingles: "NDArray[np.uint64]") -> Any:
        signature = blank.copy()
        # Each block is held in memory once for every permutation.
        for start in range(0, len(shingles), _BLOCK):
            signature.update_batch(shingles[start : start + _BLOCK])
        return signature

    return sketch


def _lsh_index(threshold: float) -> Any:
    return _datasketch().MinHashLSH(num_perm=PERMUTATIONS, params=bands(threshold))


def _datasketch() -> Any:
    try:
        return import_module("datasketch")
    except ImportError:
        raise MissingDependencyError("finding near-duplicates (input.dedupe)", "dedupe") from None


def _notices(found: Sequence[NearDuplicate], ending: str) -> Iterator[str]:
    for pair in found[:SHOWN]:
        # Rounded down: only what is the same is said to be.
        percent = int(100 * pair.similarity)
        yield f"{pair.document.source} is {percent} % the same as {pair.original.source}{ending}"
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN} more near-duplicates of other documents, {len(found)} in all{ending}"
