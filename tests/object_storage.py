"""A server of the S3 protocol in this process, on the loopback interface: `moto`, which keeps objects in memory."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

SECRET = "aS3cretThatNobodyMaySee"  # noqa: S105  (of the test server)


class ObjectStorage:
    """What the server is asked, as (method, path) in order, and what it is made to do wrong."""

    def __init__(self, url: str, application: Any) -> None:
        self.url = url
        self.requests: list[tuple[str, str]] = []
        self.denied = False
        self.unconditional = False
        self._application = application
        self._buckets = 0

    def new_uri(self) -> str:
        """An empty bucket, and a path in it."""
        self._buckets += 1
        return f"{self.new_bucket(f'bucket-{self._buckets}')}/some/path"

    def new_bucket(self, name: str) -> str:
        """An empty bucket of that name: its address."""
        with urlopen(Request(f"{self.url}/{name}", data=b"", method="PUT")):  # noqa: S310  (http, loopback)
            self.requests.clear()
        return f"s3://{name}"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if self.denied:
            start_response("403 Forbidden", [])
            return [b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"]
        if self.unconditional:
            for header in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
                environ.pop(header, None)
        return self._application(environ, start_response)


@contextmanager
def serving() -> Iterator[ObjectStorage]:
    """The server, with the environment set for it."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  (its name there)
            pass

    storage = ObjectStorage("", DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, storage, threaded=True, request_handler=Silent)
    storage.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    environment = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": storage.url,
    }
    try:
        with patch.dict(os.environ, environment):
            yield storage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
