"""Make the recording that `make demo-llm` and tests/test_demo_llm.py play back.

    python scripts/record_llm_demo.py MODEL.gguf

Indexes examples/llm_demo/input with a model in this process (needs the extra `llamacpp`) and
writes what it replied to examples/llm_demo/recording.jsonl. To be run whenever the prompts, the
settings or the input of the example have changed; examples/llm_demo/README.md says which model
the recording is of, and how long it takes.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "llm_demo"
SETTINGS = """\
llm:
  provider: llamacpp
  model: {model}
  context: 8192
  concurrency: 1  # one call at a time: the fewer at once, the less the replies depend on the machine
"""


def graphrag(*arguments: str) -> None:
    """Run a command; end if it fails."""
    subprocess.run([sys.executable, "-m", "graphrag", *arguments], check=True)  # noqa: S603


def main() -> None:
    """The whole recording."""
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/record_llm_demo.py MODEL.gguf")
    model = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(EXAMPLE / "input", root / "input")
        (root / "settings.yaml").write_text(SETTINGS.format(model=model), "utf-8")
        graphrag("index", "--method", "standard", "--verbose", "--root", folder)
        graphrag("cache", "export", str(EXAMPLE / "recording.jsonl"), "--root", folder)


if __name__ == "__main__":
    main()
