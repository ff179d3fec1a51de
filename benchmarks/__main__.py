"""`make bench`: retrieval quality and speed, and indexing throughput.

    python -m benchmarks [indexing] [standard] [retrieval [--ablation]] [replies] [resolution] [citations] [embedders]
                         [routing] [reranking] [queries [--all]] [cold] [living] [languages]
                         [kills [--kills=N]]

Without names, indexing and retrieval. Reads the data sets in ../shared/data and says so where
they are absent.
"""

import sys

from benchmarks import (
    citations,
    cold,
    embedders,
    growth,
    indexing,
    kills,
    languages,
    living,
    queries,
    replies,
    reranking,
    resolution,
    retrieval,
    routing,
    standard,
)

BENCHMARKS = {
    "citations": citations.main,
    "indexing": indexing.main,
    "standard": standard.main,
    "retrieval": retrieval.main,
    "replies": replies.main,
    "resolution": resolution.main,
    "embedders": embedders.main,
    "routing": routing.main,
    "reranking": reranking.main,
    "queries": queries.main,
    "cold": cold.main,
    "living": living.main,
    "languages": languages.main,
    "kills": kills.main,
    "growth": growth.main,
}


def main() -> None:
    # Indexing first: the peak memory of a child is never less than its parent's was.
    for name in [name for name in sys.argv[1:] if not name.startswith("--")] or ["indexing", "retrieval"]:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
