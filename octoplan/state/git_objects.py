"""
Files as git objects: blobs, trees and a commit, in one pack that git itself takes in.

Made here so that a write costs one git process instead of one for each object. The formats are those of git's own
manual pages: gitformat-pack, and "Git Internals - Git Objects" for what an object's name is the digest of.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

ObjectKind = Literal["commit", "tree", "blob"]
Objects = dict[str, tuple[ObjectKind, bytes]]
"""Object name (hexadecimal) -> what it is and holds."""

_PACK_TYPE: Final[Mapping[ObjectKind, int]] = {"commit": 1, "tree": 2, "blob": 3}
_IDENTITY: Final = "octoplan <octoplan@localhost>"


def commit_files(files: Mapping[str, bytes], at: datetime, message: str, algorithm: str) -> tuple[str, Objects]:
    """
    A commit without parents that holds exactly `files`, and all objects that it is made of.

    `algorithm` is the repository's: `sha1` or `sha256`. The same arguments give the same name.
    """
    objects: Objects = {}
    tree = _add_tree(files, objects, algorithm)
    who = f"{_IDENTITY} {int(at.timestamp())} +0000"
    text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\n{message}\n"
    return _add("commit", text.encode(), objects, algorithm), objects


def render_pack(objects: Objects, algorithm: str) -> bytes:
    """The objects as a pack, each of them whole."""
    body = b"PACK" + struct.pack(">II", 2, len(objects))
    body += b"".join(_pack_header(_PACK_TYPE[kind], len(data)) + zlib.compress(data) for kind, data in objects.values())
    return body + hashlib.new(algorithm, body, usedforsecurity=False).digest()


def _add_tree(files: Mapping[str, bytes], objects: Objects, algorithm: str) -> str:
    folders: dict[str, dict[str, bytes]] = {}
    lines: list[tuple[str, str, str]] = []
    for path, data in files.items():
        name, _, rest = path.partition("/")
        if rest:
            folders.setdefault(name, {})[rest] = data
        else:
            lines.append((name, "100644", _add("blob", data, objects, algorithm)))
    # Git sorts a folder as if its name ended with a slash.
    lines += [(f"{name}/", "40000", _add_tree(inner, objects, algorithm)) for name, inner in folders.items()]
    body = b"".join(f"{mode} {name.rstrip('/')}\0".encode() + bytes.fromhex(oid) for name, mode, oid in sorted(lines))
    return _add("tree", body, objects, algorithm)


def _add(kind: ObjectKind, data: bytes, objects: Objects, algorithm: str) -> str:
    name = hashlib.new(algorithm, f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
    objects[name] = (kind, data)
    return name


def _pack_header(kind: int, size: int) -> bytes:
    """Type and size: 4 bits of the size beside the type, then 7 a byte, the highest bit says that more follow."""
    first, size = (kind << 4) | (size & 15), size >> 4
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    header.append(first)
    return bytes(header)
