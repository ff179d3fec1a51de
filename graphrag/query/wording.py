"""The sentence that an answer is where the collection holds none, in the language of the question.

The language is guessed by script and, among those in Latin letters, by function words: no model is
asked for a sentence that is always the same.
"""

import re

from graphrag.language import HANGUL, WORD
from graphrag.query import referring

ENGLISH = "Nothing in the collection answers this."
KOREAN = "이 문서 모음에는 이 질문에 답할 내용이 없습니다."
CHINESE = "这些文档中没有能够回答这个问题的内容。"
JAPANESE = "これらの文書には、この質問の答えになる内容がありません。"
RUSSIAN = "В собрании документов нет ответа на этот вопрос."
LATIN = (
    (referring.ENGLISH, ENGLISH),
    (referring.GERMAN, "Nichts in der Sammlung beantwortet diese Frage."),
    (referring.FRENCH, "Rien dans la collection ne répond à cette question."),
    (referring.SPANISH, "Nada en la colección responde a esta pregunta."),
)
LOOKED_AT = 500
"""Characters of a question that tell its language."""
LEAST_SHARE = 1 / 3
"""Of the words that are no names, those that are function words of a language, for a question to be in it:
languages that are not known here share a few of them."""

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_HIRAGANA = re.compile(r"[\u3041-\u309f]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_NOT_RUSSIAN = re.compile("[іїєґўјљњћђџѓќѕ]", re.IGNORECASE)


def nothing_found(question: str) -> str:
    """That nothing in the collection answers a question: in English, Korean, German, French, Spanish, Chinese,
    Japanese or Russian, whichever it seems to be in; in English where that cannot be told."""
    text = question[:LOOKED_AT]
    words = WORD.findall(text)
    latin, told = _latin(text, words)
    # A name in another script is no question in it: "Who is 홍길동?" has two English words for one Korean.
    scripts = [
        (sum(map(bool, map(HANGUL.search, words))), KOREAN),
        (len(_HAN.findall(text)) / 2 + len(_KANA.findall(text)) / 2, _unspaced(text)),
        (sum(map(bool, map(_CYRILLIC.search, words))), ENGLISH if _NOT_RUSSIAN.search(text) else RUSSIAN),
    ]
    most, sentence = max(scripts, key=lambda script: script[0])
    return sentence if most > told else latin


def _unspaced(text: str) -> str:
    """Chinese may name something in katakana, but only Japanese has hiragana."""
    return JAPANESE if _HIRAGANA.search(text) or not _HAN.search(text) else CHINESE


def _latin(text: str, words: list[str]) -> tuple[str, int]:
    """The sentence in the language, of those in Latin letters, that has most of the words; and how many it has."""
    if "¿" in text:
        return LATIN[-1][1], len(words)
    plain = [word.casefold() for place, word in enumerate(words) if not place or not word[0].isupper()]
    parts = [part for word in plain for part in re.split("['’]", word)]
    counts = [sum(part in signs.words for part in parts) for signs, _ in LATIN]
    best = counts.index(max(counts))
    known = counts[best] > LEAST_SHARE * len(parts)
    return LATIN[best][1] if known else ENGLISH, counts[best]
