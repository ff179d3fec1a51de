"""A dry run knows what the memo knows, and counts the rest."""

from scripted import request

from graphrag.messages import Message, Reply, Request, Unanswered
from graphrag.models.dry_run import DryRun, PlannedCall
from graphrag.models.memo import Memo, Origin
from graphrag.progress import silent
from graphrag.tokens import count

ORIGIN = Origin("model", "{}")
TEXT = "Marley was dead: to begin with. " * 50


def test_what_is_not_in_the_memo_is_planned_once():
    memo = Memo()
    memo.put(ORIGIN, request("known", max_tokens=4096), Reply("reply"))
    dry = DryRun(ORIGIN, memo, 4096)
    planned = Request("report", (Message("user", TEXT),), max_tokens=9)
    for _ in range(2):
        answers = dry.ask([request("known"), planned, planned, request("b")], lambda reply: reply.text, silent, "")
        unanswered = Unanswered("not asked: this is a dry run", asked=False)
        assert answers == ["reply", unanswered, unanswered, unanswered]
    assert [call.stage for call in dry.planned] == ["report", "extract"]
    assert dry.planned[0] == PlannedCall("report", dry.planned[0].prompt, 9)
    assert count(TEXT) <= dry.planned[0].prompt <= count(TEXT) + 10
    assert dry.planned[1].max_tokens == 4096
    assert dry.remembered == ["extract"]
    assert memo.stats().replies == {ORIGIN: 1}
    memo.close()
