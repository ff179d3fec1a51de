import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reports import MadeReader, Models, ask, report, tools
from samples import check_citations

from graphrag import GraphRAG
from graphrag.answers import Answer, QueryOptions, QuestionAnswered, Restarted, Retrieved, Token
from graphrag.errors import ContextOverflowError
from graphrag.messages import Reply, Request
from graphrag.models.budget import Budget
from graphrag.query import findings, global_search
from graphrag.query.answering import NOTHING_FOUND
from graphrag.query.context import Inquiry, Tools

WHOLE = "What is this collection about?"
TRANSCRIPTS = Path(__file__).parent / "transcripts"
TOWNS = tuple(
    report(
        n,
        f"Town {n}",
        *(f"Town {n} has a bridge number {m} over its river, and a market is held beside it." for m in range(8)),
        size=40 - n,
    )
    for n in range(30)
)
"""More than the tokens of light mode are enough for."""
HARBOUR = (
    report(
        0,
        "Harbour of Port Selwyn",
        "Mira Okafor closed the north quay in March.",
        children=(2, 3, 4),
        size=40,
        summary="Harbour master Mira Okafor runs the harbour of Port Selwyn, from which ferries leave.",
    ),
    report(
        1,
        "Mill on the Aune",
        "The mill was built by Ilse Tarnow.",
        size=9,
        summary="The mill of Ilse Tarnow grinds rye.",
    ),
    report(
        2,
        "North quay",
        "The ferry Calanthe struck a crane at the north quay on the second of March.",
        "The crane at the north quay fell into the harbour, and the Calanthe lost a mast.",
        "Harbour master Mira Okafor had the north quay closed on the same evening.",
        "Divers raised the crane in April, and the north quay was opened again in June.",
        parent=0,
        level=1,
        size=7,
        rank=8.0,
        summary="What happened at the harbour in March: the Calanthe struck a crane.",
    ),
    report(
        3,
        "Ferries",
        "Twelve ferries serve the islands from the south quay of the harbour.",
        "The ferries Calanthe and Damaris were built at the yard of the Corvane Group in Dresden.",
        "A ferry leaves for the outer islands every day at noon, and twice on Sundays.",
        "In March all ferries left from the south quay, and many of them were late.",
        "The ferry masters asked the harbour master for a second crane, and were refused it.",
        parent=0,
        level=1,
        size=6,
        summary="What happened to the ferries at the harbour in March.",
    ),
    report(
        4,
        "Fish market",
        "The fish market of the harbour was moved to the south quay in March.",
        "Nils Aho has sold herring at the fish market since he was twelve.",
        parent=0,
        level=1,
        size=4,
        rank=3.0,
        summary="What happened at the fish market at the harbour in March.",
    ),
)


def consume(inquiry: Inquiry) -> Answer:
    """The answer without its events."""
    search = global_search.search(inquiry)
    while True:
        try:
            next(search)
        except StopIteration as end:
            return end.value


def shown(request: Request) -> dict[str, str]:
    """What a prompt shows by its handle."""
    lines = re.findall(r"^\[([FP]\d+)\] [^:\n]*: (.*)$", request.messages[-1].content, re.MULTILINE)
    return dict(lines)


def first_of(score: object = "80") -> Callable[[Request], str]:
    """A point that is the first finding of the batch."""

    def say(request: Request) -> str:
        handle, text = next(iter(shown(request).items()))
        return json.dumps({"points": [[f"{text} [{handle}]", score]]})

    return say


def nothing(_: Request) -> str:
    return '{"points": []}'


def retell(request: Request) -> str:
    """An answer of all the notes, or of the first finding where there are none."""
    notes = re.findall(r"^  (.*)$", request.messages[-1].content, re.MULTILINE)
    return " ".join(notes) or " ".join(f"{text} [{handle}]" for handle, text in list(shown(request).items())[:1])


def rate_all(request: Request) -> str:
    places = re.findall(r"^\[(\d+)\]", request.messages[-1].content, re.MULTILINE)
    return json.dumps({"ratings": [[place, "4"] for place in places]})


READS: Models = {"map": first_of(), "answer": retell, "rating": rate_all}


# --- Without a model ---------------------------------------------------------------------


