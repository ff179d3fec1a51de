"""Resolve entities: which of the extracted names mean the same one, before the graph is built.

Names equal under `language.fold` are one already. Of the rest, pairs that may be of one entity
are found by spelling, words and meaning; those that are all but the same spelling are merged,
those that are unlike stay apart, and a model judges what is between, many pairs a call. What two
names say against it (`vetoes`) no likeness and no model overrules. Merging is not transitive: a
name joins a group only if at least half of its pairs there are affirmed and none is refused.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.indexer import candidates
from graphrag.indexer.candidates import Pair
from graphrag.indexer.embedding import DESCRIPTION_CHARACTERS
from graphrag.indexer.keeping import keep
from graphrag.indexer.vetoes import FEMALE, take_apart, veto
from graphrag.language import fold
from graphrag.messages import Reply, ReplySchema, Request, Unanswered
from graphrag.models.base import Embedder
from graphrag.models.replies import to_object
from graphrag.records import Extraction, Failure
from graphrag.settings import ResolutionSettings

STAGE = "resolution"
LABEL = "Comparing names"
BY_WORDS = 0.4
"""How much of the least similarity is enough for a name and what may be a form of it."""
DESCRIPTION = 40
"""Characters of a description that the model is shown."""
SURE = 2
"""Text units that must agree on a type before it speaks against a pair."""
SCHEMA = ReplySchema(
    "same_pairs",
    {
        "type": "object",
        "properties": {"same": {"type": "array", "items": {"type": "integer"}}},
        "required": ["same"],
        "additionalProperties": False,
    },
)
Reason = Literal["exact", "similar", "model", "vetoed", "unanswered"]
PERSON = frozenset({"person", "people", "character", "human"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a pair of names, and why."""

    first: str
    second: str
    same: bool
    reason: Reason
    similarity: float
    detail: str = ""
    """Of a veto: what the names say against it."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Which names are merged. Nothing is lost: without it, or without one of its entries, names
    are apart again."""

    canonical: Mapping[str, str]
    """The display form of the canonical name by the folded form of each name merged into it."""
    decisions: tuple[Decision, ...] = ()
    """One a pair that was looked at, by name."""
    failures: tuple[Failure, ...] = ()
    """Pairs that stay apart because no usable reply was had."""
    foreign: int = 0
    """Numbers in replies that belong to no pair; they count for nothing."""

    def notices(self) -> tuple[str, ...]:
        """What was left out, counted."""
        notice = f"{self.foreign} numbers in replies belong to no pair of names and were ignored"
        return (notice,) if self.foreign else ()


@dataclass(frozen=True, slots=True)
class Name:
    """A name and what all extractions say of it."""

    key: str
    display: str
    spellings: tuple[str, ...]
    count: int
    type: str
    sure: bool
    """Whether at least SURE extractions give it a type, all the same one."""
    description: str

    @property
    def person(self) -> bool:
        """Whether it is thought to be of a person."""
        return fold(self.type) in PERSON


def resolve(
    extractions: Iterable[Extraction], embedder: Embedder, asking: Asking | None, settings: ResolutionSettings
) -> Resolution:
    """The names of one entity; the order of the extractions has no say.

    Without `asking` no model is: the pairs it would judge stay apart. Raises what
    `ChatService.ask` raises.
    """
    names = collect(extractions)
    similarities = find(names, embedder, settings.least_similarity)
    vetoed = {pair: reason for pair in similarities if (reason := _veto(names[pair[0]], names[pair[1]]))}
    similar = {
        pair
        for pair, similarity in similarities.items()
        if pair not in vetoed and similarity >= settings.certain_similarity and _certain(names[pair[0]], names[pair[1]])
    }
    judged = sorted(similarities.keys() - vetoed.keys() - similar) if asking else []
    verdict = judge(names, judged, asking, settings.pairs_per_call) if asking else Verdict()
    affirmed = similar | verdict.same
    groups = cluster(
        {pair: similarities[pair] + (pair in similar) for pair in affirmed},
        lambda pair: pair in vetoed or pair in verdict.different or bool(_veto(names[pair[0]], names[pair[1]])),
    )
    canonical = {names[member].key: _canonical(names, group).display for group in groups for member in group}
    told = verdict.same | verdict.different
    reasons: dict[Pair, Reason] = {pair: "model" if pair in told else "unanswered" for pair in judged}
    reasons.update(dict.fromkeys(vetoed, "vetoed"))
    reasons.update(dict.fromkeys(similar, "similar"))
    decisions = [
        Decision(
            a.display, b.display, _merged(a, b, canonical), reasons[pair], similarities[pair], vetoed.get(pair, "")
        )
        for pair in sorted(reasons)
        for a, b in [(names[pair[0]], names[pair[1]])]
    ]
    return Resolution(canonical, (*_exact(names), *decisions), verdict.failures, verdict.foreign)


