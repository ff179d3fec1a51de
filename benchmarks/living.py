"""What a change of the collection costs, next to the build of all of it.

1,000 documents (passages of MuSiQue; a page of text each), then one added, one paragraph edited, one
removed: calls, tokens and CPU of each run, against the mock model server without latency.
"""

import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import data
from benchmarks.standard import PEERS, SETTINGS, Bench, Mock, Run, server
from graphrag.language import sentences

DOCUMENTS = 1000
ADDED = 4
"""Documents, one after the other: what one of them costs depends on whom it speaks of."""
SIZES = (1_250, 2_500, 5_000, 10_000)
EMBEDDED = 'llm: {{provider: openai, model: mock, base_url: "{url}/v1"}}\n'


def main() -> None:
    if not PEERS.exists():
        print("\nliving: skipped, the mock server in ../shared/peers is not there")
        return
    print(f"\na living index of {DOCUMENTS:,} documents: what a change costs")
    with server() as mock, tempfile.TemporaryDirectory() as scratch:
        for name, settings in (("vectors of the server", SETTINGS), ("vectors embedded here", EMBEDDED)):
            print(name)
            changes(mock, Path(scratch, name.replace(" ", "-")), settings)
        print("growth: documents of 80 words, sentences of the novels in new company; build, then one more document")
        for size in SIZES:
            growth(mock, Path(scratch, str(size)), size)


def changes(mock: Mock, root: Path, settings: str) -> None:
    """One run after the other over the same folder."""
    texts = passages()
    folder = root / "input"
    folder.mkdir(parents=True)
    (root / "settings.yaml").write_text(settings.format(url=mock.url))
    for number, text in enumerate(texts[:DOCUMENTS]):
        (folder / f"{number:05}.txt").write_text(text, "utf-8")
    bench = Bench(mock, root)
    whole = show("all", bench.index(), None)
    cases: tuple[tuple[str, Callable[[], object]], ...] = (
        ("nothing changed", lambda: None),
        *(
            ("one added", partial((folder / f"{number:05}b.txt").write_text, texts[DOCUMENTS + number], "utf-8"))
            for number in range(ADDED)
        ),
        ("one paragraph edited", lambda: edit(folder / "00300.txt")),
        ("one renamed", lambda: (folder / "00400.txt").rename(folder / "renamed.txt")),
        ("one removed", lambda: (folder / "00200.txt").unlink()),
    )
    for name, change in cases:
        change()
        show(name, bench.index(), whole)


def growth(mock: Mock, root: Path, size: int) -> None:
    """A build, and an update by one document, of so many documents in one table."""
    rows = list(itertools.islice(synthetic(), size + 1))
    folder = root / "input"
    folder.mkdir(parents=True)
    (root / "settings.yaml").write_text(SETTINGS.format(url=mock.url))
    bench = Bench(mock, root)
    for name, count in ((f"{size:,} documents", size), ("one more", size + 1)):
        lines = (json.dumps({"text": text}, ensure_ascii=False) for text in rows[:count])
        (folder / "rows.jsonl").write_text("\n".join(lines), "utf-8")
        show(name, bench.index(), None)


def synthetic() -> Iterator[str]:
    """Documents of about 80 words, each of sentences that stand near each other in a novel."""
    draw = random.Random(7)  # noqa: S311
    novels = [sentences_of(path) for path in sorted((data.FOLDER / "texts").iterdir())]
    while True:
        novel = draw.choice(novels)
        start = draw.randrange(len(novel) - 40)
        words = 0
        chosen: list[str] = []
        for sentence in draw.sample(novel[start : start + 40], 40):
            chosen.append(sentence)
            words += len(sentence.split())
            if words >= 80:
                break
        yield " ".join(chosen)


def sentences_of(path: Path) -> list[str]:
    text = " ".join(path.read_text("utf-8").split())
    return [text[span.start : span.end].strip() for span in sentences(text)]


def passages() -> list[str]:
    """Documents of about 300 words: three passages of a collection each."""
    rows = [row for folder in data.sets() for row in data.read_jsonl(folder / "corpus.jsonl")]
    texts = list(dict.fromkeys(f"{row['title']}\n\n{row['text']}" for row in rows))
    return ["\n\n".join(texts[start : start + 3]) for start in range(0, len(texts) - 2, 3)]


def edit(path: Path) -> None:
    """A sentence more in the second paragraph."""
    first, second, *rest = path.read_text("utf-8").split("\n\n")
    added = f"{second} In the year 1902 a fire destroyed the archive of Abel Harrowgate there."
    path.write_text("\n\n".join([first, added, *rest]), "utf-8")


def show(name: str, run: Run, whole: Run | None) -> Run:
    if run.code:
        raise SystemExit(f"{name}: {run.err}")
    share = ""
    if whole:
        calls, tokens = (run.asked.get(key, 0) / whole.asked[key] for key in ("chat_calls", "prompt_tokens"))
        share = f"  {calls:.1%} of the calls, {tokens:.1%} of the prompt tokens, {run.cpu / whole.cpu:.1%} of the CPU"
    print(f"  {name:22}{run}{share}")
    for stage, used in run.stages.items():
        if whole and used.get("calls"):
            print(f"      {stage:12}{used['calls']:5} calls {used['prompt_tokens']:9,} prompt")
    return run


if __name__ == "__main__":
    main()
