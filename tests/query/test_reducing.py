from questions import Search, follow
from samples import TWO_HOPS

from graphrag.answers import Answer, ContextItem, Event
from graphrag.models.fake import FakeChat
from graphrag.query import gathering, reducing
from graphrag.query.citing import Evidence, Statement
from graphrag.query.context import Inquiry, Tools
from graphrag.query.reducing import Note


def note(inquiry: Inquiry, question: str, item: ContextItem, weight: float) -> Note:
    (unit,) = inquiry.sources.beneath([item])
    place = Evidence(unit, 0, unit.text.index(".") + 1)
    return Note(question, ((Statement(place.quote, (place,), 1.0), (item,)),), weight)


def reduced(limit: int, *, equal: bool = False) -> Search:
    """Reduces one note a passage, the least relevant first."""

    def search(inquiry: Inquiry):
        items = [item for item in gathering.nearest(inquiry, TWO_HOPS, 3) if item.kind == "text_unit"]
        notes = [note(inquiry, f"Question {n}?", item, n / 10) for n, item in enumerate(items, 1)]
        assert inquiry.chat
        draft = yield from reducing.reduce(inquiry, inquiry.chat, notes, limit, equal=equal)
        return inquiry.conclude("drift", draft)

    return search


def prompt_of(tools: Tools, limit: int = 6000, *, equal: bool = False) -> tuple[str, Answer, list[Event]]:
    model = FakeChat(["[NONE] No."])
    answer, events = follow(reduced(limit, equal=equal), tools, TWO_HOPS, model)
    return model.requests[0].messages[1].content, answer, events


def test_the_most_relevant_note_comes_first_with_the_places_that_notes_rest_on(tools: Tools):
    prompt, _, _ = prompt_of(tools)

    assert [line for line in prompt.splitlines() if line.startswith("- ")] == [
        "- (relevance 0.30) Question 3?",
        "- (relevance 0.20) Question 2?",
        "- (relevance 0.10) Question 1?",
    ]
    _, _, evidence = prompt.partition("Passages:\n")
    assert evidence.count("\n[T") == 2
    for line in evidence.splitlines():
        if line.startswith("[T"):
            assert line.partition(": ")[2] in prompt.partition("Passages:\n")[0]


def test_equal_weights_keep_the_order_of_the_steps(tools: Tools):
    prompt, _, _ = prompt_of(tools, equal=True)

    assert [line for line in prompt.splitlines() if line.startswith("- ")] == [f"- Question {n}?" for n in (1, 2, 3)]


def test_where_not_all_fits_the_least_relevant_is_left_out(tools: Tools):
    prompt, _, _ = prompt_of(tools, 80)

    assert "Question 3?" in prompt
    assert "Question 1?" not in prompt
