"""Index the beginning of *A Christmas Carol* with the recorded replies of a language model, look at
what it found, and ask. Run by `make demo-llm`; how the recording was made: llm_demo/README.md."""

import os
import subprocess
import sys
from pathlib import Path

from graphrag import GraphRAG

ROOT = Path(__file__).parent / "llm_demo"
QUESTIONS = {
    "local": "What does Scrooge's nephew say about Christmas?",
    "global": "What is the partnership of Scrooge and Marley known for?",
}
MOST = 12
"""Rows shown of a table."""


# The recording is of indexing: which passages come first, and so what a model is shown, may differ from
# machine to machine. Without a model the questions are answered by quotations.
QUOTING = {"GRAPHRAG_LLM__PROVIDER": "none"}


def graphrag(*arguments: str, **variables: str) -> None:
    """Run a command as a user would, and show it."""
    shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
    prefix = "".join(f"{name}={value} " for name, value in variables.items())
    print(f"\n$ {prefix}graphrag {shown}", flush=True)
    command = [sys.executable, "-m", "graphrag", *arguments, "--root", str(ROOT)]
    subprocess.run(command, check=True, env=os.environ | variables)  # noqa: S603


def show(rag: GraphRAG) -> None:
    """The most connected entities, the closest relationships, and the report on the largest community."""
    entities = sorted(rag.table("entities").to_pylist(), key=lambda row: -row["degree"])
    print(f"\n{len(entities)} entities, of them:")
    for row in entities[:MOST]:
        print(f"  {row['title']} ({row['type']}): {row['description']}")
    relationships = sorted(rag.table("relationships").to_pylist(), key=lambda row: -row["weight"])
    print(f"\n{len(relationships)} relationships, of them:")
    for row in relationships[:MOST]:
        print(f"  {row['source']} — {row['target']} ({row['weight']:g}): {row['description']}")
    reports = sorted(rag.table("community_reports").to_pylist(), key=lambda row: -row["size"])
    print(f"\n{len(reports)} community reports, of them:\n\n{reports[0]['full_content']}")


def main() -> None:
    """The whole demonstration."""
    graphrag("index", "--method", "standard")
    show(GraphRAG(ROOT))
    for method, question in QUESTIONS.items():
        graphrag("query", question, "--method", method, **QUOTING)


if __name__ == "__main__":
    main()
