"""Readers beside a writer, in one process and in several: each sees whole versions, and nobody waits."""

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from commands import TESTS
from fakes import WordEmbedder
from living.changing import Changing
from living.reading_loop import LOOKS

from graphrag import Answer, GraphRAG
from graphrag.answers import Event, Finished, Usage
from graphrag.engine import QueryMethod

READERS = 2
GENERATIONS = 4
NAMES = ("Anna", "Bruno", "Clara")
QUESTION = "Who mends the clocks?"


def of_generation(number: int) -> dict[str, str]:
    return {f"{name}.md": f"{name} mends the clocks of Aston in Generation{number}." for name in NAMES}


def finished(events: Iterable[Event]) -> Answer:
    return next(replace(event.answer, usage=Usage()) for event in events if isinstance(event, Finished))


@pytest.mark.parametrize("method", ["local", "basic", "global", "drift"])
def test_a_question_ends_on_the_version_that_it_began_on(tmp_path: Path, method: QueryMethod):
    living = Changing(tmp_path, files=of_generation(1))
    living.index()
    rag = GraphRAG(tmp_path, living.settings, embedder=WordEmbedder())
    before = finished(rag.stream(QUESTION, method))

    events = rag.stream(QUESTION, method)
    begun = next(events)
    for name, text in of_generation(2).items():
        living.write(name, text)
    living.index()

    assert finished([begun, *events]) == before
    assert "Generation1" in before.text
    assert "Generation2" in rag.query(QUESTION, method).text


def test_readers_in_other_processes_see_whole_versions(tmp_path: Path):
    living = Changing(tmp_path, files=of_generation(0))
    living.index()
    command = [sys.executable, "-m", "living.reading_loop", str(tmp_path)]
    pipe = subprocess.PIPE
    readers = [
        subprocess.Popen(command, cwd=TESTS, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(READERS)
    ]
    try:
        assert [reader.stdout.readline() for reader in readers if reader.stdout] == ["begun\n"] * READERS
        for number in range(1, GENERATIONS):
            for name, text in of_generation(number).items():
                living.write(name, text)
            living.index()
        said = [reader.communicate(timeout=60) for reader in readers]
    finally:
        for reader in readers:
            reader.kill()

    assert [reader.returncode for reader in readers] == [0] * READERS, said
    for out, _ in said:
        looks, *seen = out.split()
        assert int(looks) > LOOKS
        assert {"Generation0"} < set(seen) <= {f"Generation{number}" for number in range(GENERATIONS)}


def test_several_indexes_in_one_process_know_nothing_of_each_other(tmp_path: Path):
    places = {name: Changing(tmp_path / name, files={"a.md": f"{name} mends the clocks of Aston."}) for name in NAMES}

    def live(name: str) -> list[str]:
        rag = places[name].rag
        found: list[str] = []
        for number in range(3):
            places[name].write(f"b{number}.md", f"{name} sold {number} clocks to Thorn.")
            rag.index("fast")
            found += sorted(unit.text for unit in rag.retrieve(QUESTION, 10))
        return found

    with ThreadPoolExecutor(len(NAMES)) as threads:
        found = dict(zip(NAMES, threads.map(live, NAMES), strict=True))

    for name in NAMES:
        assert len(found[name]) == 2 + 3 + 4
        assert all(name in text for text in found[name])
