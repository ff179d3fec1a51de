"""From a chat model's text to data."""

import contextlib
import json
import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks import replies as benchmark
from graphrag.errors import UnusableReplyError
from graphrag.models.replies import GraphReply, Parsed, graph_reply, to_object, to_score

FIELD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12)
WORDS = FIELD.filter(lambda text: re.search(r"[^\W\d]{2}", text) and text.casefold() not in {"none", "null", "na"})
PASSAGES = st.lists(st.integers(1, 99), max_size=3).map(lambda numbers: ",".join(map(str, numbers)))
STRENGTH = st.integers(1, 10).map(str)
ENTITY = st.tuples(FIELD, FIELD, PASSAGES, WORDS)
RELATIONSHIP = st.tuples(FIELD, FIELD, STRENGTH, PASSAGES, WORDS)
CLAIM = st.tuples(FIELD, FIELD, FIELD, FIELD, FIELD, PASSAGES, WORDS)
RECORDS = st.tuples(*(st.lists(kind, max_size=4).map(tuple) for kind in (ENTITY, RELATIONSHIP, CLAIM)))
PLAIN = st.text(st.characters(categories=["L", "N"]) | st.sampled_from(" .,;:-"), min_size=2, max_size=12).map(
    str.strip
)
TOLD = PLAIN.filter(lambda text: re.search(r"[^\W\d]{2}", text) and text.casefold() not in {"none", "null", "na"})
TUPLE = st.tuples(TOLD, TOLD, TOLD)
DELIMITER = st.sampled_from(["<|>", "<|#|>"])
WHOLE = (("Scrooge", "person", "1,2", "A miser."), ("Marley", "person", "1", "His dead partner."))


def compact(records):
    return json.dumps(dict(zip(("entities", "relationships", "claims"), records, strict=True)), ensure_ascii=False)


def records(reply):
    return [*reply.entities, *reply.relationships, *reply.claims]


@given(RECORDS)
def test_a_compact_reply_gives_its_records(found):
    assert graph_reply(compact(found)) == GraphReply(*found)


@given(RECORDS, st.data())
def test_a_reply_that_was_cut_gives_the_records_before_the_cut(found, data):
    text = compact(found)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    try:
        reply = graph_reply(cut)
    except UnusableReplyError:
        return
    assert not reply.complete
    assert records(reply) == [*found[0], *found[1], *found[2]][: len(records(reply))]


def test_a_cut_loses_only_the_record_it_is_in():
    text = compact((WHOLE, (("Scrooge", "Marley", "8", "1", "were partners"),), ()))
    assert graph_reply(text[: text.index("His dead")]).entities == WHOLE[:1]
    assert graph_reply(text[: text.index("were")]).entities == WHOLE
    named = '{"entities": [{"name": "A", "description": "a"}, {"name": "B", "passages": [1, 2], "descr'
    for cut in (named, named[: named.rindex(' "descr')], named[: named.rindex(', "descr')]):
        assert graph_reply(cut) == GraphReply((("A", "", "", "a"),), complete=False)


@given(st.text() | st.text(alphabet="{}[]\"\\:,<|>#()'\n entiyrlaosh1") | RECORDS.map(compact), st.text())
@example('{"entities": [["' + "9" * 5000 + '"', "")
@example("[" * 20000, "")
@example('{"a":' * 20000, "")
@example("{'entities': [['\\ud800', 'x', 'y']]}", "")
@example('{"entities": [["\\ud800", "x", "y"]]}', "")
@example('("entity"<|>', "")
def test_any_text_is_read_or_refused(text, more):
    for parse in (graph_reply, to_object):
        try:
            assert isinstance(parse(text + more), GraphReply | Parsed)
        except UnusableReplyError as error:
            assert "\n" not in str(error)


@given(RECORDS, st.integers(0, 200), st.sampled_from(["", '"', ",", "]", "}", "'", "\\"]))
def test_nothing_is_made_up(found, place, damage):
    """Whatever one stray character does, each word comes from the reply."""
    text = compact(found)
    text = text[:place] + damage + text[place + 1 :]
    try:
        reply = graph_reply(text)
    except UnusableReplyError:
        return
    for field in (field for record in records(reply) for field in record):
        assert all(word in text for word in re.findall(r"\w+", field))


def test_an_empty_list_is_an_answer_and_an_empty_text_is_none():
    assert graph_reply('{"entities": [], "relationships": []}') == GraphReply()
    assert graph_reply("<|COMPLETE|>") == GraphReply()
    for text in ("", " \n", "I cannot help with that.", '{"error": "busy"}', '{"entities": [', "[1]"):
        with pytest.raises(UnusableReplyError):
            graph_reply(text)


