"""`make bench`: retrieval quality and speed, and indexing throughput.

    python -m benchmarks [retrieval] [indexing] [embedders]

Without names, retrieval and indexing. Reads the data sets in ../shared/data and says so where
they are absent.
"""

import sys

from benchmarks import embedders, indexing, retrieval

BENCHMARKS = {"retrieval": retrieval.main, "indexing": indexing.main, "embedders": embedders.main}


def main() -> None:
    for name in sys.argv[1:] or ["retrieval", "indexing"]:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
