"""A store in object storage, which takes a folder as others do; `object_storage.serving` must be under way."""

from pathlib import Path

from graphrag.storage.buckets import Bucket
from graphrag.storage.lance import LanceStore

BUCKET = "contract"


class BucketLanceStore(LanceStore):
    def __init__(self, folder: Path) -> None:
        super().__init__(Bucket(f"s3://{BUCKET}{folder.absolute().as_posix()}"))