@pytest.mark.parametrize(
    ("row", "record"),
    [
        (["Scrooge", "person", "1,2", "A miser."], ("Scrooge", "person", "1,2", "A miser.")),
        (["Scrooge", "person", [1, 2], "A miser."], ("Scrooge", "person", "1,2", "A miser.")),
        (["Scrooge", "person", 1, "A miser."], ("Scrooge", "person", "1", "A miser.")),
        (["Scrooge", "person", "A miser."], ("Scrooge", "person", "", "A miser.")),
        (["Scrooge", "person", "A miser.", "1,2"], ("Scrooge", "person", "1,2", "A miser.")),
        (["Scrooge", "person", "1", "A miser", "and alone."], ("Scrooge", "person", "1", "A miser and alone.")),
        (["Scrooge", "person", "1"], ("Scrooge", "person", "1", "")),
        (["Scrooge", None, None, "A miser."], ("Scrooge", "", "", "A miser.")),
        ("Scrooge | person | A miser.", ("Scrooge", "person", "", "A miser.")),
        (
            {"entity_name": "Scrooge", "Entity Type": "person", "desc": "A miser."},
            ("Scrooge", "person", "", "A miser."),
        ),
        ({"title": "Scrooge", "type": "person", "passages": [2]}, ("Scrooge", "person", "2", "")),
        (["", "person", "1", "A miser."], None),
        (["Scrooge"], None),
        ("Scrooge", None),
        (7, None),
        ({"type": "person"}, None),
    ],
)
def test_entities_in_many_forms(row, record):
    reply = graph_reply(json.dumps({"entities": [row]}))
    assert reply == (GraphReply((record,)) if record else GraphReply(rejected=1))


@pytest.mark.parametrize(
    ("row", "record"),
    [
        (["A", "B", 8, "1", "are partners"], ("A", "B", "8", "1", "are partners")),
        (["A", "B", "8", "are partners"], ("A", "B", "8", "", "are partners")),
        (["A", "B", "are partners", 8], ("A", "B", "8", "", "are partners")),
        (["A", "B", "are partners"], ("A", "B", "", "", "are partners")),
        (["A", "B", 8.5, "1-3", "are", "partners"], ("A", "B", "8.5", "1-3", "are partners")),
        ({"src": "A", "tgt": "B", "description": "x", "weight": 0.5}, ("A", "B", "0.5", "", "x")),
        (["A", "", 8, "1", "are partners"], None),
        (["A", "B"], None),
    ],
)
def test_relationships_in_many_forms(row, record):
    reply = graph_reply(json.dumps({"relationships": [row]}))
    assert reply == (GraphReply((), (record,)) if record else GraphReply(rejected=1))


def test_claims():
    claim = ("Scrooge", "Cratchit", "debt", "TRUE", "1843", "1", "Scrooge owes Cratchit.")
    assert graph_reply(compact(((), (), (claim,)))).claims == (claim,)
    no_passages = [*claim[:5], claim[6]]
    assert graph_reply(compact(((), (), (no_passages,)))).claims == ((*claim[:5], "", claim[6]),)
    assert graph_reply(compact(((), (), (claim[:4],)))) == GraphReply(rejected=1)


def test_objects_by_row_and_bare_lists_of_them():
    text = '[{"name": "A", "type": "t", "desc": "a"}, {"source": "A", "target": "B", "desc": "b"}]'
    reply = GraphReply((("A", "t", "", "a"),), (("A", "B", "", "", "b"),))
    assert graph_reply(text) == reply
    assert graph_reply(text[1:-1].replace("}, {", "}\n{")) == reply


# --- Tuples ------------------------------------------------------------------------------

SCROOGE = ("Scrooge", "person", "", "A miser (of the worst kind).")
PARTNERS = ("Scrooge", "Marley", "8", "", "Partners; he was “always” right.")


@given(st.lists(TUPLE, max_size=3), st.lists(st.tuples(TOLD, TOLD, TOLD, STRENGTH), max_size=3), DELIMITER)
def test_tuples_give_their_records(entities, relationships, delimiter):
    rows = [('"entity"', *row) for row in entities] + [('"relationship"', *row) for row in relationships]
    text = "##\n".join(f"({delimiter.join(row)})" for row in rows) + "<|COMPLETE|>"
    reply = graph_reply(text)
    assert (reply.complete, reply.rejected) == (True, 0)
    assert reply.entities == tuple((name, kind, "", told) for name, kind, told in entities)
    assert reply.relationships == tuple((a, b, strength, "", told) for a, b, told, strength in relationships)


