"""What documents, models and settings say is shown as it is: no markup, no terminal controls."""

import pytest

from graphrag.cli import output

HOSTILE = "[/INST] [link=http://evil.example]here[/link] \x1b[2J[bold"
SHOWN = "[/INST] [link=http://evil.example]here[/link] [2J[bold"


def test_nothing_in_a_table_is_taken_for_markup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")

    output.print_table(HOSTILE, {HOSTILE: HOSTILE, "count": 1234})
    output.print_columns(HOSTILE, ("stage", "calls"), [(HOSTILE, HOSTILE)])

    told = capsys.readouterr().out
    assert told.count(SHOWN) == 6
    assert "\x1b" not in told
    assert "1,234" in told
