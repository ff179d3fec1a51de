"""Make the vectors of the prototype questions that ship with the package.

    python scripts/embed_prototypes.py

To be run when the prototypes or the embedding model change; a test says so.
"""

from pathlib import Path

import numpy as np

from graphrag.models.embedded import EmbeddedEmbedder
from graphrag.query import prototypes

DATA = Path(__file__).parents[1] / "graphrag" / "data"


def main() -> None:
    embedder = EmbeddedEmbedder()
    np.save(DATA / prototypes.SHIPPED[embedder.name], embedder.embed(prototypes.texts()).astype(np.float16))


if __name__ == "__main__":
    main()