def test_the_context_is_findings_of_reports(mills: GraphRAG, tools: Tools):
    answer = consume(Inquiry(WHOLE, tools))

    reports = {row["id"]: row for row in mills.table("community_reports").to_pylist()}
    assert answer.method == "global"
    assert answer.context
    for item in answer.context:
        found = reports[item.id]
        explanations = [finding["explanation"] for finding in found["findings"]]
        assert (item.kind, item.title) == ("finding", found["title"])
        assert any(explanation.startswith(item.text) for explanation in explanations)
        assert "[Data:" not in item.text
    assert len({item.text for item in answer.context}) == len(answer.context)


def test_the_answer_comes_from_all_over_the_collection(mills: GraphRAG, tools: Tools):
    answer = consume(Inquiry(WHOLE, tools))

    check_citations(answer, mills)
    assert len({citation.document_id for citation in answer.citations}) >= 3


def test_what_is_asked_for_comes_before_what_is_important(tools: Tools):
    answer = consume(Inquiry("Is a person who only works there called a miller?", tools))

    assert answer.citations[0].quote.startswith("The owner of a mill is called a miller")


def test_settings(mills: GraphRAG, make_tools: Callable[..., Tools]):
    answer = consume(Inquiry(WHOLE, make_tools(mills, sentences=2, **{"global": {"k": 3}})))

    assert (len(answer.context), len(answer.citations)) == (3, 2)


def test_a_finding_is_borne_out_by_its_own_text_units(tools: Tools):
    inquiry = Inquiry(WHOLE, tools)
    reports = tools.retriever.reader.table("community_reports", ["id"])["id"].to_pylist()

    chosen = findings.choose(inquiry, reports, 50)
    stated = findings.state(inquiry, chosen, 50)

    assert len(stated) == len(chosen) > 3
    for finding, statement in zip(chosen, stated, strict=True):
        (evidence,) = statement.evidence
        assert evidence.unit.text_unit_id in finding.text_unit_ids
        assert evidence.quote.split() == finding.text.split()


def test_importance_decides_where_nothing_else_does(tools: Tools):
    rank = {row["id"]: row["rank"] for row in tools.retriever.reader.table("community_reports").to_pylist()}

    (chosen,) = findings.choose(Inquiry(WHOLE, tools), list(rank), 1, importance=100.0)

    assert rank[chosen.id] == max(rank.values()) > min(rank.values())


def test_no_reports_have_no_findings(tools: Tools):
    assert findings.choose(Inquiry(WHOLE, tools), [], 5) == []
    assert findings.choose(Inquiry(WHOLE, tools), ["unknown"], 5) == []


def test_findings_that_lack_something_are_read_all_the_same():
    said = [
        None,
        {"explanation": None, "summary": None},
        {"explanation": None, "summary": "The quay is  closed."},
        {"explanation": "The mill is old. [Data: Entities (1)]", "summary": "The mill."},
        {"explanation": "", "summary": "The mill is old."},
        {"explanation": "The Calanthe sank.", "summary": None},
    ]
    row = {"id": "r0", "title": None, "findings": said, "finding_text_unit_ids": [["u0"], ["u1"], ["u2"], None]}

    read = list(findings.of_report(row))

    assert [(item.text, item.text_unit_ids) for item in read] == [
        ("The quay is closed.", ("u2",)),
        ("The mill is old.", ()),
        ("The Calanthe sank.", ()),
    ]
    assert {(item.kind, item.id, item.title) for item in read} == {("finding", "r0", "")}
    assert list(findings.of_report(row | {"findings": None})) == []
    assert len(list(findings.of_report(row | {"finding_text_unit_ids": None}))) == 3


def test_findings_without_evidence_are_chosen_and_not_stated():
    bare = report(0, "Mill", "The mill was built by Ilse Tarnow.")
    bare = replace(bare, findings=(replace(bare.findings[0], text_unit_ids=()),))
    inquiry = Inquiry(WHOLE, tools_of([bare]))

    chosen = findings.choose(inquiry, ["r0"], 5)

    assert [item.text for item in chosen] == ["The mill was built by Ilse Tarnow."]
    assert findings.state(inquiry, chosen, 5) == []


def test_a_level_holds_without_a_model_too():
    answer = consume(Inquiry(WHOLE, tools_of(HARBOUR), None, QueryOptions(community_level=0)))

    assert {item.id for item in answer.context} == {"r0", "r1"}


# --- Map and reduce ----------------------------------------------------------------------


def tools_of(reports: Sequence[object], **settings: object) -> Tools:
    return tools(MadeReader(reports), **settings)  # pyright: ignore


