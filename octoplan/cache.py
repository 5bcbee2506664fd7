"""
What can be computed again, kept between runs: a folder whose loss costs nothing but time.

Invariants:
- A cache never fails a run: what cannot be read is not there, what cannot be written is not kept.
- A reader gets an entry as it was written or not at all: a digest is before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

_DIGEST_BYTES: Final = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """`$OCTOPLAN_CACHE_DIR`, or `octoplan` in `$XDG_CACHE_HOME`, or in `~/.cache`. It need not exist."""
    chosen = os.environ.get("OCTOPLAN_CACHE_DIR")
    if chosen:
        return Path(chosen)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "octoplan"  # noqa: PTH117


def read_entry(name: str) -> bytes | None:
    """What was kept under `name`, or `None`."""
    try:
        kept = (cache_folder() / name).read_bytes()
    except (OSError, RuntimeError):
        return None
    digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def write_entry(name: str, content: bytes) -> None:
    """Keep `content` under `name`, readable by this user only, if that is possible."""
    with contextlib.suppress(OSError, RuntimeError):
        path = cache_folder() / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(path, hashlib.sha256(content).digest() + content)


def keep_newest(folder: str, count: int) -> None:
    """Drop all but the `count` entries of `folder` that were written last."""
    with contextlib.suppress(OSError, RuntimeError):
        entries = sorted((cache_folder() / folder).iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in entries[count:]:
            path.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
