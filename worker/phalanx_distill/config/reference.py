"""The table of all settings for the documentation, from the classes and the texts below their fields.

`python -m phalanx_distill.config.reference FILE` writes it between the marks of a Markdown file; a test compares.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from phalanx_distill.config import DistillSettings
from phalanx_distill.config.base import Settings

_BLOCK: Final = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", re.DOTALL)


def table(kind: type[msgspec.Struct]) -> str:
    """One line for each setting: its path, its default, and what it is."""
    lines = ["| setting | default | |", "|---|---|---|"]
    lines += [f"| `{path}` | {_shown(value)} | {text} |" for path, value, text in settings(kind())]
    return "\n".join(lines)


def settings(struct: msgspec.Struct, path: str = "") -> Iterator[tuple[str, object, str]]:
    """(path, default, text) of every setting in a section and in those below it."""
    texts = _texts(type(struct))
    for name in struct.__struct_fields__:
        value, below = getattr(struct, name), f"{path}{name}"
        if isinstance(value, msgspec.Struct):
            yield from settings(value, f"{below}.")
        else:
            yield below, value, texts.get(name, "")


def written(page: str) -> str:
    """A page with the table in its place."""
    return _BLOCK.sub(lambda match: f"{match[1]}{table(DistillSettings)}\n{match[2]}", page)


def _texts(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The string below each field of a class or of those that it extends, on one line."""
    found = dict[str, str]()
    for above in reversed(kind.__mro__):
        if issubclass(above, Settings):
            found |= _own_texts(above)
    return found


def _own_texts(kind: type[Settings]) -> dict[str, str]:
    (body,) = [node for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef)]
    found, last = dict[str, str](), ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and last:
            found.setdefault(last, " ".join(str(node.value.value).split()))
    return found


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"`{value}`" if not isinstance(value, tuple) else f"`{', '.join(map(str, value)) or 'none'}`"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(written(target.read_text()))
