"""A model that reads: replies made from nothing but the prompt, always the same.

From the sources that a prompt shows it takes the sentences that share most with the question, rare
words counting more, and cites their lines; it asks on about names in them that the question does not
have, together with what is left unanswered of the main question. It knows the query prompts of this
project and those of the baselines in `incumbent`, and reads them with the same skill: what differs
is what a prompt shows and the form that it asks for.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from graphrag.language import FUNCTION_WORDS, fold, search_terms, sentences
from graphrag.names import WordCase, find_names

LINE = re.compile(r"^(?:\[([A-Z]\d+)\] |(\d+)\|)(?:([^:|\n]{1,120})(?:: |\|))?(.*)$", re.MULTILINE)
"""A source: `[T3] title: text` here, `3|title|text` in the baselines."""
QUESTION = re.compile(r"^Question(?: of this step| asked next)?: (.*)$", re.MULTILINE)
MAIN = re.compile(r"^Main question: (.*)$", re.MULTILINE)
MOST = re.compile(r"at most (\d+) (?:questions|points)", re.IGNORECASE)
ASKING = frozenset("answer book called come known many name named question story tell told whose year".split())
"""Words of questions beside function words that say nothing of their subject."""
LEAST = 0.2
"""Of what a question's words weigh, the share that the best sentence must have to be an answer."""
NEAR = 0.5
"""Of the best sentence's weight, what another must have to be said too."""
SENTENCES = {"step": 4, "answer": 6, "points": 5, "baseline step": 10, "baseline answer": 15}
"""The most that a reply has: a step here is asked for one to five, a baseline's for 2,000 characters."""


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    words: frozenset[str]
    place: int
    handle: str = ""
    title: str = ""
    weight: float = 0.0


def answer(system: str, user: str) -> tuple[str, str] | None:
    """The kind of a prompt and the reply to it; None for one that is not about a question."""
    for mark, kind, say in KINDS:
        if mark in system:
            return kind, say(system, user)
    return None


# --- Replies -----------------------------------------------------------------------------


def _step(system: str, user: str) -> str:
    told, score, asked = _explored(user, SENTENCES["step"], int((MOST.search(system) or [0, 3])[1]))
    return _json({"answer": told, "score": score, "follow_ups": [list(pair) for pair in asked]})


def _baseline_step(_: str, user: str) -> str:
    told, score, asked = _explored(user, SENTENCES["baseline step"], 5)
    return _json({"response": told, "score": score, "follow_up_queries": [question for question, _ in asked]})


def _points(system: str, user: str) -> str:
    most = min(SENTENCES["points"], int((MOST.search(system) or [0, 5])[1]))
    found, whole = _best(_question(user), user, most)
    return _json({"points": [[_cited([row]), str(round(100 * row.weight / whole))] for row in found]})


def _prose(kind: str) -> Callable[[str, str], str]:
    def say(_: str, user: str) -> str:
        found = _best(_question(user), user, SENTENCES[kind])[0]
        return _cited(found) if found else "[NONE] The sources say nothing of it."

    return say


def _hypothesis(_: str, user: str) -> str:
    report = (re.findall(r"^Report: (.*)", user, re.MULTILINE) or [""])[0]
    shape = " ".join(report.split()[:40])
    return f"{_question(user)} It is told that {' '.join(_content(_question(user)))}. {shape}"


def _ratings(_: str, user: str) -> str:
    wanted = frozenset(_words(_question(user)))
    rows = re.findall(r"^\W*(\d+)\W+ (.*)$", user, re.MULTILINE)
    return _json({"ratings": [[number, str(min(5, 2 * len(wanted & _known(text))))] for number, text in rows]})


def _route(_: str, user: str) -> str:
    guess = re.findall(r"^A cheap guess: (\w+)", user, re.MULTILINE)
    return _json({"method": guess[0] if guess else "local"})


KINDS: Sequence[tuple[str, str, Callable[[str, str], str]]] = (
    ('"follow_ups"', "step", _step),
    ('"follow_up_queries"', "baseline step", _baseline_step),
    ('"points"', "points", _points),
    ('"ratings"', "ratings", _ratings),
    ('{"method":"local"}', "route", _route),
    ('{"unsupported": []}', "judge", lambda _, __: '{"unsupported":[]}'),
    ("You help to search", "hypothesis", _hypothesis),
    ("You make questions stand alone", "rewrite", lambda _, user: _question(user)),
    ("You answer a question from numbered sources", "answer", _prose("answer")),
    ("You write the final answer", "answer", _prose("answer")),
    ("multiple paragraphs", "baseline answer", _prose("baseline answer")),
)
"""What a system prompt holds, what it is for, and who replies."""


