"""What the source wants translated, found without gettext's tools: the test needs none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import template

#: Folders without words of the product.
NO_SOURCE = ("tests", "benchmarks", ".venv", "var", "staticfiles", "migrations", "docs")
#: The functions that mark a message, and the names of their arguments in order.
FUNCTIONS = {
    "": ("singular",),
    "gettext": ("singular",),
    "ngettext": ("singular", "plural"),
    "pgettext": ("context", "singular"),
    "npgettext": ("context", "singular", "plural"),
}
#: What Django makes of a template's tags: a call, or the short name for `{{ _("...") }}`.
IN_TEMPLATE = re.compile(r"\b(n?p?gettext|_)\(((?:[^()\"']|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')*)\)", re.DOTALL)

#: Context (or None), message, its plural (or None).
Message = tuple[str | None, str, str | None]


def source_files(root: Path) -> Iterator[Path]:
    """The Python files and templates of the product."""
    for path in sorted([*root.rglob("*.py"), *(root / "templates").rglob("*.html")]):
        if not set(path.relative_to(root).parts) & set(NO_SOURCE):
            yield path


def messages_in(path: Path) -> set[Message]:
    """Every message that the file marks for translation."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return set(_calls(ast.parse(text)))
    found: set[Message] = set()
    for name, arguments in IN_TEMPLATE.findall(template.templatize(text)):
        found.update(_calls(ast.parse(f"{name}({arguments})")))
    return found


def _calls(tree: ast.AST) -> Iterator[Message]:
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        function = aliases.get(called, called).removesuffix("_lazy").removesuffix("_noop").lstrip("_")
        if function not in FUNCTIONS or (not function and called != "_"):
            continue
        values = dict(zip(FUNCTIONS[function], map(_constant, node.args), strict=False))
        if singular := values.get("singular"):
            yield values.get("context"), singular, values.get("plural")


def _aliases(tree: ast.AST) -> dict[str, str]:
    """The names under which a module imports the functions: `from ... import gettext as _t`."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {name.asname: name.name for node in imports for name in node.names if name.asname}


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
