"""Full-text search over texts that no index of the store has, in memory."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

SATURATION = 1.2
LENGTH = 0.75
"""k1 and b of BM25 (Robertson and Zaragoza 2009), as most engines have them, so that scores are of a size."""


class WordIndex:
    """BM25 over some short texts. Of inflection it knows the English plural."""

    def __init__(self, texts: Sequence[str]) -> None:
        """`texts` are what `language.search_terms` gives."""
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._lengths: list[int] = []
        for position, text in enumerate(texts):
            words = Counter(map(_singular, text.split()))
            self._lengths.append(words.total())
            for word, count in words.items():
                self._postings[word].append((position, count))
        self._mean = sum(self._lengths) / max(len(self._lengths), 1)

    def score(self, terms: str) -> dict[int, float]:
        """The BM25 score of each text, by position, that has any of the words of `terms`."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in dict.fromkeys(map(_singular, terms.split())):
            found = self._postings.get(word, ())
            rarity = math.log(1 + (len(self._lengths) - len(found) + 0.5) / (len(found) + 0.5))
            for position, count in found:
                norm = SATURATION * (1 - LENGTH + LENGTH * self._lengths[position] / self._mean)
                scores[position] += rarity * count * (SATURATION + 1) / (count + norm)
        return dict(scores)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
