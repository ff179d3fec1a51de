"""Several items a call, each remembered by itself."""

from pathlib import Path

from extractor import PROMPTS, serve

from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.indexer.keeping import keep
from graphrag.messages import Message, Reply, Request
from graphrag.models.dry_run import DryRun
from graphrag.models.fake import FakeChat
from graphrag.models.memo import Memo, Origin
from graphrag.progress import silent

ONE, TWO = (Request("stage", (Message("user", text),)) for text in ("one", "two"))


def read(reply: Reply) -> str:
    if not reply.text:
        raise UnusableReplyError("nothing")
    assert reply.request
    return f"{reply.request.messages[0].content}: {reply.text}"


def test_a_part_is_what_the_request_for_it_alone_would_have_been_answered(tmp_path: Path):
    service = serve(FakeChat([]), tmp_path)

    kept = keep([(ONE, "yes"), (TWO, "")], read, Asking(service, PROMPTS, silent))

    assert kept == ["one: yes", None]
    assert service.recall([TWO, ONE], read) == [None, "one: yes"]
    assert service.ask([ONE], read, silent, "") == ["one: yes"]
    service.close()


def test_a_dry_run_keeps_nothing_beyond_itself(tmp_path: Path):
    memo = Memo(tmp_path / "memo.sqlite")
    dry = DryRun(Origin.of("fake", {}), memo, 100)

    kept = keep([(ONE, "yes")], read, Asking(dry, PROMPTS, silent))

    assert kept == dry.recall([ONE], read) == ["one: yes"]
    assert not memo.stats().replies
    memo.close()
