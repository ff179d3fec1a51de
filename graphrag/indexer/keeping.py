"""Several items a call, each remembered by itself.

A call about several items is another call as soon as one of them changes. So what its reply says
of an item is kept as the reply to the request that would be about this item alone: of a changed
input only items whose own text is new are asked for, packed among themselves.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from graphrag.asking import Asking
from graphrag.errors import UnusableReplyError
from graphrag.messages import Reply, Request

T = TypeVar("T")


def keep(parts: Sequence[tuple[Request, str]], parse: Callable[[Reply], T], asking: Asking) -> list[T | None]:
    """What `parse` makes of parts of replies, here and whenever they are recalled by the requests
    that they answer; None, and nothing is kept, of a part that it does not accept.

    All are kept at once: a process that dies before has the packed replies still, and packs as before.
    """
    read = [_read(request, text, parse) for request, text in parts]
    asking.service.remember([part for part, value in zip(parts, read, strict=True) if value is not None])
    return read


def _read(request: Request, text: str, parse: Callable[[Reply], T]) -> T | None:
    with suppress(UnusableReplyError):
        return parse(replace(Reply(text), request=request))
    return None