def test_the_prompts_of_one_question():
    """A reviewed snapshot: what is said to the model, word for word, and what it says. The system
    prompts of the answer are other tests' business.

    To take a new one, delete the file and run the test; then read it.
    """
    said: Models = {
        **READS,
        "rating": lambda request: '{"ratings": [["1", "4"], ["2", "3/5"], ["3", "high"]]}',
        "map": lambda request: json.dumps(
            {
                "points": [
                    [f"{text} [{handle}]", str(90 - int(handle[1:]))]
                    for handle, text in shown(request).items()
                    if "March" in text or "quay" in text
                ]
            }
        ),
    }
    transcript: list[str] = []
    told: set[str] = set()

    def heard(stage: str) -> Callable[[Request], str]:
        def say(request: Request) -> str:
            reply = str(said[stage](request))
            system, user = (message.content for message in request.messages)
            new = stage != "answer" and system not in told
            told.add(system)
            start = f"{system}\n\n--- user ---\n" if new else ""
            transcript.append(f"##### {stage}\n\n{start}{user}\n\n--- reply ---\n{reply}")
            return reply

        return say

    asked = ask(
        "What happened at the harbour in March?",
        tools_of(HARBOUR, batch_tokens=256, reduce_tokens=256),
        {stage: heard(stage) for stage in said},
        QueryOptions(dynamic_selection=True, response_type="two sentences"),
    )

    path = TRANSCRIPTS / "global_dynamic.txt"
    text = "\n\n\n".join([*transcript, f"##### the answer\n\n{asked.answer.text}"]) + "\n"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        pytest.fail(f"{path} is new: read it, and run the test again")
    assert text == path.read_text("utf-8")


def test_light_takes_four_calls_and_keeps_to_its_tokens():
    asked = ask("What is a town?", tools_of(TOWNS), READS)

    assert asked.stages == ["map", "map", "map", "answer"]
    assert asked.answer.stopped.startswith("budget: ")
    assert "of 30 reports read" in asked.answer.stopped
    assert asked.answer.notices == ()
    assert len(asked.answer.citations) == 3


@pytest.mark.parametrize("limit", [3000, 5000, 8000, 12000])
def test_all_prompts_of_light_mode_fit_into_its_tokens(limit: int):
    used: list[int] = []
    model = {stage: _counting(say, used) for stage, say in READS.items()}

    asked = ask("What is a town?", tools_of(TOWNS, tokens=limit), model)

    assert limit * 0.4 < sum(used) <= limit
    assert asked.answer.citations


def _counting(say: Callable[[Request], object], used: list[int]) -> Callable[[Request], object]:
    from graphrag.models.budget import prompt_tokens

    def counted(request: Request) -> object:
        used.append(prompt_tokens(request))
        return say(request)

    return counted


def test_light_stops_when_a_round_is_dry():
    barely = ask("What is a town?", tools_of(TOWNS), {**READS, "map": first_of("15")})
    dry = ask("What is a town?", tools_of(TOWNS), {"map": nothing})

    assert barely.stages == ["map", "map", "answer"]
    assert barely.answer.stopped.startswith("nothing more to find")
    assert dry.stages == ["map", "map"]
    assert (dry.answer.text, dry.answer.found, dry.answer.citations) == (NOTHING_FOUND, False, ())


@pytest.mark.parametrize("mode", ["light", "static"])
def test_what_the_answer_can_be_written_from_as_it_is_needs_no_map(mode: str):
    asked = ask("Who closed the quay?", tools_of(HARBOUR, mode=mode, batch_tokens=256), {"answer": retell})

    whole = [text for each in HARBOUR if each.level or not each.children for text in (f.summary for f in each.findings)]
    assert all(text in asked.prompts("answer")[0] for text in whole)
    assert asked.stages == ["answer"]
    assert [type(event) for event in asked.events[:1]] == [Retrieved]
    assert asked.answer.citations
    assert asked.answer.stopped == ""


def test_where_the_model_finds_no_report_relevant_nothing_is_read():
    none = json.dumps({"ratings": [[str(n), "0"] for n in range(1, 31)]})
    asked = ask("What is a town?", tools_of(TOWNS, mode="dynamic"), {"rating": lambda _: none})

    assert asked.stages == ["rating"]
    assert (asked.answer.text, asked.answer.stopped) == (NOTHING_FOUND, global_search.NOTHING_RELEVANT)


