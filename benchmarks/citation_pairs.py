"""Makes benchmarks/data/citation_pairs.jsonl: sentences with the passages that they cite, labelled.

    python -m benchmarks.citation_pairs

Deterministic. What is true is from recorded extractions of strong models (written out as sentences)
and from sentences written by hand; what is false is made of it: a number altered, a name swapped for
another of its kind, the sentence held against other passages.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from benchmarks import data
from graphrag.indexer.chunking import split
from graphrag.language import fold, holds_name
from graphrag.records import Document, content_id
from graphrag.settings import ChunkingSettings

HERE = Path(__file__).parent / "data"
PAIRS, SENTENCES, READ = (HERE / f"citation_{name}" for name in ("pairs.jsonl", "sentences.tsv", "read.tsv"))
MUSIQUE = data.FOLDER / "retrieval" / "musique_train100"
INDEX = data.FOLDER / "graphrag_index" / "christmas_carol_ms"
RECORDED = data.FOLDER / "llm_recordings" / "nano_graphrag_dickens_hhy" / "graph_chunk_entity_relation.graphml"
CHUNKS = RECORDED.with_name("kv_store_text_chunks.json")
BOOKS = {"carol": "a-christmas-carol", "holmes": "the-adventures-of-sherlock-holmes"}
TITLES = {"carol": "A Christmas Carol", "holmes": "The Adventures of Sherlock Holmes"}
STAVES = (3, 9, 13, 15, 17, 21, 23, 26, 31, 35)
"""The text units of the imported index that descriptions are taken from: none of its front matter and licence."""
TRIPLES, DESCRIPTIONS, SWAPPED, MISATTRIBUTED, HARD, EASY, MOVED = 95, 45, 80, 25, 45, 30, 40
NAMES = {
    "carol": {
        "person": "Scrooge|Marley|Bob Cratchit|Bob|Tiny Tim|Martha|Peter|Belinda|Mrs. Cratchit|Fezziwig|"
        "Mrs. Fezziwig|Fan|Fred|Belle|Topper|Dick Wilkins|Dick|Joe|Mrs. Dilber|Caroline|Jacob Marley|"
        "Ali Baba|Robin Crusoe",
        "place": "London|Camden Town|Cornhill|Bedlam|Mansion House|Whitechapel|Barbary|Great Britain",
    },
    "holmes": {
        "person": "Holmes|Watson|Irene Adler|Jabez Wilson|Wilson|Duncan Ross|John Clay|Merryweather|Dr. Roylott|"
        "Hatherley|Helen Stoner|James Ryder|John Horner|Victor Hatherley|Elias Openshaw|Miss Hunter|Peterson|"
        "Neville St. Clair",
        "place": "Baker Street|China|Calcutta|India|Crewe|Harrow|Coventry|Florida|Horsham|Sussex|Hampshire|Winchester|"
        "Eton|Oxford|Stoke Moran|Scotland|Bohemia|Odessa|Holland|Surrey",
    },
}
WORDS = (
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty hundred "
    "thousand"
).split()
_NUMBER = re.compile(rf"\d[\d,.]*\d|\d+|\b(?:{'|'.join(WORDS)})\b")
_TELLING = re.compile(rf"[A-Z\d]|{'|'.join(WORDS)}")
"""What may tell a predicate's falsity by itself."""
_SUBJECT = re.compile(r"((?:(?:Dr|Mrs|Mr)\. )?[A-Z][\w-]+(?: [A-Z][\w-]+)*) ([a-z].{12,})")
_NOT_PASSIVE = frozenset(
    "died occurred appeared played served graduated moved began lived worked competed started ended participated "
    "collaborated returned emigrated premiered debuted belonged existed happened continued resulted travelled fled "
    "performed starred attended taught rose fell went came ran".split()
)
_PREPOSITIONS = frozenset("by in on at from as to with near of for into under after during between".split())


@dataclass(frozen=True)
class Unit:
    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Pair:
    label: str
    """true; number (altered), swapped (name), unrelated (to another passage of the document, or of another),
    made up (about somebody whom the passage names); apart from these: negated, exaggerated, misattributed (to a
    name that the passages hold), invented (by a model)."""
    origin: str
    sentence: str
    units: tuple[str, ...]
    known: str = ""
    half: str = ""


