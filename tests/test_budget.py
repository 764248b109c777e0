"""Nothing grows beyond what one can hold in mind: the budget of lines for files and functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
FILE = 450
FUNCTION = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")


def long_functions(text: str) -> Iterator[tuple[int, str, int]]:
    """(line, name, lines) of every function over the budget that is not a kernel."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function) and not any(map(_compiles, node.decorator_list)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION:
                yield node.lineno, node.name, lines


def _compiles(decorator: ast.expr) -> bool:
    return ast.unparse(decorator) == "compiled"


def test_no_file_is_longer_than_the_budget() -> None:
    lengths = {name: len(text.splitlines()) for name, text in files()}
    assert lengths, "there is no source"
    over = [f"{name}: {lines} lines, at most {FILE}" for name, lines in lengths.items() if lines > FILE]
    assert not over, "\n".join(over)


def test_no_function_is_longer_than_the_budget_but_kernels() -> None:
    over = [
        f"{name}:{line} {function} has {lines} lines, at most {FUNCTION}"
        for name, text in files()
        for line, function, lines in long_functions(text)
    ]
    assert not over, "\n".join(over)


def test_the_budget_sees_a_long_function_and_lets_a_kernel_be() -> None:
    body = "\n".join("    pass" for _ in range(FUNCTION))
    found = list(long_functions(f"def ours():\n{body}\n\n@compiled\ndef kernel():\n{body}\n"))
    assert found == [(1, "ours", FUNCTION + 1)]
