"""`graphrag`: the group of all commands, and how their errors reach the user.

Only click is imported here and in the command modules; everything else when a command runs, so
that `graphrag --help` answers at once.
"""

import os
import sys
import traceback

import click

from graphrag import __version__
from graphrag.cli.cache import cache
from graphrag.cli.chat import chat
from graphrag.cli.check import check
from graphrag.cli.doctor import doctor
from graphrag.cli.export import export
from graphrag.cli.import_ import import_
from graphrag.cli.index import index, remove, update
from graphrag.cli.init import init
from graphrag.cli.output import INTERRUPTED, explain, note
from graphrag.cli.prompt_tune import prompt_tune
from graphrag.cli.query import query
from graphrag.cli.retrieve import retrieve
from graphrag.cli.versions import rollback, versions


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="graphrag")
def cli() -> None:
    """Ask a pile of documents the questions that no single passage answers."""


COMMANDS = (
    *(init, index, update, remove, query, chat, retrieve, versions, rollback, check),
    *(export, import_, cache, doctor, prompt_tune),
)
for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line. One line on stderr and exit code 1 for whatever goes wrong, 2 if the
    command itself is wrong, 130 if it was interrupted."""
    debug = "--debug" in sys.argv
    # Threads of OpenBLAS wait for more work at full load, for milliseconds after each product.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        cli(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f" Try '{context.command_path} --help'." if context else ""
        _fail(error.format_message() + hint, debug, error.exit_code)
    except click.Abort:
        _fail("interrupted", debug, INTERRUPTED)
    except BrokenPipeError:
        # Whoever read this has enough; Python would fail once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # the last line before the user: nothing above it may be swallowed
        _fail(explain(error), debug)


def _fail(message: str, debug: bool, exit_code: int = 1) -> None:
    if debug:
        traceback.print_exc()
    note(f"Error: {' '.join(message.split())}")
    sys.exit(exit_code)
