"""Index *A Christmas Carol* and ask it one question per method. Run by `make demo`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent / "christmas_carol"
QUESTIONS = {
    "basic": "What did Scrooge say about Christmas to his nephew?",
    "local": "Who is Tiny Tim, and what is the matter with him?",
    "global": "How do people keep Christmas?",
    "drift": "How does Scrooge change, and what changes him?",
}


def graphrag(*arguments: str) -> None:
    """Run a command as a user would, and show it."""
    shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
    print(f"\n$ graphrag {shown}", flush=True)
    subprocess.run([sys.executable, "-m", "graphrag", *arguments, "--root", str(ROOT)], check=True)  # noqa: S603


def main() -> None:
    """The whole demonstration."""
    graphrag("index")
    for method, question in QUESTIONS.items():
        graphrag("query", question, "--method", method)


if __name__ == "__main__":
    main()
