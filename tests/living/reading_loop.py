"""A process that reads an index for as long as it is told to: `python -m living.reading_loop ROOT`.

Until its input ends it opens the index, looks at all of it and asks it. At the end it prints how often
that was, and which generations of the documents it has seen.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from threading import Thread

from fakes import WordEmbedder

from graphrag import GraphRAG
from graphrag.indexer import integrity
from graphrag.storage.lance import LanceStore

LOOKS = 2
"""Each time: at the tables, and by a question."""
GENERATION = re.compile(r"Generation\d+")


def generation(texts: Iterable[str]) -> str:
    """The one that all texts are of."""
    found = {word for text in texts for word in GENERATION.findall(text)}
    assert len(found) == 1, found
    return found.pop()


def main() -> None:
    root = Path(sys.argv[1])
    over = Thread(target=sys.stdin.read, daemon=True)
    over.start()
    rag = GraphRAG(root, embedder=WordEmbedder())
    seen: list[str] = []
    while over.is_alive() or not seen:
        reader = LanceStore(root / "output").open()
        assert integrity.check(reader).faults == ()
        texts = [row["text"] for table in ("documents", "text_units") for row in reader.table(table).to_pylist()]
        seen.append(generation(texts))
        seen.append(generation(unit.text for unit in rag.retrieve("Who mends the clocks?", 5)))
        if len(seen) == LOOKS:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(seen)} {' '.join(sorted(set(seen)))}\n")


if __name__ == "__main__":
    main()
