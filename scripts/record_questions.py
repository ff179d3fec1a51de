"""Make the recording of questions that tests/query/test_real_replies.py plays back.

    python scripts/record_questions.py MODEL.gguf [FOLDER]

Indexes examples/llm_demo with its own recording, puts one question to each query method with a model
in this process (needs the extra `llamacpp`), and writes what it replied to
tests/query/real_replies.jsonl: a line a call, with the stage and the question that the call was about.
To be run when the prompts of queries have changed so much that old replies say nothing about them.
With FOLDER the index and the memo stay there, and a recording that was stopped can be taken up.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from graphrag import GraphRAG, Settings
from graphrag.messages import Reply, Request
from graphrag.models.base import ChatModel, Watch
from graphrag.models.llamacpp import LlamaCppChat
from graphrag.settings import LLMSettings

EXAMPLE = Path(__file__).parents[1] / "examples" / "llm_demo"
RECORDING = Path(__file__).parents[1] / "tests" / "query" / "real_replies.jsonl"
QUESTIONS = {
    "basic": "What does Scrooge's nephew wish his uncle?",
    "local": "Who was Marley to Scrooge?",
    "global": "What kind of man is Scrooge?",
    "drift": "How do Scrooge and his nephew differ about Christmas?",
}
# Small contexts: a model of this size loses the thread in larger ones, and two cores read slowly.
QUERY = {
    "basic": {"context_tokens": 1000},
    "local": {"context_tokens": 1200},
    "global": {"batch_tokens": 1000, "reduce_tokens": 1000, "tokens": 4000},
    "drift": {
        "folds": 1,
        "follow_ups": 2,
        "step_tokens": 1000,
        "fold_tokens": 800,
        "max_calls": 6,
        "reduce_tokens": 1500,
    },
    "answer_tokens": 250,
}
LLM = {"provider": "llamacpp", "context": 8192, "concurrency": 1, "body": {"repeat_penalty": 1.1}}


class Recording:
    """A `ChatModel` in front of another that notes what is asked and said."""

    def __init__(self, model: ChatModel) -> None:
        self.name, self.parameters = model.name, model.parameters
        self.calls: list[dict[str, str]] = []
        self._model = model

    async def chat(self, request: Request, watch: Watch) -> Reply:
        """The reply of the model behind."""
        reply = await self._model.chat(request, watch)
        last = request.messages[-1].content.strip().splitlines()
        self.calls.append({"stage": request.stage, "about": last[-1], "finish": reply.finish, "text": reply.text})
        print(f"\n--- {request.stage}\n{request.messages[-1].content}\n--- reply\n{reply.text}\n", flush=True)
        return reply

    async def close(self) -> None:
        """Close the model behind."""
        await self._model.close()


def record(model: Path, root: Path) -> None:
    """Ask one question a method, and write the replies."""
    for name in ("settings.yaml", "recording.jsonl"):
        shutil.copy(EXAMPLE / name, root)
    shutil.copytree(EXAMPLE / "input", root / "input", dirs_exist_ok=True)
    GraphRAG(root).index("standard")
    llm = LLMSettings.model_validate(LLM | {"model": str(model)})
    lines = [json.dumps({"model": model.name})]
    for method, question in QUESTIONS.items():
        chat = Recording(LlamaCppChat(llm))
        settings = Settings(llm=llm, query=QUERY, storage={"memo": f"cache/{method}.sqlite"})  # type: ignore[arg-type]
        with GraphRAG(root, settings, chat=chat) as rag:
            answer = rag.query(question, method)  # type: ignore[arg-type]
        print(
            f"=== {method}: {question}\n{answer.text}\n{answer.groundedness} {answer.stopped} {answer.notices}",
            flush=True,
        )
        lines += [json.dumps({"method": method, "question": question, **call}) for call in chat.calls]
    RECORDING.write_text("".join(f"{line}\n" for line in lines), "ascii")


def main() -> None:
    """The whole recording."""
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python scripts/record_questions.py MODEL.gguf [FOLDER]")
    with tempfile.TemporaryDirectory() as folder:
        record(Path(sys.argv[1]).resolve(), Path(sys.argv[2] if len(sys.argv) == 3 else folder))


if __name__ == "__main__":
    main()