def apply(extractions: Iterable[Extraction], resolution: Resolution) -> list[Extraction]:
    """The extractions with every merged name replaced by its canonical one."""

    def renamed(name: str) -> str:
        return resolution.canonical.get(fold(name), name)

    return [
        replace(
            extraction,
            entities=tuple(replace(entity, name=renamed(entity.name)) for entity in extraction.entities),
            relationships=tuple(
                replace(edge, source=renamed(edge.source), target=renamed(edge.target))
                for edge in extraction.relationships
            ),
            statements=tuple(
                replace(statement, names=tuple(map(renamed, statement.names))) for statement in extraction.statements
            ),
            claims=tuple(
                replace(claim, subject=renamed(claim.subject), object=renamed(claim.object))
                for claim in extraction.claims
            ),
        )
        for extraction in extractions
    ]


def _merged(first: Name, second: Name, canonical: Mapping[str, str]) -> bool:
    return first.key in canonical and canonical[first.key] == canonical.get(second.key)


def _exact(names: Iterable[Name]) -> Iterator[Decision]:
    for name in names:
        yield from (Decision(name.display, spelling, True, "exact", 1.0) for spelling in name.spellings[1:])


def collect(extractions: Iterable[Extraction]) -> list[Name]:
    """All names in them, by their folded form, also those that only relationships mention."""
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    types: defaultdict[str, Counter[str]] = defaultdict(Counter)
    descriptions: defaultdict[str, set[str]] = defaultdict(set)
    for extraction in extractions:
        for entity in extraction.entities:
            spellings[fold(entity.name)][entity.name] += 1
            types[fold(entity.name)][entity.type] += bool(entity.type)
            descriptions[fold(entity.name)].add(entity.description)
        for relationship in extraction.relationships:
            for name in (relationship.source, relationship.target):
                spellings[fold(name)][name] += 1
    return [
        Name(
            key,
            display=(ordered := sorted(spellings[key], key=lambda name: (-spellings[key][name], name)))[0],
            spellings=tuple(ordered),
            count=spellings[key].total(),
            type=min(types[key], key=lambda kind: (-types[key][kind], kind), default=""),
            sure=len(+types[key]) == 1 and types[key].total() >= SURE,
            description=min(descriptions[key], key=lambda text: (-len(text), text), default=""),
        )
        for key in sorted(spellings)
        if key
    ]


def find(names: Sequence[Name], embedder: Embedder, least: float) -> dict[Pair, float]:
    """Pairs that may be of one entity, each with the larger of two cosines: of spelling and of
    meaning. Those found by their words need less of it."""
    keys = [name.key for name in names]
    # The text that the index embeds of an entity: one that is not merged is embedded once.
    vectors = embedder.embed([f"{name.display}: {name.description[:DESCRIPTION_CHARACTERS]}" for name in names])
    spelling = candidates.by_spelling(keys, least)
    meaning = candidates.by_meaning(vectors, least)
    words = candidates.by_words(keys)
    found = {pair: max(spelling.get(pair, 0.0), meaning.get(pair, 0.0)) for pair in {*spelling, *meaning}}
    told = {pair: float(vectors[pair[0]] @ vectors[pair[1]]) for pair in words - found.keys()}
    found |= {pair: cosine for pair, cosine in told.items() if cosine >= least * BY_WORDS}
    return dict(sorted(found.items()))


def _veto(first: Name, second: Name) -> str:
    if first.sure and second.sure and first.person != second.person:
        return "types"
    persons = all(name.person or not name.type for name in (first, second))
    return veto(first.key, second.key, persons)


