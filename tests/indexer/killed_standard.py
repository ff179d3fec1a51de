"""A build with a model, in a process that is killed: `python -m indexer.killed_standard ROOT CALLS`.

It dies when the model is asked for the CALLS-th time; what it was asked is in ROOT/asked.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from extractor import answer, build, configured
from pytest_socket import disable_socket

from graphrag.messages import Reply, Request
from graphrag.models.base import Watch
from graphrag.models.fake import FakeChat

IN_FLIGHT = 4


class Mortal(FakeChat):
    def __init__(self, root: Path, calls: int) -> None:
        super().__init__(answer)
        self.log = root / "asked"
        self.calls = calls

    async def chat(self, request: Request, watch: Watch) -> Reply:
        with self.log.open("a") as log:
            log.write(f"{request.key()}\n")
        await asyncio.sleep(len(self.requests) % 3)
        reply = await super().chat(request, watch)
        if len(self.requests) >= self.calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return reply


if __name__ == "__main__":
    disable_socket(allow_unix_socket=True)
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    build(folder, Mortal(folder, number), configured(llm={"concurrency": IN_FLIGHT}))
