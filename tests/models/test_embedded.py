"""What holds for every embedder of this process is in test_local_embedders."""

import hashlib
from importlib.resources import files

import pytest

from graphrag.models.embedded import EmbeddedEmbedder, reads


def test_the_data_files_are_those_that_were_built():
    folder = files("graphrag").joinpath("data/all-MiniLM-L6-v2")
    sums = dict(line.split()[::-1] for line in folder.joinpath("SHA256SUMS").read_text("utf-8").splitlines())

    found = {name: hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() for name in sums}

    assert found == sums
    assert {"model.onnx", "vocab.txt"} <= set(sums)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who was Scrooge?", True),
        ("Wer gründete Köln? 東京", True),
        ("Tiếng Việt", True),
        ("", True),
        ("한글을 만든 임금은 누구인가?", False),
        ("Кто написал «War»?", False),
        ("東京", False),
    ],
)
def test_it_reads_latin_letters(text: str, expected: bool):
    assert reads(EmbeddedEmbedder.name, text) is expected
    assert reads("another", text)
