"""Make the recording that `make demo-llm` and tests/test_demo_llm.py play back.

    python scripts/record_llm_demo.py MODEL.gguf [FOLDER]

Indexes examples/llm_demo/input with a model in this process (needs the extra `llamacpp`) and
writes what it replied to examples/llm_demo/recording.jsonl. To be run whenever the prompts, the
settings or the input of the example have changed; examples/llm_demo/README.md says which model
the recording is of, and how long it takes. With FOLDER the index it makes on the way is kept
there, and a recording that was stopped can be taken up.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from graphrag import GraphRAG
from graphrag.messages import Reply, Request
from graphrag.models.base import Watch
from graphrag.models.replay import ReplayChat

EXAMPLE = Path(__file__).parents[1] / "examples" / "llm_demo"
RECORDING = EXAMPLE / "recording.jsonl"
# Of the example's settings all but the model hold. One call at a time: how many run at once has an
# influence on what a model in this process says. The penalty is what the model's maker recommends.
MODEL = {
    "GRAPHRAG_LLM__PROVIDER": "llamacpp",
    "GRAPHRAG_LLM__CONTEXT": "8192",
    "GRAPHRAG_LLM__CONCURRENCY": "1",
    "GRAPHRAG_LLM__BODY": '{"repeat_penalty": 1.1}',
}


def graphrag(*arguments: str, model: Path) -> None:
    """Run a command with this model; end if it fails."""
    environment = os.environ | MODEL | {"GRAPHRAG_LLM__MODEL": str(model)}
    subprocess.run([sys.executable, "-m", "graphrag", *arguments], env=environment, check=True)  # noqa: S603


def record(model: Path, root: Path) -> None:
    """Index a copy of the example in the folder `root`, and write the recording.

    If a run was stopped, another with the same folder goes on where it was.
    """
    shutil.copytree(EXAMPLE / "input", root / "input", dirs_exist_ok=True)
    shutil.copy(EXAMPLE / "settings.yaml", root)
    shutil.rmtree(root / "output", ignore_errors=True)  # an index that matches would not be made anew
    graphrag("index", "--method", "standard", "--verbose", "--root", str(root), model=model)
    graphrag("cache", "export", str(RECORDING), "--root", str(root), model=model)
    keep_what_is_asked(RECORDING)


class Listening(ReplayChat):
    """Plays a recording and notes which of it was asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: set[str] = set()

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """See `ReplayChat`."""
        self.asked.add(request.key())
        return await super().chat(request, watch)


def keep_what_is_asked(recording: Path) -> None:
    """Play a recording, and leave out what an earlier state of prompts or text had asked for."""
    listening = Listening(recording)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(EXAMPLE / "input", Path(folder, "input"))
        shutil.copy(EXAMPLE / "settings.yaml", folder)
        GraphRAG(folder, chat=listening).index("standard")
    head, *replies = recording.read_text("ascii").splitlines(keepends=True)
    kept = [line for line in replies if json.loads(line)["key"] in listening.asked]
    recording.write_text("".join([head, *kept]), "ascii")


def main() -> None:
    """The whole recording."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python scripts/record_llm_demo.py MODEL.gguf [FOLDER]")
    model = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        record(model, Path(sys.argv[2] if len(sys.argv) == 3 else folder))


if __name__ == "__main__":
    main()