@pytest.mark.parametrize("between", ["##", "\n##\n", " ## ", "", "\n", "\n\n**Relationships:**\n\n1. ", "##\n## "])
@pytest.mark.parametrize("end", ["<|COMPLETE|>", "##\n<|COMPLETE|>", '\n("<|COMPLETE|>")', "<|COMPLETE|>\n```"])
@pytest.mark.parametrize("start", ["", "##", "```\n", "**Entities:**\n\n1. ", "Here are the records:\n"])
def test_whatever_stands_between_tuples(start, between, end):
    text = (
        f'{start}("entity"<|>"Scrooge"<|>"person"<|>"{SCROOGE[-1]}"){between}'
        f'("relationship"<|>"Scrooge"<|>"Marley"<|>"{PARTNERS[-1]}"<|>8){end}'
    )
    assert graph_reply(text) == GraphReply((SCROOGE,), (PARTNERS,))


def test_gleaned_tuples_with_no_delimiter_before_them():
    """Elsewhere the first gleaned record is lost, and the relationship before it weighs 1."""
    first = '("relationship"<|>A<|>B<|>they met<|>9)'
    reply = graph_reply(first + '("entity"<|>C<|>person<|>came later)<|COMPLETE|>')
    assert reply.relationships == (("A", "B", "9", "", "they met"),)
    assert reply.entities == (("C", "person", "", "came later"),)


def test_tuples_a_line_each():
    text = (
        "entity<|#|>Scrooge<|#|>person<|#|>A miser.\n"
        "relation<|#|>Scrooge<|#|>Marley<|#|>business, partnership<|#|>They were partners.\n"
        "<|COMPLETE|>"
    )
    related = ("Scrooge", "Marley", "", "", "They were partners.")
    assert graph_reply(text) == GraphReply((("Scrooge", "person", "", "A miser."),), (related,))
    assert graph_reply(text.replace("\n", "")) == graph_reply(text)
    older = '("relationship"<|>A<|>B<|>They were partners.<|>business<|>7)##("content_keywords"<|>"money")<|COMPLETE|>'
    assert graph_reply(older) == GraphReply((), (("A", "B", "7", "", "They were partners."),))


@pytest.mark.parametrize(
    ("tail", "strength"),
    [
        ('"<|>8)', "8"),
        ('"|>8)', "8"),
        ('"</|>8)', "8"),
        ('"8)', "8"),
        ('"<|>)', ""),
        ('"<|>"8")', "8"),
        ('"<|> 8.5 )', "8.5"),
    ],
)
def test_damaged_delimiters(tail, strength):
    reply = graph_reply(f'("relationship"<|>"A"<|>"B"<|>"they met{tail}<|COMPLETE|>')
    assert reply.relationships == (("A", "B", strength, "", "they met"),)


def test_a_tuple_with_line_breaks_and_brackets_inside():
    reply = graph_reply('("entity"<|>"A (B)"<|>"t"<|>"one (1)\ntwo")##\n("entity"<|>C<|>t<|>three)<|COMPLETE|>')
    assert reply.entities == (("A (B)", "t", "", "one (1)\ntwo"), ("C", "t", "", "three"))


def test_tuples_that_were_cut():
    text = '("entity"<|>A<|>t<|>one (two))##("entity"<|>B<|>t<|>three (four))<|COMPLETE|>'
    assert graph_reply(text).complete
    for end in range(len(text)):
        try:
            reply = graph_reply(text[:end])
        except UnusableReplyError:
            assert end < text.index("##")
            continue
        assert not reply.complete or "<|COMPLETE" in text[:end]
        assert reply.entities == (("A", "t", "", "one (two)"), ("B", "t", "", "three (four)"))[: len(reply.entities)]


def test_claims_as_microsoft_writes_them():
    text = "(A<|>NONE<|>FRAUD<|>TRUE<|>2022-01-10<|>NONE<|>A was fined.<|>In January A was fined)\n##\n<|COMPLETE|>"
    assert graph_reply(text).claims == (("A", "", "FRAUD", "TRUE", "2022-01-10", "", "A was fined."),)


# --- Objects -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": ["x"]}',
        '```json\n{"a": 1, "b": ["x"]}\n```',
        'Sure {as asked}! [1] Here: {"a": 1, "b": ["x"]} I hope it helps.',
        '{"a": 1, "b": ["x",],}',
        "{'a': 1, 'b': ['x']}",
        '{a: 1, b: ["x"]}',
        '[{"a": 1, "b": ["x"]}]',
        '{"a": 1}\n{"b": ["x"]}',
        '{"a": 1, "b": []} {"a": 2, "b": ["x"]}',
    ],
)
def test_objects_in_many_forms(text):
    parsed = to_object(text)
    assert parsed.complete
    assert parsed.data["a"] == 1
    assert parsed.data["b"] == ["x"]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"a": 1, "b": ["x", "y', {"a": 1, "b": ["x"]}),
        (
            '```json\n{"title": "T", "summary": "S", "findings": [{"a": 1}, {"a',
            {"title": "T", "summary": "S", "findings": [{"a": 1}]},
        ),
        ('{"title": "T", "rank": 7', {"title": "T"}),
        ("{'a': 1, 'b': ['x'], 'c", {"a": 1, "b": ["x"]}),
    ],
)
def test_a_cut_object_is_not_complete(text, data):
    assert to_object(text) == Parsed(data, complete=False)