def test_citations_of_a_real_index(mills: GraphRAG, make_tools: Callable[..., Tools]):
    reading = make_tools(mills, **{"global": {"mode": "static", "batch_tokens": 256, "reduce_tokens": 256}})

    asked = ask(WHOLE, reading, READS)

    assert len(asked.prompts("map")) > 1
    check_citations(asked.answer, mills)
    assert asked.answer.groundedness == 1


def test_static_reads_all_of_the_level_at_once():
    asked = ask("What is a town?", tools_of(TOWNS, mode="static", batch_tokens=1000), READS)

    prompts = asked.prompts("map")
    assert len(prompts) > 3
    assert all(any(f"Town {n} has a bridge number 7" in prompt for prompt in prompts) for n in range(30))
    assert asked.stages[-1] == "answer"
    assert asked.answer.stopped == ""
    instructions = {request.messages[0].content for request in asked.requests if request.stage == "map"}
    questions = {prompt.split("[F", 1)[0] for prompt in prompts}
    assert (len(instructions), len(questions)) == (1, 1), "what all calls share comes first"


@pytest.mark.parametrize("mode", ["light", "static", "dynamic"])
def test_the_selection_of_a_question_goes_before_the_setting(mode: str):
    reading = tools_of(TOWNS, mode=mode, batch_tokens=1000)

    def calls(dynamic: bool) -> dict[str, int]:
        asked = ask("What is a town?", reading, READS, QueryOptions(dynamic_selection=dynamic))
        return {stage: len(asked.prompts(stage)) for stage in READS}

    everything = calls(dynamic=False)
    assert everything["rating"] == 0
    assert everything["map"] > 3
    assert calls(dynamic=True) == {**everything, "rating": 1}


def test_events_are_in_order():
    asked = ask("What is a town?", tools_of(TOWNS), READS)

    kinds = [type(event) for event in asked.events]
    assert kinds[:6] == [Retrieved, QuestionAnswered, QuestionAnswered, Retrieved, QuestionAnswered, Token]
    assert set(kinds[5:]) == {Token}
    assert Restarted not in kinds
    first = next(event for event in asked.events if isinstance(event, QuestionAnswered))
    assert first.score == 0.8
    assert "bridge number" in first.answer
    retrieved = [item for event in asked.events if isinstance(event, Retrieved) for item in event.items]
    assert asked.answer.context == tuple(retrieved)
    assert "".join(event.text for event in asked.events if isinstance(event, Token)) == asked.answer.text


def test_the_most_relevant_points_come_first():
    scores = iter(["20", "90", "60"])

    asked = ask("What is a town?", tools_of(TOWNS), {**READS, "map": lambda request: first_of(next(scores))(request)})

    told = re.findall(r"\(relevance (\S+)\)", asked.prompts("answer")[0])
    assert told == ["0.90", "0.60", "0.20"]


def test_points_without_evidence_do_not_reach_the_answer():
    lie = json.dumps({"points": [["All towns were built by dragons. [F1]", "99"], ["A bridge is there. [F999]", "98"]]})

    asked = ask("What is a town?", tools_of(TOWNS), {"map": lambda _: lie})

    assert "answer" not in asked.stages
    assert "dragons" not in asked.answer.text
    assert asked.answer.notices == ("4 points that the sources do not bear out were left out",)
    assert asked.answer.citations, "what was cited is quoted"


def test_a_batch_without_a_reply_is_named():
    def sometimes(request: Request) -> str:
        return "no" if "Town 3 " in request.messages[-1].content else first_of()(request)

    asked = ask("What is a town?", tools_of(TOWNS, mode="static", batch_tokens=1000), {**READS, "map": sometimes})

    (notice,) = asked.answer.notices
    assert re.match(r"\d+ reports were not read: the model's reply holds no", notice)
    assert asked.answer.citations


def test_a_batch_that_overflows_is_halved():
    def short(request: Request) -> str | Exception:
        return ContextOverflowError("long") if len(shown(request)) > 6 else first_of()(request)

    asked = ask("What is a town?", tools_of(TOWNS, mode="static", batch_tokens=1000), {**READS, "map": short})

    assert asked.answer.notices == ()
    assert len(asked.prompts("map")) > 30 * 8 / 6


def test_without_any_reply_findings_are_quoted():
    asked = ask("What is a town?", tools_of(TOWNS), {"map": lambda _: "no"})

    assert asked.answer.citations
    assert asked.answer.notices[0] == "the model read no report: these are quotations of findings"


