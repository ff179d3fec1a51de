"""An answer, and the way to it, as people and programs read them. Nothing is printed here."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from graphrag.answers import (
    Answer,
    Citation,
    Event,
    Finished,
    QuestionAnswered,
    QuestionAsked,
    Restarted,
    Retrieved,
    Routed,
    Step,
)
from graphrag.cli.output import visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

MARK = re.compile(r"\[(?:\d{1,4}|\?)\]")
UNSUPPORTED = "[?]"
MARK_STYLE, UNSUPPORTED_STYLE, QUOTE_STYLE = "bold cyan", "bold yellow", "italic"
RESTARTED = "The model broke off; the answer begins anew."


# --- For people ----------------------------------------------------------------------------


def mark_style(word: str) -> str:
    """The style of a citation mark; empty for other words."""
    if word == UNSUPPORTED:
        return UNSUPPORTED_STYLE
    return MARK_STYLE if MARK.fullmatch(word) else ""


def marked(text: str) -> "Text":
    """The text of an answer with its citation marks."""
    from rich.text import Text

    shown = Text(visible(text))
    for match in MARK.finditer(shown.plain):
        shown.stylize(mark_style(match.group()), *match.span())
    return shown


def cited(answer: Answer, everywhere: bool) -> list[Citation]:
    """The citations of an answer's text; of what was found on the way too, if they are wanted everywhere."""
    marks = set(MARK.findall(answer.text))
    return [citation for citation in answer.citations if everywhere or f"[{citation.number}]" in marks]


def source_line(citation: Citation) -> str:
    """A source on one line, whole."""
    where = f"{citation.document_title}, text unit {citation.text_unit_id[:8]}"
    return visible(f"[{citation.number}] {_line(where)}: {_line(citation.quote)}")


def source(citation: Citation, width: int) -> "Text":
    """A source on one line of a terminal: the title has a third of it at most."""
    from rich.text import Text

    title = Text(visible(_line(citation.document_title)), style="bold")
    title.truncate(max(width // 3, 8), overflow="ellipsis")
    quote = visible(_line(citation.quote))
    shown = Text.assemble((f"[{citation.number}]", MARK_STYLE), " ", title, "  ", (quote, QUOTE_STYLE))
    shown.truncate(width, overflow="ellipsis")
    return shown


def whole_source(citation: Citation) -> "RenderableType":
    """A source with its quotation in full, on as many lines as that takes."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    title, id_ = visible(_line(citation.document_title)), visible(_line(citation.source_id))
    place = f" {id_}, text unit {citation.text_unit_id[:8]}, characters {citation.start} to {citation.end}"
    head = Text.assemble((f"[{citation.number}]", MARK_STYLE), " ", (title, "bold"), (place, "dim"))
    quote = Text(visible(_line(citation.quote)), style=QUOTE_STYLE)
    return Group(head, Padding(quote, (0, 0, 0, 4)))


def summary(answer: Answer) -> str:
    """What the answer took and how it stands, on one line."""
    checked = [sentence.supported for sentence in answer.sentences if sentence.supported is not None]
    parts = [f"{answer.method}: {answer.route}" if answer.route else answer.method, _cost(answer)]
    if checked:
        parts.append(f"{sum(checked)} of {len(checked)} sentence{'s' if len(checked) > 1 else ''} supported")
    return visible(_line(" · ".join(parts)))


def remarks(answer: Answer) -> Iterator[str]:
    """What else is to be said of how it came about, a line each."""
    if answer.stands_for:
        yield visible(f"Understood as: {_line(answer.stands_for)}")
    if answer.stopped:
        yield visible(f"Stopped: {_line(answer.stopped)}")


def progress_line(event: Event) -> str:
    """What goes on, on one line; empty for what is no news."""
    match event:
        case Routed(method, reason):
            said = f"{method}: {reason}" if reason else f"{method} search"
        case Retrieved(_, items):
            said = f"retrieved {len(items)} item{'' if len(items) == 1 else 's'}"
        case QuestionAsked(question, _, depth, _):
            said = f"asked{f' at depth {depth}' if depth > 1 else ''}: “{question}”"
        case QuestionAnswered(question, answer, score):
            said = f"answered {score:.1f}: “{question}” {answer}"
        case Restarted():
            said = RESTARTED
        case _:
            said = ""
    return visible(_line(said))


def trace(answer: Answer) -> "RenderableType":
    """What was asked and found, as a tree; of methods that ask nothing else, what was retrieved."""
    return _tree(answer.hierarchy) if answer.hierarchy else _table(answer)


def trace_lines(answer: Answer) -> Iterator[str]:
    """The same on lines of plain text, of whatever length."""
    if answer.hierarchy:
        yield from _tree_lines(answer.hierarchy, 0)
        return
    for item in answer.context:
        handle = f" {item.handle}" if item.handle else ""
        yield visible(f"{item.kind}{handle} {item.score:.3f} {_line(item.title)}: {_line(item.text)}")


def _tree(step: Step) -> "RenderableType":
    from rich.text import Text
    from rich.tree import Tree

    def label(step: Step) -> Text:
        score = (f"{step.score:.2f} ", "dim")
        marks = "".join(f" [{number}]" for number in step.citations)
        return Text.assemble(
            score, (visible(_line(step.question)), "bold"), "\n", marked(f"{_line(step.answer)}{marks}")
        )

    def grow(tree: Tree, step: Step) -> Tree:
        for child in step.children:
            grow(tree.add(label(child)), child)
        return tree

    return grow(Tree(label(step), guide_style="dim"), step)


def _tree_lines(step: Step, depth: int) -> Iterator[str]:
    marks = "".join(f" [{number}]" for number in step.citations)
    yield "  " * depth + visible(f"{step.score:.2f} {_line(step.question)}")
    yield "  " * depth + visible(f"     {_line(step.answer)}{marks}")
    for child in step.children:
        yield from _tree_lines(child, depth + 1)


def _table(answer: Answer) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("", no_wrap=True, style=MARK_STYLE)
    table.add_column("score", no_wrap=True, justify="right")
    table.add_column("title", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("text", no_wrap=True, overflow="ellipsis", ratio=2)
    for item in sorted(answer.context, key=lambda item: item.kind):
        title, text = Text(visible(_line(item.title))), Text(visible(_line(item.text)))
        table.add_row(item.kind.replace("_", " "), item.handle, f"{item.score:.3f}", title, text)
    return table


def _cost(answer: Answer) -> str:
    usage = answer.usage
    if not usage.model_calls and not usage.remembered:
        return f"no model, {usage.seconds:.1f} s"
    calls = f"{usage.model_calls:,} call{'' if usage.model_calls == 1 else 's'}"
    remembered = f" ({usage.remembered:,} from memory)" if usage.remembered else ""
    tokens = f"{usage.prompt_tokens + usage.completion_tokens:,} tokens"
    return f"{calls}{remembered}, {tokens}, {usage.seconds:.1f} s"


def _line(text: str) -> str:
    return " ".join(text.split())


# --- For programs --------------------------------------------------------------------------


def answer_json(answer: Answer) -> dict[str, Any]:
    """All of an answer."""
    return asdict(answer) | {"groundedness": answer.groundedness}


def event_json(event: Event) -> dict[str, Any]:
    """An event with its name: `{"event": "question_asked", …}`."""
    name = {"event": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()}
    if isinstance(event, Finished):
        return name | {"answer": answer_json(event.answer)}
    return name | asdict(event)
