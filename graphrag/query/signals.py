"""What a question says of its own kind: words, shape, names, and likeness to other questions.

No model but the embedding model is asked. Which signals count for what is in `routing`.
"""

import math
import re
from dataclasses import dataclass

from graphrag.language import HANGUL, UNSPACED, WORD
from graphrag.models.embedded import reads
from graphrag.query import prototypes
from graphrag.query.comparing import products
from graphrag.query.retrieval import Retriever

NEAREST = 3
"""Prototypes of each kind that a question is held against: those most like it."""
KOREAN_WORD, UNSPACED_WORD = 1.7, 1.7
"""A Korean word says as much as so many English ones; an English one as much as so many Chinese characters."""


def _cue(words: str, unspaced: str = "") -> re.Pattern[str]:
    """Any of some words; * stands for any ending, _ for a space. `unspaced`: parts of words."""
    spaced = "|".join(re.escape(word).replace(r"\*", r"\w*").replace("_", r"\s+") for word in words.split())
    parts = "".join(f"|{re.escape(part)}".replace("_", r"\s+") for part in unspaced.split())
    return re.compile(rf"\b(?:{spaced})\b{parts}", re.IGNORECASE)


_WHOLE = _cue(
    "theme themes motif motifs overview overall summar* recap gist lesson lessons moral morals message messages "
    "attitude attitudes pattern patterns trend trends recurr* repeat repeats repeated repeatedly across throughout "
    "in_general on_the_whole all_in_all over_time portray* depict* takeaway takeaways society symbol* mood moods "
    "common_thread common_threads typical* "
    "themen motive immer_wieder insgesamt überblick zusammenfass* dargestellt worum "
    "thème thèmes résum* dans_l'ensemble se_dégage de_quoi "
    "tema temas resum* mensaje de_qué_trata en_general en_conjunto",
    "전체 전반 요약 주제 교훈 경향 반복 그려 나열 정리 메시지 줄거리 "
    "主题 总结 概括 整体 最常见 表达 教训 テーマ 要約 全体 まとめ 教訓",
)
"""It asks about the collection: no single passage holds such an answer."""
_BROAD = _cue(
    "topic topics issue issues aspect aspects main major key central important general generally common commonly "
    "usual usually most all every everything everyone everybody each any list enumerate rank sort group classify "
    "kind kinds type types ways discuss describe drawn pictured shown treated seen stand_for stands_for view views "
    "think_of feel_about character characters people author authors narrator narrators reader readers story stories "
    "tale tales book books text texts document documents report reports collection corpus dataset narrative "
    "narratives case cases paper papers article articles "
    "alle wichtig* erzählung* werk* haupt* récit récits tous toutes princip* obra obras todos todas",
    "모두 각각 주요 공통 작품 이야기 인물 어떤_사람 어떤_모습 所有 主要 故事 作品 全部 すべて 主な 物語",
)
"""Words that such questions have, and others too."""
_RELATES = _cue(
    "relat* connect* link links linked tie ties tied compar* contrast* differ* versus vs similar* resembl* alike "
    "between in_common hängen zusammenh* verhältnis verbind* beziehung* unterschied* vergleich* "
    "lien liens lié liée liés rapport différ* relación diferencia* vínculo* vincul*",
    "관계 차이 비교 얽 연결 关系 比较 区别 联系 関係 違い 比較",
)
"""It asks how two things hang together."""
_FOLLOWS = _cue(
    "both same lead leads led cause causes caused influenc* affect* impact consequence consequences become becomes "
    "became why explain role depend* happen* later earlier finally in_the_end then warum wieso pourquoi por_qué",
    "영향 왜 원인 为什么 影响 原因 なぜ 影響",
)
"""It asks why, or what came of something."""
_FACT_HEAD = (
    r"who|whom|whose|when|where|which|how (?:many|much|old|long|far|tall|big|large|high|often|heavy)|"
    r"what(?: is|'s|s| was)? (?:the )?(?:name|number|price|address|hour|time|day|date|month|year|century|age|city|"
    r"country|town|place|part|street|colou?r|species|material|animal|instrument|language|nationality)|"
    r"wer|wann|wo|wie (?:viele?|heißt|alt|hoch|lange?)|qui|quand|où|combien|quel âge|comment s'appell\w+|"
    r"quién(?:es)?|cuándo|dónde|cuánt\w+|cómo se llama\w*|qué edad"
)
_FACT = re.compile(
    rf"^\W*(?:(?:in|at|on|by|from|to|of|under|for|with)\W+)?(?:{_FACT_HEAD})\b"
    r"|^\W*(?:name|tell me|give me|say|state) (?:the|what|which|who|where|when|how)\b"
    r"|\b(?:name|date|price|age|number|colou?r|title|address) of\b"
    r"|누구|언제|어디|몇|얼마|이름|나이|谁|哪里|多少|几|何时|什么时候|名字|誰|いつ|どこ|何人|いくつ|名前",
    re.IGNORECASE,
)
"""It asks for a name, a place, a time or a number."""
_CLAUSE = re.compile(
    r"(?<!^)\b(?:who|whom|whose|which|that|what|where|when|why|how|whether|after|before|while|if|because)\b"
    r"|[;:–—]| - |, and\b",
    re.IGNORECASE,
)
_ROLE = (
    r"(?:director|publisher|founder|owner|author|writer|composer|singer|performer|manufacturer|maker|developer|"
    r"distribut[eo]r|producer|creator|employer|leader|president|head|successor|predecessor|alma mater|birthplace|"
    r"spouse|wife|husband|mother|father|parent|child|son|daughter|brother|sister|sibling|uncle|aunt|nephew|niece|"
    r"cousin|partner|lover|friend|rival|master|servant|member|label|network|studio|team|band|company|firm|institute|"
    r"association|university|college|school|man|men|woman|women|person|people|boy|girl|gentleman|lady|one|place|"
    r"town|city|county|country|state|region|film|book|event)s?"
)
_BRIDGE = re.compile(
    rf"\b{_ROLE}\s+(?:of|that|who|whom|which|where|whose|in which)\b|['’]s?\s+(?:\w+\s+)?{_ROLE}\b"
    r"|\bthe\s+(?:\w+\s+){1,3}(?:director|publisher|manufacturer|author|founder|owner|distribut[eo]r)\b",
    re.IGNORECASE,
)
"""Somebody or something is described by what it is to another: "the man who", "its publisher"."""
_ASKED_FOR = re.compile(r"^\W*(?:who|what|which)\s+(?:is|was|are|were)\s+(?:the\s+)?(?:\w+\s+){1,2}of\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signals:
    """What was found in a question; words as they stand in it."""

    names: tuple[str, ...]
    """Titles of the entities it names, of those that have a proper name."""
    rarity: float
    """How rare they are in the collection, added up: 1 is a name that only one text unit has, 0 one that
    all have: such a name says nothing of where to look."""
    words: float
    whole: tuple[str, ...]
    broad: tuple[str, ...]
    relates: tuple[str, ...]
    follows: tuple[str, ...]
    fact: bool
    clauses: int
    bridges: tuple[str, ...]
    like_global: float
    """How much more it is like questions about everything than like others, in standard deviations."""
    like_joined: float
    """How much more it is like questions that join facts than like those that ask for one."""

    @property
    def values(self) -> tuple[float, ...]:
        """The signals as numbers, in the order of `routing.WEIGHTS`; each has its limit, so that none decides alone."""
        return (
            min(self.rarity, 2),
            math.log1p(min(self.words, 60)),
            # Of a thing that few know, "main" or "all" says less.
            min(2 * min(len(self.whole), 2) + len(self.broad) * (1 - min(self.rarity, 1) / 2), 4),
            min(len(self.relates), 2),
            min(len(self.follows), 2),
            self.fact,
            min(self.clauses, 3),
            min(len(self.bridges), 2),
            self.like_global,
            self.like_joined,
        )


def read(question: str, retriever: Retriever) -> Signals:
    """The signals of a question: one embedding, and at first those of the prototypes where they do not ship."""
    graph, first = retriever.graph, len(retriever.graph.unit_ids)
    named = {place: graph.entity_titles[place - first] for place in retriever.names_in(question)}
    proper = [place for place, title in named.items() if _is_proper(title)]
    like_global, like_joined = _likeness(question, retriever)
    # What one passage says is no less of a name where there is no other passage.
    units = max(first, 2) if first else 1
    return Signals(
        names=tuple(named[place] for place in proper),
        rarity=sum(math.log(units / min(float(graph.mentions[place]), units)) for place in proper)
        / math.log(max(units, 2)),
        words=_length(question),
        whole=_found(_WHOLE, question),
        broad=_found(_BROAD, question),
        relates=_found(_RELATES, question),
        follows=_found(_FOLLOWS, question),
        fact=_FACT.search(question) is not None,
        clauses=len(_found(_CLAUSE, question)),
        bridges=_found(_BRIDGE, _ASKED_FOR.sub("", question)),
        like_global=like_global,
        like_joined=like_joined,
    )


def _is_proper(title: str) -> bool:
    """Whether it is written with a capital, or in a script that has none."""
    return title[:1].isupper() or title[:1].lower() == title[:1].upper()


def _found(cue: re.Pattern[str], question: str) -> tuple[str, ...]:
    return tuple(match.group() for match in cue.finditer(question))


def _length(question: str) -> float:
    """Words, as if it were English."""
    return sum(
        len(word) / UNSPACED_WORD if UNSPACED.search(word) else KOREAN_WORD if HANGUL.search(word) else 1
        for word in WORD.findall(question)
    )


def _likeness(question: str, retriever: Retriever) -> tuple[float, float]:
    """In standard deviations of its likeness to all prototypes: models differ in how far apart they put texts.

    Nothing, where the model does not read the question.
    """
    import numpy as np

    if not reads(retriever.embedder.name, question):
        return 0.0, 0.0
    vector = retriever.vector(question)
    alike = {kind: products(near, vector) for kind, near in prototypes.vectors(retriever.embedder).items()}
    spread = float(np.std(np.concatenate(list(alike.values())))) or 1.0
    local, joined, whole = (
        float(np.sort(alike[kind])[-NEAREST:].mean()) / spread for kind in ("local", "multi-hop", "global")
    )
    return whole - max(local, joined), joined - local