def test_an_answer_that_breaks_off_is_quoted():
    asked = ask("What is a town?", tools_of(TOWNS), {**READS, "answer": lambda _: ContextOverflowError("long")})

    assert asked.answer.citations
    assert "the model wrote no answer" in asked.answer.notices[0]


def test_a_model_that_repeats_itself():
    again = '{"points": [' + '["Town 1 has a bridge [F1]", "50"], ' * 900

    asked = ask("What is a town?", tools_of(TOWNS), {**READS, "map": lambda _: Reply(again, "loop")})

    assert asked.answer.text == NOTHING_FOUND or asked.answer.citations


# --- The budget --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["light", "static", "dynamic"])
@pytest.mark.parametrize("calls", [0, 1, 2, 3, 4])
def test_calls_are_kept_to_and_the_last_one_answers(mode: str, calls: int):
    reading = tools_of(TOWNS, mode=mode, batch_tokens=1000, reduce_tokens=1000)

    asked = ask("What is a town?", reading, READS, budget=Budget(max_calls=calls))

    assert len(asked.requests) == calls
    assert asked.stages[-1:] == ["answer"] * bool(calls)
    assert re.match(r"budget: \d+ of \d+ reports read", asked.answer.stopped)
    assert asked.answer.citations


@pytest.mark.parametrize("limit", [500, 3000, 6000, 9000])
def test_tokens_are_kept_to(limit: int):
    reading = tools_of(TOWNS, mode="static", batch_tokens=1000)

    asked = ask("What is a town?", reading, READS, budget=Budget(max_tokens=limit))

    assert asked.answer.citations
    assert asked.answer.stopped.startswith("budget: ")
    if limit >= 3000:
        assert asked.stages[-1] == "answer"
        assert asked.answer.notices == ()


def test_when_the_time_is_up_nothing_is_asked():
    asked = ask("What is a town?", tools_of(TOWNS), READS, budget=Budget(seconds=0))

    assert asked.requests == []
    assert asked.answer.citations


# --- Bad input ---------------------------------------------------------------------------


def test_an_index_without_reports_is_searched_locally():
    reader = MadeReader([], ["The mill was built by Ilse Tarnow."])

    asked = ask("Who built the mill?", tools(reader), {"answer": lambda _: "The mill was built by Ilse Tarnow [T1]."})
    quoted = consume(Inquiry("Who built the mill?", tools(reader)))

    for answer in (asked.answer, quoted):
        assert answer.method == "local"
        assert answer.notices == (global_search.NO_REPORTS,)


def test_reports_without_findings_are_read_by_their_summaries():
    bare = [report(n, f"Town {n}", summary=f"Town {n} lies on a river. " * 20) for n in range(40)]

    asked = ask("What is a town?", tools_of(bare), {"map": nothing})

    assert all("Community reports:" in prompt for prompt in asked.prompts("map"))
    assert asked.answer.text == NOTHING_FOUND


def test_reports_alone_bear_nothing_out():
    class ReportsOnly(MadeReader):
        def rows(self, name, ids, columns=None):
            return super().rows(name, [] if name == "text_units" else ids, columns)

    asked = ask("What is a town?", tools(ReportsOnly(TOWNS)), READS)

    assert (asked.answer.text, asked.answer.found) == (NOTHING_FOUND, False)
    assert "left out" in asked.answer.notices[0]


def test_an_enormous_question_still_gets_an_answer():
    asked = ask("What is a town? " * 1200, tools_of(TOWNS), READS)

    assert asked.stages[-1] == "answer"
    assert len(asked.requests) <= 4


pieces = st.sampled_from(
    [
        '{"points": [',
        '["',
        "Town 1 has a bridge",
        "[F1]",
        "[F77]",
        "[T2]",
        '", "',
        "85/100",
        "high",
        '"]',
        "]}",
        "null",
        ",",
    ]
)


@given(st.lists(pieces, max_size=12).map("".join), st.lists(pieces, max_size=8).map(" ".join))
@settings(max_examples=30)
def test_whatever_the_model_says_no_handle_reaches_the_user(points: str, answer: str):
    asked = ask(
        "Where is a bridge?", tools_of(TOWNS[:12], tokens=5000), {"map": lambda _: points, "answer": lambda _: answer}
    )

    assert not re.search(r"\[[FPT]\d", asked.answer.text)
    marks = {int(mark) for mark in re.findall(r"\[(\d+)\]", asked.answer.text)}
    assert marks <= {citation.number for citation in asked.answer.citations}
