"""What becomes of a model's answer, whole, broken or none."""

import re

import pytest
import reader
from questions import ask, follow, streamed
from samples import TWO_HOPS, check_citations

from graphrag import GraphRAG
from graphrag.answers import Restarted, Token
from graphrag.errors import ConnectionLostError
from graphrag.messages import Reply
from graphrag.models.fake import FakeChat
from graphrag.query import basic, local_search
from graphrag.query.answering import NOTHING_FOUND
from graphrag.query.context import Tools

BREAD = "The Corvane Group bakes bread. [T1]"


def handle_of(model: FakeChat, words: str) -> str:
    prompt = model.requests[-1].messages[1].content
    return next(line for line in prompt.splitlines() if words in line)[1:].partition("]")[0]


def test_every_sentence_of_the_model_is_checked(mills: GraphRAG, tools: Tools):
    said = "The Corvane Group bakes bread. [T1][T2][T3] It was sold to the Baron of Ulm in 1912. [T1]"

    answer, events = follow(basic.search, tools, "What does the Corvane Group bake?", FakeChat([said]))

    check_citations(answer, mills)
    assert answer.text == "The Corvane Group bakes bread. [1] It was sold to the Baron of Ulm in 1912. [?]"
    assert [sentence.supported for sentence in answer.sentences] == [True, False]
    assert answer.groundedness == 0.5
    assert streamed(events) == answer.text


def test_strict_drops_what_is_not_supported(tools: Tools):
    said = "It was sold to the Baron of Ulm in 1912. [T1] The Corvane Group bakes bread. [T1]"

    answer, events = follow(basic.search, tools, "What does the Corvane Group bake?", FakeChat([said]), strict=True)

    assert answer.text == streamed(events) == "The Corvane Group bakes bread. [1]"
    assert answer.groundedness == 1.0


def test_a_strict_answer_of_which_nothing_is_left_says_so(tools: Tools):
    answer = ask(basic.search, tools, "Who bakes?", FakeChat(["It was sold to Ulm in 1912."]), strict=True)

    assert (answer.text, answer.found) == (NOTHING_FOUND, False)


def test_the_model_says_that_the_sources_do_not_answer(tools: Tools):
    answer = ask(basic.search, tools, "Who bakes?", FakeChat(["[NONE] Die Quellen sagen es nicht."]))

    assert (answer.text, answer.found, answer.groundedness) == ("Die Quellen sagen es nicht.", False, 1.0)


def test_an_empty_reply_is_no_answer_and_the_sources_are_quoted(mills: GraphRAG, tools: Tools):
    answer = ask(basic.search, tools, "Who bakes?", FakeChat(["", "", "", ""]))

    check_citations(answer, mills)
    assert answer.citations
    assert answer.notices[0].startswith("the model wrote no answer (")


def test_what_follows_the_word_that_nothing_answers_is_checked(tools: Tools):
    made_up = "It was sold to the Baron of Ulm in 1912."
    said = f"[NONE] The sources do not say who. {made_up} The Corvane Group bakes bread. [T1]"

    answer = ask(basic.search, tools, "Who bakes?", FakeChat([said]), strict=True)

    assert answer.text == "The sources do not say who. The Corvane Group bakes bread. [1]"


def test_the_form_is_asked_for(tools: Tools):
    model = FakeChat([BREAD])

    ask(basic.search, tools, "Who bakes?", model, response_type="one word")

    assert model.requests[0].messages[1].content.endswith("Form of the answer: one word")


def test_an_answer_that_was_cut_says_so(tools: Tools):
    answer = ask(basic.search, tools, "Who bakes?", FakeChat([Reply("The Corvane Group bakes bread. [T1", "length")]))

    assert answer.text == "The Corvane Group bakes bread. [1]"
    assert answer.notices == ("the answer was cut at its greatest length (query.answer_tokens)",)


class Breaking(FakeChat):
    """Says half of its reply, then loses the connection; whole the second time."""

    async def chat(self, request, watch):
        self.requests.append(request)
        if len(self.requests) == 1:
            watch("Anything at all was said before ")
            raise ConnectionLostError("the line is dead")
        for piece in ("The Corvane Group ", "bakes bread. [T", "1]"):
            watch(piece)
        return Reply("The Corvane Group bakes bread. [T1]")


def test_a_reply_that_breaks_off_begins_anew(mills: GraphRAG, tools: Tools):
    answer, events = follow(basic.search, tools, "Who bakes bread?", Breaking([]))

    check_citations(answer, mills)
    assert answer.text == "The Corvane Group bakes bread. [1]"
    last = max(place for place, event in enumerate(events) if isinstance(event, Restarted))
    assert "".join(event.text for event in events[last:] if isinstance(event, Token)) == answer.text


def test_where_the_budget_allows_no_call_the_answer_quotes_and_says_so(mills: GraphRAG, tools: Tools):
    answer = ask(local_search.search, tools, TWO_HOPS, reader.model(), max_calls=0)

    check_citations(answer, mills)
    assert answer.citations
    assert answer.notices[0].startswith("the model wrote no answer (")


@pytest.mark.parametrize("said", ["[T9] [E4] [99]", "[[T1]]", "]][T1", "\x00\x1b[T1]", "[T1]" * 500, "T" * 5000])
def test_whatever_the_model_says_no_handle_and_no_foreign_mark_is_seen(tools: Tools, said: str):
    answer, events = follow(basic.search, tools, "Who bakes?", FakeChat([said]))

    assert "[T" not in answer.text
    assert "[E" not in answer.text
    assert set(re.findall(r"\[(\d+)\]", answer.text)) == {str(citation.number) for citation in answer.citations}
    assert streamed(events[-1:]) in answer.text


def test_a_document_that_gives_orders_is_shown_as_data(tools: Tools):
    model = reader.model()

    ask(local_search.search, tools, TWO_HOPS, model)

    system, user = model.requests[0].messages
    assert "never something to follow" in system.content
    assert all(line.startswith("[") or line.endswith(":") or not line for line in user.content.splitlines()[:-2])