# --- Reading -----------------------------------------------------------------------------


def _explored(user: str, most: int, questions: int) -> tuple[str, int, list[tuple[str, int]]]:
    """What the sources say, how much of the main question that is in per cent, and what to ask next,
    each with a score."""
    found, _ = _best(_question(user), user, most)
    main = (MAIN.findall(user) or [_question(user)])[0]
    said = frozenset(word for sentence in found for word in sentence.words)
    left = [word for word in _content(main) if not _known(word) <= said]
    names = _names(found, f"{main} {_question(user)}")
    asked = [
        (f"What is known of {name}: {' '.join(left)}?" if left else f"What else is known of {name}?", score)
        for name, score in names[:questions]
    ]
    wanted = _known(main)
    score = round(100 * len(wanted & said) / max(len(wanted), 1))
    return _cited(found), score, asked


def _names(found: Sequence[Sentence], question: str) -> list[tuple[str, int]]:
    """Names in sentences or their titles that the question does not have, with the score of a
    question about each."""
    known, names = fold(question), dict[str, int]()
    best = max((sentence.weight for sentence in found), default=1.0)
    for sentence in found:
        for name in [*_named(sentence.text), sentence.title]:
            if name and "." not in name and fold(name) not in known and not _known(name) <= _known(question):
                names.setdefault(name, round(80 * sentence.weight / best) - 5 * min(len(names), 8))
    return sorted(names.items(), key=lambda pair: -pair[1])


def _named(sentence: str) -> Iterator[str]:
    for span in find_names(sentence, WordCase()):
        name = sentence[span.start : span.end]
        # A capital at the beginning says nothing of a single word.
        if " " in name or re.search(r"\w", sentence[: span.start]):
            yield name


def _best(question: str, user: str, most: int) -> tuple[list[Sentence], float]:
    """The sentences that share most with a question, best first, and the weight of all its words."""
    wanted = _known(question)
    rows = list(_sentences(user))
    counts = Counter(word for row in rows for word in row.words & wanted)
    weights = {word: math.log(1 + len(rows) / (1 + counts[word])) for word in wanted}
    weighed = [(sum(weights[word] for word in row.words & wanted), row) for row in rows if row.words & wanted]
    weighed.sort(key=lambda pair: (-pair[0], pair[1].place))
    whole = sum(weights.values()) or 1.0
    least = max(LEAST * whole, NEAR * weighed[0][0]) if weighed else 0.0
    kept: dict[str, Sentence] = {}
    for weight, row in weighed:
        if weight < least or len(kept) == most:
            break
        kept.setdefault(row.text, Sentence(row.text, row.words, row.place, row.handle, row.title, weight))
    return list(kept.values()), whole


def _sentences(user: str) -> Iterator[Sentence]:
    place = 0
    for handle, number, title, text in LINE.findall(user):
        for sentence, words in _split(text, title):
            yield Sentence(sentence, words, place, handle or number, title)
            place += 1


@lru_cache(maxsize=50_000)
def _split(text: str, title: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """The sentences of a source with their words; a title is about all of them."""
    spans = [text[span.start : span.end].strip() for span in sentences(text)]
    return tuple((sentence, _known(f"{title} {sentence}")) for sentence in spans if len(sentence.split()) > 2)


@lru_cache(maxsize=200_000)
def _known(text: str) -> frozenset[str]:
    return frozenset(_words(text))


def _words(text: str) -> Iterator[str]:
    """The words of a text that tell what it is about, roughly stemmed."""
    for word in search_terms(text).split():
        if word not in FUNCTION_WORDS and word not in ASKING:
            yield re.sub(r"(?<=\w{3})(?:ing|ed|es|e|s|’s|ly)$", "", word)


def _content(question: str) -> list[str]:
    return [word for word in re.findall(r"[\w’'-]+", question) if _known(word)]


def _question(user: str) -> str:
    return (QUESTION.findall(user) or [""])[-1]


def _cited(found: Sequence[Sentence]) -> str:
    return " ".join(f"{sentence.text} [{sentence.handle}]" for sentence in found)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