def _certain(first: Name, second: Name) -> bool:
    """Whether two names differ in nothing but articles, titles and punctuation, and that is enough:
    one common word ("the room") may mean many things, and "Mrs. X" is not X."""
    a, b = take_apart(first.key), take_apart(second.key)
    if a.words != b.words or (first.type and second.type and fold(first.type) != fold(second.type)):
        return False
    if {"a", "an"} & (a.articles ^ b.articles):
        return False
    titles = a.titles ^ b.titles
    return not titles & FEMALE and (len(a.words) > 1 or bool(titles and first.person and second.person))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model says of the pairs it was shown."""

    same: frozenset[Pair] = frozenset()
    different: frozenset[Pair] = frozenset()
    failures: tuple[Failure, ...] = ()
    foreign: int = 0


def judge(names: Sequence[Name], pairs: Sequence[Pair], asking: Asking, pairs_per_call: int) -> Verdict:
    """What a model says of pairs; those of a call that goes unanswered are in neither set. A pair
    that was judged once is not asked about again, whichever pairs it was asked with."""
    alone = {pair: plan(names, [pair], asking) for pair in pairs}
    recalled = dict(zip(pairs, asking.service.recall(list(alone.values()), parse), strict=True))
    told = {pair: 1 in numbers for pair, numbers in recalled.items() if numbers is not None}
    foreign = sum(len(numbers - {1}) for numbers in recalled.values() if numbers)
    new = [pair for pair in pairs if pair not in told]
    calls = [new[start : start + pairs_per_call] for start in range(0, len(new), pairs_per_call)]
    answers = asking.ask([plan(names, call, asking) for call in calls], parse, LABEL) if calls else []
    failures: list[Failure] = []
    parts: list[tuple[Request, str]] = []
    for call, answer in zip(calls, answers, strict=True):
        if isinstance(answer, Unanswered):
            failures += [_failure(names, call, answer)] if answer.asked else []
            continue
        numbered = dict(enumerate(call, start=1))
        foreign += len(answer - numbered.keys())
        judged = {pair: number in answer for number, pair in numbered.items()}
        told |= judged
        if len(call) > 1:
            parts += [(alone[pair], json.dumps({"same": [1] * same})) for pair, same in judged.items()]
    keep(parts, parse, asking)
    return Verdict(
        frozenset(pair for pair, same in told.items() if same),
        frozenset(pair for pair, same in told.items() if not same),
        tuple(failures),
        foreign,
    )


def plan(names: Sequence[Name], pairs: Sequence[Pair], asking: Asking) -> Request:
    """The call that judges these pairs, numbered from 1."""
    lines = (f"{number}. {shown(names[a])} | {shown(names[b])}" for number, (a, b) in enumerate(pairs, start=1))
    return Request(STAGE, asking.prompts.render("resolve", pairs="\n".join(lines)), SCHEMA)


def parse(reply: Reply) -> frozenset[int]:
    """The numbers of the pairs that a reply calls the same. Raises UnusableReplyError."""
    parsed = to_object(reply.text)
    numbers = parsed.data.get("same")
    if not parsed.complete or not isinstance(numbers, list):
        raise UnusableReplyError("the reply holds no whole list of pairs that are the same")
    return frozenset(int(text) for item in numbers if (text := str(item)).isdecimal() and len(text) < 6)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _failure(names: Sequence[Name], call: Sequence[Pair], answer: Unanswered) -> Failure:
    first, last = (" and ".join(names[position].display for position in pair) for pair in (call[0], call[-1]))
    return Failure(STAGE, f"{len(call)} pairs of names, {first} to {last}", answer.reason)


def shown(name: Name) -> str:
    """A name as the model sees it: with its type and the beginning of its description."""
    kind = f" ({_short(name.type)})" if name.type else ""
    told = f": {_short(name.description)}" if name.description else ""
    return f"{_short(name.display)}{kind}{told}"


def _short(text: str) -> str:
    """A text on one line, cut at a word where it is long."""
    line = " ".join(text.split()).replace("|", "/")
    return line if len(line) <= DESCRIPTION else f"{line[:DESCRIPTION].rpartition(' ')[0] or line[:DESCRIPTION]} …"


def cluster(affirmed: Mapping[Pair, float], refused: Callable[[Pair], bool]) -> list[tuple[int, ...]]:
    """Groups of two and more, the strongest pairs joined first (average link).

    Two groups become one if no pair across them is refused and at least half of these pairs are
    affirmed. `affirmed` has the strength of each pair.
    """
    group_of = {position: (position,) for pair in affirmed for position in pair}
    order = sorted(affirmed, key=lambda pair: (-affirmed[pair], pair))
    grown = True
    while grown:
        grown = False
        for first, second in order:
            one, other = group_of[first], group_of[second]
            across = [(min(a, b), max(a, b)) for a in one for b in other]
            if one == other or 2 * sum(pair in affirmed for pair in across) < len(across) or any(map(refused, across)):
                continue
            grown = True
            group_of |= dict.fromkeys((*one, *other), tuple(sorted((*one, *other))))
    return sorted({group for group in group_of.values() if len(group) > 1})


def _canonical(names: Sequence[Name], group: Iterable[int]) -> Name:
    """The most frequent name of a group, then that of most words, the longest, the first."""
    return min(
        (names[position] for position in group),
        key=lambda name: (-name.count, -len(take_apart(name.key).words), -len(name.key), name.key),
    )