@given(st.dictionaries(st.text(), st.recursive(st.integers() | st.text(), st.lists, max_leaves=5)), st.data())
def test_no_cut_object_passes_for_a_whole_one(data, draw):
    text = json.dumps(data)
    assert to_object(text) == Parsed(data, complete=True)
    with contextlib.suppress(UnusableReplyError):
        assert not to_object(text[: draw.draw(st.integers(0, len(text) - 1))]).complete


def test_quotes_inside_strings():
    assert to_object('{"a": "he said "no" to him", "b": 2}').data["b"] == 2
    rows = '{"entities": [["A", "t", "1", "a 6" nail"], ["B", "t", "1", "b"], ["C", "t", "1", "c"]]}'
    assert [row[0] for row in graph_reply(rows).entities][:1] == ["A"]


@pytest.mark.parametrize("text", ["", "no JSON here", "[1, 2]", '"text"', "{", '{"a', "```json\n```"])
def test_texts_without_an_object_are_refused(text):
    with pytest.raises(UnusableReplyError):
        to_object(text)


def test_an_empty_object_is_one():
    assert to_object("{}") == Parsed({}, complete=True)


def test_whole_replies_are_read_fast():
    text = json.dumps({"summary": "word " * 900, "findings": [{"summary": "s", "explanation": "e"}] * 10})
    started = time.process_time()
    for _ in range(70):
        to_object(text)
    assert time.process_time() - started < 0.05


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (7, 7),
        (7.5, 7.5),
        ("7", 7),
        ("Score: 8,5 (high)", 8.5),
        ("85/100", 8.5),
        ("8/10", 8),
        ("8.5 out of 10", 8.5),
        ("90%", 9),
        ("90 %", 9),
        ("٧", 7),
        (85, 10),
        (-3, 0),
        ("7/0", 7),
        ("high", None),
        ("", None),
        (None, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        ("inf", None),
        ("1e999", None),
        ([7], None),
    ],
)
def test_scores(value, score):
    assert to_score(value, 0, 10) == score


@given(st.text() | st.floats() | st.integers())
def test_a_score_is_within_its_range(value):
    score = to_score(value, 1, 10)
    assert score is None or 1 <= score <= 10


@pytest.mark.parametrize(
    "text",
    [
        '{"a":} ' * 40_000,
        " " * 300_000 + '("entity"<|>"a"<|>"b"<|>"c")',
        '("entity"<|>"a"<|>"b"<|>"c' + "\n* " * 100_000,
    ],
    ids=["malformed", "indented", "listed"],
)
def test_hostile_replies_are_read_fast(text):
    started = time.process_time()
    with contextlib.suppress(UnusableReplyError):
        graph_reply(text)
    with contextlib.suppress(UnusableReplyError):
        to_object(text)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("end", ['"]]}', '"'], ids=["whole", "cut"])
def test_half_a_character_in_an_escape_is_left_out(end):
    reply = graph_reply(
        r'{"entities": [["A\ud83d", "person", "1", "x \\ud83d \ud83d\ude00\ude00"], ["B", "b", "1", "c' + end
    )
    assert reply.entities[0] == ("A", "person", "1", "x \\ud83d \U0001f600")
    found = to_object("{'a': '\\ud83d \\ud83d\\ude00 \ud83d', \"k\\ud83d\": 1}")
    assert found.data == {"a": " \U0001f600 ", "k": 1}


@pytest.mark.parametrize("depth", [500, 2000, 50_000])
def test_a_reply_nested_too_deep_is_unusable_at_most(depth):
    nested = "[" * depth + '"\\ud83d"' + "]" * depth
    for text in (nested, '{"entities": ' + nested + "}"):
        for parse in (graph_reply, to_object):
            with contextlib.suppress(UnusableReplyError):
                parse(text)


# --- Recorded replies --------------------------------------------------------------------


@pytest.mark.skipif(not benchmark.RECORDINGS[0].exists(), reason="the shared recordings are not on this machine")
def test_every_record_of_the_recorded_replies_is_recovered():
    tallies = benchmark.measure()
    tuples = [tally for name, tally in tallies.items() if name.startswith("tuples")]
    assert sum(tally.replies for tally in tuples) == sum(tally.parsed for tally in tuples) == 192
    assert sum(tally.records for tally in tuples) == sum(tally.recovered for tally in tuples) == 2322
    assert sum(tally.strengths for tally in tuples) == sum(tally.strengths_recovered for tally in tuples) == 878
    assert tallies["JSON"].replies == tallies["JSON"].complete == 134
    assert (tallies["prose"].replies, tallies["prose"].parsed) == (12, 0)