def main() -> None:
    chance = random.Random(20)  # noqa: S311
    books = {name: _chunks(name, _read(name)) for name in BOOKS} | {"musique": _musique()}
    hand = list(_by_hand(books))
    facts = list(_facts(chance))
    told = list(_descriptions(chance))
    units = {unit.id: unit for _, its in hand + facts + told for unit in its}
    given = [pair for found, _ in hand + facts + told for pair in _as_read(found)]
    true = [pair for pair in given if pair.label == "true" and pair.origin != "reworded"]
    false = [
        *_altered(true, units, chance),
        *_swapped(true, units, chance),
        *_unrelated(true, units, chance),
        *_moved(true, units, chance),
    ]
    pairs = [_halved(pair) for pair in (*given, *(kept for pair in false for kept in _as_read(pair)))]
    used = {unit for pair in pairs for unit in pair.units}
    rows = [asdict(units[unit]) for unit in sorted(used)] + [
        {key: value for key, value in asdict(pair).items() if value} for pair in pairs
    ]
    PAIRS.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")
    print(f"{len(pairs)} pairs, {len(used)} passages, {PAIRS.stat().st_size // 1000} kB")


def _halved(pair: Pair) -> Pair:
    """What was made of one passage is all in one half."""
    origin = min(pair.units) if pair.origin != "triples" else pair.units[0]
    return replace(pair, half="tune" if int(content_id(origin)[:8], 16) % 2 else "test")


def _as_read(pair: Pair) -> Iterator[Pair]:
    """The pair under the label that reading it gave; none if it was dropped."""
    lines = [line.split("\t") for line in READ.read_text("utf-8").splitlines() if not line.startswith("#")]
    label = next((label for label, start in lines if pair.sentence.startswith(start)), pair.label)
    by_hand = pair.origin in ("hand", "reworded")
    if by_hand or label != "drop":
        yield pair if by_hand else replace(pair, label=label)


# --- What is true ------------------------------------------------------------------------


def _read(book: str) -> str:
    text = (data.FOLDER / "texts" / f"{BOOKS[book]}.asciidoc").read_text("utf-8")
    return text[text.index("== ADVENTURE I.") :] if book == "holmes" else text


def _chunks(book: str, text: str, prefix: str = "") -> list[Unit]:
    found = split(Document(book, book, text), ChunkingSettings())
    return [Unit(f"{prefix or book}-{n}", TITLES[book], unit.text.strip()) for n, unit in enumerate(found)]


def _musique() -> list[Unit]:
    return [Unit(row["id"], row["title"], row["text"]) for row in data.read_jsonl(MUSIQUE / "corpus.jsonl")]


def _by_hand(books: dict[str, list[Unit]]) -> Iterator[tuple[Pair, list[Unit]]]:
    rows = [line.split("\t") for line in SENTENCES.read_text("utf-8").splitlines() if not line.startswith("#")]
    questions = {row[2]: row[4] for row in rows if len(row) > 4 and row[0] == "true"}
    for label, book, fragments, sentence, *question in rows:
        units = [_holding(books[book], fragment) for fragment in fragments.split(" | ")]
        units = list(dict.fromkeys(units))
        known = question[0] if question else questions.get(fragments, "")
        label, origin = ("true", label) if label == "reworded" else (label, "hand")
        yield Pair(label, origin, sentence, tuple(u.id for u in units), known), units


def _holding(units: list[Unit], fragment: str) -> Unit:
    return next(unit for unit in units if fragment == unit.id or fragment in " ".join(unit.text.split()))


def _facts(chance: random.Random) -> Iterator[tuple[Pair, list[Unit]]]:
    """Recorded triples as sentences: every second one joined of two that share their subject."""
    passages = {row["id"]: row for row in data.read_jsonl(MUSIQUE / "corpus.jsonl")}
    rows = [row for row in data.read_jsonl(MUSIQUE / data.TRIPLES) if 250 <= len(passages[row["id"]]["text"]) <= 700]
    for n, row in enumerate(chance.sample(rows, TRIPLES)):
        usable = [t for t in row["triples"] if len(t) == 3 and len(" ".join(t).split()) >= 5 and t[0][:1].isupper()]
        if not usable:
            continue
        first = chance.choice([t for t in usable if re.search(r"\d", t[2])] or usable)
        others = [t for t in usable if t[0] == first[0] and t[1] != first[1] and not re.match(r"is|was", t[1])]
        sentence = f"{first[0]} {_verb(first[1])} {first[2]}"
        if n % 2 and others:
            second = chance.choice(others)
            sentence += f" and {_verb(second[1])} {second[2]}"
        passage = passages[row["id"]]
        unit = Unit(row["id"], passage["title"], passage["text"])
        yield Pair("true", "triples", f"{sentence}.", (unit.id,)), [unit]


