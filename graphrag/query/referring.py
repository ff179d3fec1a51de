"""Whether a question refers to what was said before: signs in five languages, no model.

`may_refer` is for when a model decides in the end: better one call too many than a question that
nobody can answer. `refers` is for when none does: then a question is only touched where it plainly
lacks something, as words that it did not ask for lead the search astray.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from graphrag.language import FUNCTION_WORDS, HANGUL, UNSPACED, WORD, search_terms, without_josa
from graphrag.names import count_case, find_names

LONG = 1000
"""Characters after which a question brings what it is about along."""
ENOUGH = 4
"""Words that say something, after which a question without a name stands alone too."""
ANTECEDENT = 2
"""Such words before a pronoun, after which it means one of them."""


@dataclass(frozen=True, slots=True)
class Signs:
    """How a language refers to what was said before."""

    words: frozenset[str]
    """Words that say nothing by themselves, folded: they tell the language, too."""
    asking: frozenset[str]
    """Question words."""
    pronouns: frozenset[str]
    opening: re.Pattern[str]
    """What a question goes on with: "and …", which may be whole in itself."""
    repeating: re.Pattern[str]
    """The question before, asked of something else: "what about …"."""
    longest_repeating: int = 9
    """Words that say something in such a question, at most."""


def _signs(words: str, asking: str, pronouns: str, opening: str, repeating: str) -> Signs:
    begin = rf"\W*(?:{opening})\b[\s,]*"
    return Signs(
        frozenset(f"{words} {asking} {pronouns}".split()),
        frozenset(asking.split()),
        frozenset(pronouns.split()),
        re.compile(begin, re.IGNORECASE),
        re.compile(rf"(?:{begin})?\W*(?:{repeating})", re.IGNORECASE),
    )


ENGLISH = _signs(
    " ".join(FUNCTION_WORDS) + " tell name list give explain describe called",
    "who whom whose what which when where why how",
    "he him his she her hers it its they them their theirs this these those latter former himself herself itself "
    "themselves",
    r"and|but|or|so|then|also|ok(?:ay)?|well",
    r"(?:what|how) about\b|what of\b|same (?:question )?for\b|which ones?\b|the (?:first|second|last|other) one\b",
)
GERMAN = _signs(
    "ist sind war waren hat haben hatte wird wurde werden kann die das den dem des ein eine einen einem einer und oder "
    "nicht von vom zu zum zur im auf mit für über bei nach aus gibt denn noch mehr sich es bitte nenne nenn erkläre",
    "wer wen wem wessen wann wo warum wieso weshalb wie welche welcher welches welchen woher wohin wozu wieviel was",
    "er sie ihn ihm ihr ihre ihren ihrem ihrer sein seine seinen seinem seiner dieser diese dieses diesen diesem jener "
    "jene jenes dort dafür davon damit dazu darüber daran darin danach deren dessen beide beiden",
    "und|aber|oder|dann|also|auch",
    r"was ist mit\b|wie (?:ist|steht|sieht) es (?:mit|bei)\b|welche[rsn]? davon\b",
)
FRENCH = _signs(
    "est sont était t ont été le la les l d un une des du de et ou ne pas dans sur avec pour par à au aux en y se s qu "
    "ce plus il-y-a",
    "qui que quoi quel quelle quels quelles quand où pourquoi comment combien lequel laquelle",
    "il elle ils elles lui leur leurs son sa ses celui celle ceux celles cela ça ceci cet cette ces eux",
    "et|mais|ou|alors|donc|aussi|puis",
    r"qu['’]en est-il\b|et pour\b|quid de\b",
)
SPANISH = _signs(
    "le les lo es son era fue fueron ha han el la los las un una unos unas de del y o no en con para por a al se que "
    "más hay",
    "quién quiénes qué cuál cuáles cuándo dónde cómo cuánto cuánta cuántos cuántas",
    "él ella ellos ellas su sus este esta estos estas ese esa esos esas eso esto aquel aquella allí ahí",
    "y|e|pero|o|entonces|también|luego",
    r"y (?!(?:qui|qué|cu|dón|cóm))|qué (?:hay|tal|pasa) (?:de|con)\b",
)
KOREAN = _signs(
    "더 좀 것 수 알려줘 말해줘 설명해줘 자세히 계속 대해 관해 있어 있나 뭐야 인가 그리고",
    "누구 누가 무엇 무슨 뭐 뭐가 뭐를 뭐라고 뭘 무얼 언제 어디 어디서 왜 어떻게 어느 어떤 몇 얼마",
    "그 그는 그가 그의 그를 그도 그와 그에게 그녀 그들 그것 그거 그건 그게 이것 이거 이건 저것 그곳 이곳 거기 여기 "
    "그때 그런 이런 그렇게 이렇게 걔 그분",
    "그리고|그럼|그러면|그래서|그런데|근데|하지만|또|또한",
    r"\S+[은는]요?\s*\?*\s*\Z|\S+\s*(?:경우|쪽)[은는]",
)
LATIN = (ENGLISH, GERMAN, FRENCH, SPANISH)
# What Korean questions end with: the copula, written on to the word before it (누구야, 무엇인가요).
_COPULA = re.compile(
    r"(?:이?(?:야|에요|예요|죠|지요?|니|냐)|입니까|인가요?|인지|일까요?|이?었(?:어요?|나요?|지요?|죠|습니까|을까요?)"
    r"|였(?:어요?|나요?|지요?|죠|니|습니까|을까요?|더라)|이?더라|이?던가요?)\Z"
)

# How a question means the whole collection: that is in no need of a name.
_COLLECTION = re.compile(
    r"\b(?:th(?:is|ese)|dies(?:es|er|e|em|en)|ces?|cette|est[aeo]s?) (?:\w+ )?"
    r"(?:stor(?:y|ies)|books?|novels?|collections?|corpus|datasets?|documents?|texts?|reports?|buch|bücher|geschichten?|"
    r"texte?n?|dokumente?n?|sammlung|histoires?|livres?|récits?|textes?|recueil|libros?|historias?|textos?|"
    r"documentos?|relatos?)\b|(?:이|본) ?(?:이야기|책|문서|소설|글|자료)",
    re.IGNORECASE,
)
# What looks like a pronoun and points at nothing.
_EMPTY = re.compile(r"\b(?:is|was) it (?:\w+ )?that\b|\bil y a\b|\by a-t-il\b|\bgibt es\b", re.IGNORECASE)
# "that" is a conjunction as a rule, but not after these or at the end.
_THAT = re.compile(
    r"\b(?:is|was|does|did|do|has|after|before|about|like|why|how|than)\s+that\b|\bthat(?=\W*$)", re.IGNORECASE
)
_EXACT = re.compile(r"\d+|[\"“„«「『][^\"”“»」』]+[\"”“»」』]")
_ARTICLE = re.compile(
    r"\b(?:the|an?|der|die|das|den|dem|des|eine?[mnrs]?|le|la|les|une?|el|los|las|un[ao]s?)\s+\w|\b[ld]['’]\w",
    re.IGNORECASE,
)
_PARTICLES = ("은", "는", "이", "가", "을", "를", "의", "와", "과", "에서", "에게", "에")


def may_refer(question: str) -> bool:
    """Whether a question may lack something that was said before: one that names something of its
    own, or says much, and points at nothing else does not."""
    if len(question) > LONG:
        return False
    signs = _of(question)
    if signs.opening.match(question) or signs.repeating.match(question) or _pronouns(question, signs):
        return True
    return not named(question) and _bulk(question) < ENOUGH and not (signs is KOREAN and _has_noun(question))


def refers(question: str) -> bool:
    """Whether a question plainly lacks something that was said before.

    A pronoun after a name or two other words is taken to mean them: "What ails Tiny Tim, and who
    helps him?".
    """
    if len(question) > LONG:
        return False
    signs = _of(question)
    rest = _after_opening(question, signs)
    if repeats(question):
        return True
    first = min(named(rest), default=len(rest))
    if any(place < first and len(content(rest[:place])) < ANTECEDENT for place in _pronouns(rest, signs)):
        return True
    said = len(content(rest))
    return first == len(rest) and said < ANTECEDENT and not (said and _has_noun(rest))


def repeats(question: str) -> bool:
    """Whether it asks of something else what was asked before, and so lacks what is asked."""
    signs = _of(question)
    rest = _after_opening(question, signs)
    again = signs.repeating.match(question) and len(content(question)) <= signs.longest_repeating
    return bool(again) or (rest != question and not _asks(rest, signs))


def content(text: str) -> list[str]:
    """The words of a text that say something, as written, in order; each once."""
    signs = _of(text)
    words = (match.group() for match in WORD.finditer(text))
    kept = {_key(word): word for word in words if not _is_among(word, signs.words)}
    return list(kept.values())


def names(text: str) -> list[str]:
    """The names in a text, in order; each once."""
    found = {text[start:end].casefold(): text[start:end] for start, end in _names(text)}
    return list(found.values())


def named(question: str) -> list[int]:
    """Where a question names something: names, numbers, what stands in quotation marks, and the
    collection itself."""
    exact = [match.start() for pattern in (_EXACT, _COLLECTION) for match in pattern.finditer(question)]
    return [start for start, _ in _names(question)] + exact


def asks(text: str) -> bool:
    """Whether a text has the form of a question: a question mark or a question word."""
    return any(mark in text for mark in "?？؟") or _asks(text, _of(text))


def _of(text: str) -> Signs:
    """The signs of the language that a text seems to be in; English if that cannot be told."""
    if HANGUL.search(text):
        return KOREAN
    if "¿" in text:
        return SPANISH
    words = [match.group().casefold() for match in WORD.finditer(text)]
    return max(LATIN, key=lambda signs: sum(word in signs.words for word in words))


def _after_opening(question: str, signs: Signs) -> str:
    opening = signs.opening.match(question)
    return question[opening.end() :] if opening else question


def _bulk(question: str) -> int:
    """How many words say something; two characters are one where words are not spaced."""
    return sum(len(word) // 2 if UNSPACED.search(word) else 1 for word in content(question))


def _names(text: str) -> Iterator[tuple[int, int]]:
    signs, first = _of(text), WORD.search(text)
    for span in find_names(text, count_case([text])):
        words = WORD.findall(text[span.start : span.end])
        alone = first is not None and span.start <= first.start() and len(words) == 1
        if not alone and not all(_is_among(word, signs.words) for word in words):
            yield span.start, span.end


def _pronouns(question: str, signs: Signs) -> list[int]:
    """Where it points at something."""
    bare = _EMPTY.sub(_blank, _COLLECTION.sub(_blank, question))
    found = [match.start() for match in _THAT.finditer(bare)] if signs is ENGLISH else []
    return found + [match.start() for match in WORD.finditer(bare) if _is_among(match.group(), signs.pronouns)]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _asks(text: str, signs: Signs) -> bool:
    return any(_is_among(match.group(), signs.asking) for match in WORD.finditer(text))


def _has_noun(question: str) -> bool:
    """Whether it has a noun that stands for itself, as far as that shows where there is no name."""
    if HANGUL.search(question):
        return any(word.endswith(_PARTICLES) and len(word) > 2 for word in content(question))
    return bool(_ARTICLE.search(question)) or bool(UNSPACED.search(question))


def _is_among(word: str, words: frozenset[str]) -> bool:
    return word.casefold() in words or _key(word) in words


def _key(word: str) -> str:
    """A word without what is written on to it: case endings, particles, a copula."""
    if not HANGUL.search(word):
        return search_terms(word) or word.casefold()
    bare = _COPULA.sub("", word)
    return bare if bare in KOREAN.asking or (len(bare) > 1 and bare in KOREAN.pronouns) else without_josa(word)
