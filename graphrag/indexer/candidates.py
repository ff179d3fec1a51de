"""Pairs of names that may be of one entity, without comparing every name with every other.

By spelling: cosine of character trigrams weighted by rarity, among names that share a rare one.
By words: names of one surname, short forms of long names, acronyms. By meaning: cosine of their
embeddings, among names near the same of about √n of them (an inverted file).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from graphrag.indexer.vetoes import NameParts, take_apart
from graphrag.language import FUNCTION_WORDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

Pair = tuple[int, int]
"""Positions of two names, the smaller first."""
NEIGHBOURS = 8
"""Pairs that one name brings by spelling, and by meaning."""
COMMON = 200
"""Names that share a trigram: where more do, it brings nobody together."""
NAMESAKES = 16
"""Names that share a word: where more do, the word alone says nothing."""
WHOLE = 4096
"""Names that are compared with each other outright."""
BLOCK = 2048
CELLS = 1 << 23
"""Cosines held at once: 32 MB."""


def by_spelling(names: Sequence[str], least: float) -> dict[Pair, float]:
    """Pairs whose spelling is alike, with their cosine of at least `least`."""
    import numpy as np

    grams = _trigrams([" ".join(take_apart(name).words) for name in names])
    counts = np.bincount(grams.indices, minlength=grams.shape[1])
    # A name of common trigrams only has its twins all the same: those are found by words.
    rare = grams[:, np.flatnonzero((counts > 1) & (counts <= max(COMMON, len(names) // 500)))].tocsr()
    found: dict[Pair, float] = {}
    for start in range(0, len(names), BLOCK):
        shared = (rare[start : start + BLOCK] @ rare.T).tocsr()
        for row in range(shared.shape[0]):
            columns = shared.indices[shared.indptr[row] : shared.indptr[row + 1]]
            values = shared.data[shared.indptr[row] : shared.indptr[row + 1]]
            best = np.argsort(-values, kind="stable")[: NEIGHBOURS + 1]
            for column in columns[best]:
                if column != start + row:
                    found[_pair(start + row, int(column))] = 0.0
    return {pair: cosine for pair, cosine in _cosines(grams, sorted(found)) if cosine >= least}


def by_words(names: Sequence[str]) -> set[Pair]:
    """Pairs of one name but for articles and titles, of which one is a short form of the other, of
    one surname, or of which one is the other's initials."""
    parts = [take_apart(name) for name in names]
    twins: defaultdict[str, list[int]] = defaultdict(list)
    holders: defaultdict[str, list[int]] = defaultdict(list)
    initials: defaultdict[str, list[int]] = defaultdict(list)
    for position, part in enumerate(parts):
        twins["".join(part.words)].append(position)
        for word in dict.fromkeys(part.words) if part.plain else ():
            holders[word].append(position)
        if len(part.words) > 1:
            initials["".join(word[0] for word in part.words if word not in FUNCTION_WORDS)].append(position)
    found = {(first, second) for group in twins.values() for first, second in pairwise(group)}
    for group in (*twins.values(), *holders.values()):
        if len(group) <= NAMESAKES:
            found |= {pair for pair in combinations(group, 2) if _related(parts[pair[0]], parts[pair[1]])}
    for letters, group in twins.items():
        spelt_out = initials.get(letters, ()) if 1 < len(letters) < 8 else ()
        found |= {_pair(short, full) for short in group for full in spelt_out[:NAMESAKES] if short != full}
    return found


def _related(first: NameParts, second: NameParts) -> bool:
    shared = set(first.words) & set(second.words)
    return len(shared) == min(len(set(first.words)), len(set(second.words))) or first.words[-1] == second.words[-1]


def by_meaning(vectors: "NDArray[np.float32]", least: float) -> dict[Pair, float]:
    """Pairs whose unit vectors have a cosine of at least `least`, the nearest of each name.

    Up to a few thousand names all are compared. Beyond, each is compared with those that have one
    of its two nearest pivots in common; the pivots are names at even distances.
    """
    found: dict[Pair, float] = {}
    for members in _cells(vectors):
        part = vectors[members]
        step = max(CELLS // max(len(members), 1), 1)
        for start in range(0, len(members), step):
            cosines = part[start : start + step] @ part.T
            for row, column in _nearest(cosines, start, least):
                first, second = int(members[start + row]), int(members[column])
                found[_pair(first, second)] = float(cosines[row, column])
    return found


def _cells(vectors: "NDArray[np.float32]") -> "Iterator[NDArray[np.intp]]":
    import numpy as np

    size = len(vectors)
    if size <= WHOLE:
        yield np.arange(size)
        return
    pivots = vectors[np.linspace(0, size - 1, int(size**0.5), dtype=np.intp)].T
    nearest = np.concatenate(
        [np.argpartition(-(vectors[i : i + BLOCK] @ pivots), 1, axis=1)[:, :2] for i in range(0, size, BLOCK)]
    )
    order = np.argsort(nearest, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(nearest.ravel(), minlength=pivots.shape[1]))
    yield from np.split(order // 2, ends[:-1])


def _nearest(cosines: "NDArray[np.float32]", start: int, least: float) -> Iterator[tuple[int, int]]:
    """Row and column of each row's best, itself not among them; row 0 is column `start`."""
    import numpy as np

    rows = np.arange(len(cosines))
    cosines[rows, rows + start] = -1
    count = min(NEIGHBOURS, cosines.shape[1])
    best = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    for row, kept in zip(*np.nonzero(cosines[rows[:, None], best] >= least), strict=True):
        yield int(row), int(best[row, kept])


def _trigrams(texts: Sequence[str]) -> "csr_array":
    """A row a text: its trigrams, weighted by their rarity, of length 1."""
    import numpy as np
    from scipy.sparse import csr_array

    columns: dict[str, int] = {}
    rows: list[int] = []
    indices: list[int] = []
    for row, text in enumerate(texts):
        padded = f"  {text} "
        for gram in {padded[i : i + 3] for i in range(len(padded) - 2)}:
            rows.append(row)
            indices.append(columns.setdefault(gram, len(columns)))
    counts = np.bincount(np.array(indices, dtype=np.intp), minlength=len(columns))
    weights = np.log1p(len(texts) / counts)[indices]
    lengths = np.sqrt(np.bincount(np.array(rows, dtype=np.intp), weights**2, minlength=len(texts)))
    shape = (len(texts), len(columns))
    return csr_array((weights / lengths[rows], (rows, indices)), shape=shape)


def _cosines(grams: "csr_array", pairs: Sequence[Pair]) -> Iterator[tuple[Pair, float]]:
    import numpy as np

    for start in range(0, len(pairs), BLOCK):
        some = pairs[start : start + BLOCK]
        first, second = np.array(some, dtype=np.intp).T
        values = np.asarray((grams[first] * grams[second]).sum(axis=1)).ravel()
        yield from zip(some, map(float, values), strict=True)


def _pair(first: int, second: int) -> Pair:
    return (first, second) if first < second else (second, first)