def _verb(relation: str) -> str:
    first, _, rest = relation.partition(" ")
    second = rest.split(" ")[0]
    if first.endswith("ed") or first in {"born", "known", "written", "built", "held", "made"}:
        return f"was {relation}" if second in _PREPOSITIONS and first not in _NOT_PASSIVE else relation
    return f"is {relation}" if second == "of" or first in _PREPOSITIONS else relation


def _descriptions(chance: random.Random) -> Iterator[tuple[Pair, list[Unit]]]:
    """Descriptions of relationships by two models, each against all of the one text unit that it rests on."""
    import pyarrow.parquet as pq

    texts = pq.read_table(INDEX / "text_units.parquet").to_pylist()
    number = {row["id"]: n for n, row in enumerate(texts)}
    units = {n: _chunks("carol", texts[n]["text"].split("\n", 1)[1], f"unit{n}") for n in STAVES}
    rows = pq.read_table(INDEX / "relationships.parquet").to_pylist()
    imported = [(number[r["text_unit_ids"][0]], r["description"]) for r in rows if len(r["text_unit_ids"]) == 1]
    for origin, told in (("descriptions", imported), ("recordings", list(_recorded(texts)))):
        here = sorted({(n, sentence.strip().rstrip(".") + ".") for n, sentence in told if n in units})
        for n, sentence in chance.sample(here, min(DESCRIPTIONS, len(here))):
            yield Pair("true", origin, sentence, tuple(u.id for u in units[n])), units[n]


def _recorded(texts: list[dict]) -> Iterator[tuple[int, str]]:
    """Relationships of a recorded graph of the same book, whose chunks have the same text."""
    chunks = json.loads(CHUNKS.read_text("utf-8"))
    starts = {" ".join(row["text"].split("\n", 1)[1].split())[:200]: n for n, row in enumerate(texts)}
    number = {chunk: starts.get(" ".join(row["content"].split())[:200]) for chunk, row in chunks.items()}
    space = "{http://graphml.graphdrawing.org/xmlns}"
    for edge in ElementTree.parse(RECORDED).iter(f"{space}edge"):  # noqa: S314
        fields = {item.get("key"): item.text or "" for item in edge.iter(f"{space}data")}
        if "<SEP>" not in fields["d6"] and number.get(fields["d6"]) is not None:
            yield number[fields["d6"]], fields["d5"].strip('"').split("<SEP>")[0]


# --- What is false -----------------------------------------------------------------------


def _altered(true: list[Pair], units: dict[str, Unit], chance: random.Random) -> Iterator[Pair]:
    for pair in true:
        found = list(_NUMBER.finditer(pair.sentence))
        if found:
            spot = chance.choice(found)
            other = _other_number(spot.group(), _text(pair, units), chance)
            sentence = pair.sentence[: spot.start()] + other + pair.sentence[spot.end() :]
            yield replace(pair, label="number", sentence=sentence)


def _other_number(number: str, text: str, chance: random.Random) -> str:
    """Another number of its kind that the passages do not hold, as a word or in digits."""
    if number in WORDS:
        return chance.choice([w for w in WORDS if w != number and not holds_name(text, w)])
    whole = int(re.sub(r"\D", "", number))
    step = 40 if len(number) == 4 and number.isdigit() else max(12, whole // 2)
    while True:
        other = str(max(1, whole + chance.choice((-1, 1)) * chance.randint(1, step)))
        if "." in number:
            decimals = len(number.rpartition(".")[2])
            other = f"{other[:-decimals] or 0}.{other[-decimals:]}"
        elif "," in number:
            other = f"{int(other):,}"
        spelt = WORDS[int(other) - 2] if other.isdigit() and 2 <= int(other) <= 12 else other
        if other != number and not any(holds_name(text, form) for form in (other, spelt)):
            return other


def _swapped(true: list[Pair], units: dict[str, Unit], chance: random.Random) -> Iterator[Pair]:
    """Another name of the collection and of its kind; in "misattributed", one that the passages hold too."""
    ends = _ends()
    made = {"swapped": 0, "misattributed": 0}
    for pair in chance.sample(true, len(true)):
        label = "misattributed" if made["misattributed"] * 3 < made["swapped"] else "swapped"
        found = list(_exchanges(pair, units, ends, label))
        if found and made[label] < (MISATTRIBUTED if label == "misattributed" else SWAPPED):
            made[label] += 1
            yield replace(pair, label=label, sentence=chance.choice(found))


def _exchanges(pair: Pair, units: dict[str, Unit], ends: list[tuple[str, list[str]]], label: str) -> Iterator[str]:
    text, said = fold(_text(pair, units)), fold(f"{pair.sentence} {pair.known}")
    for name, names in _kinds(pair, ends):
        spot = re.compile(rf"(?<!\w)(?<![A-Z][a-z.] )(?<!Mrs. ){re.escape(name)}(?!\w| [A-Z])")
        for other in names:
            new = set(re.findall(r"\w+", fold(other))).isdisjoint(re.findall(r"\w+", said))
            if new and spot.search(pair.sentence) and (label == "swapped" or holds_name(text, fold(other))):
                yield spot.sub(other, pair.sentence)


def _kinds(pair: Pair, ends: list[tuple[str, list[str]]]) -> Iterator[tuple[str, list[str]]]:
    """Names of a sentence, each with the others of its kind."""
    if pair.origin == "triples":
        for relation, names in ends:
            for name in names:
                if f" {relation} {name}" in pair.sentence or pair.sentence.startswith(f"{name} {_verb(relation)}"):
                    yield name, names
    else:
        for listed in NAMES["holmes" if pair.units[0].startswith("holmes") else "carol"].values():
            names = listed.split("|")
            yield from ((name, names) for name in names if name in pair.sentence)


def _ends() -> list[tuple[str, list[str]]]:
    """What is a name among the subjects, and among the objects, of each relation of the recorded triples."""
    ends: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for row in data.read_jsonl(MUSIQUE / data.TRIPLES):
        for triple in row["triples"]:
            for end in (0, 2) if len(triple) == 3 else ():
                if re.fullmatch(r"[A-Z][\w.'-]+( [A-Z][\w.'-]+)*", triple[end]):
                    ends[triple[1], end].add(triple[end])
    return [(relation, sorted(names)) for (relation, _), names in ends.items() if len(names) >= 4]


def _unrelated(true: list[Pair], units: dict[str, Unit], chance: random.Random) -> Iterator[Pair]:
    books = [pair for pair in true if pair.origin != "triples"]
    for pair in chance.sample(books, HARD):
        others = [p.units for p in books if _document(p) == _document(pair) and _apart(p, pair)]
        yield replace(pair, label="unrelated, near", units=chance.choice(others))
    for pair in chance.sample(true, EASY):
        others = [p.units for p in true if _document(p) != _document(pair)]
        yield replace(pair, label="unrelated, far", units=chance.choice(others))


def _moved(true: list[Pair], units: dict[str, Unit], chance: random.Random) -> Iterator[Pair]:
    """What one passage says of its subject, said of the subject of another, without names and numbers."""
    parted = [(pair, found[1], found[2]) for pair in true if (found := _SUBJECT.match(pair.sentence))]
    wikipedia = [(pair, name) for pair, name, _ in parted if pair.origin == "triples" and " " in name][:MOVED]
    triples = [t for row in data.read_jsonl(MUSIQUE / data.TRIPLES) for t in row["triples"] if len(t) == 3]
    predicates = sorted({f"{_verb(relation)} {end}." for _, relation, end in triples if len(end.split()) > 1})
    predicates = [predicate for predicate in predicates if predicate.isascii() and not _TELLING.search(predicate)]
    for (pair, name), predicate in zip(wikipedia, chance.sample(predicates, len(wikipedia)), strict=True):
        yield replace(pair, label="made up", sentence=f"{name} {predicate}")
    people = [name for kinds in NAMES.values() for name in kinds["person"].split("|")]
    books = [part for part in parted if part[0].origin == "hand" and part[1] in people]
    for pair, own, predicate in books:
        others = [(p, name) for p, name, _ in books if _document(p) == _document(pair) and _apart(p, pair)]
        if not _TELLING.search(predicate):
            other, name = chance.choice([(p, name) for p, name in others if name != own] or others)
            yield replace(other, label="made up", sentence=f"{name} {predicate}")


def _document(pair: Pair) -> str:
    book = "holmes" if pair.units[0].startswith("holmes") else "carol"
    return pair.units[0] if pair.origin == "triples" else book


def _apart(first: Pair, second: Pair) -> bool:
    """Whether two pairs are about passages far from each other, numbered alike."""
    kinds = [pair.units[0].split("-")[0] for pair in (first, second)]
    if kinds[0] != kinds[1] and {"carol"} & set(kinds):
        return False
    if kinds[0].startswith("unit"):
        return abs(int(kinds[0][4:]) - int(kinds[1][4:])) > 1
    return abs(int(first.units[0].split("-")[1]) - int(second.units[0].split("-")[1])) > 5


def _text(pair: Pair, units: dict[str, Unit]) -> str:
    return " ".join([pair.known, *(f"{units[unit].title} {units[unit].text}" for unit in pair.units)])


if __name__ == "__main__":
    main()
