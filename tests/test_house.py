# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a reader of one file cannot see: who may import whom, who has a clock, who does I/O, how
long a file may be. The table of arrows is that of ARCHITECTURE.md.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from audisp_maldito import _native

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "audisp_maldito"
LINES = 400
"""A file of code that gets longer has a second noun in it."""

ARROWS = {
    # module: what it imports from the package. Above a module stands everything that it may know.
    "__init__": "",
    "errors": "",
    "model": "",
    "jsonline": "",
    "stamp": "",
    "vis": "",
    "checks": "errors",
    "tables": "checks errors",
    "messages": "model patterns",
    "patterns": "",
    "sshd": "model patterns tables vis",
    "persons": "",
    "trust": "model persons sshd",
    "names": "tables",
    "fields": "_native names tables",
    "arguments": "_native",
    "paths": "_native",
    "sockaddr": "names",
    "keystrokes": "",
    "details": "_native arguments fields keystrokes model names tables",
    "objects": "fields model names paths tables",
    "normalize": "_native arguments details fields model names objects paths sockaddr stamp tables",
    "redact": "model tables",
    "grants": "model",
    "lineage": "grants model",
    "lineages": "grants lineage model session",
    "testimony": "_native model sshd",
    "session": "lineage model testimony trust",
    "sessions": "session",
    "acceptances": "model session",
    "partials": "acceptances model",
    "verdict": "model session testimony trust",
    "held": "model session",
    "tracker": "acceptances held lineages memory model partials session sessions testimony trust verdict",
    "attempts": "model",
    "fit": "jsonline",
    "particulars": "model patterns sshd trust",
    "deed": "lineage model",
    "auditevent": "deed model particulars session stamp trust verdict",
    "engine": "_native attempts auditevent fit ledger model normalize particulars recent redact saved session "
    "sshd testimony tracker trust",
    "replay": "_native engine model trust",
    "rootfile": "errors",
    "yamlfile": "errors",
    "config": "errors redact rootfile trust yamlfile",
    "trusted_cas": "errors rootfile",
    "logind": "model trust",
    "journal": "errors logind model trust",
    "follower": "diagnostics imitations journal losses model trust",
    "diagnostics": "",
    "lock": "",
    "outfile": "",
    "rotation": "stamp",
    "signals": "",
    "sinks": "diagnostics lock outfile statefile",
    "addresses": "",
    "authorized": "",
    "keys": "accounts authorized persons",
    "identities": "config errors persons rootfile yamlfile",
    "premises": "addresses config diagnostics errors identities persons rootfile trust trusted_cas",
    "auditlog": "",
    "backfill": "auditlog diagnostics",
    "imitations": "journal sshd trust",
    "intake": "_native auditlog backfill diagnostics engine recent",
    "ledger": "attempts memory model plain saved session",
    "losses": "journal model stamp",
    "memory": "acceptances lineages partials session sessions testimony",
    "plain": "",
    "recent": "",
    "recovery": "diagnostics recent saved sinks statefile",
    "saved": "acceptances attempts memory model plain session testimony trust",
    "statefile": "diagnostics saved",
    "plugin": "auditlog config diagnostics engine errors follower imitations intake lock model premises "
    "recovery saved signals sinks statefile",
    "accounts": "",
    "auditctl": "",
    "rules": "accounts auditctl errors",
    "cli": "__init__ _native config doctor errors identities journal jsonline keys model normalize plugin replay rules trust",
    "__main__": "cli",
}
PURE = [
    "model", "jsonline", "stamp", "vis", "patterns", "sshd", "trust", "fields", "arguments", "paths",
    "sockaddr", "details", "objects", "normalize", "session", "acceptances", "held", "tracker", "attempts",
    "fit", "auditevent", "engine", "plain", "saved", "ledger", "recent", "replay", "persons", "grants",
    "lineage", "lineages", "testimony", "sessions", "partials", "verdict", "particulars", "logind",
]  # fmt: skip
CLOCK = {"plugin"}
"""The loop reads the clock once a turn and hands it on."""
CLOCK_CALLS = re.compile(
    r"_?time\.(time|time_ns|monotonic|monotonic_ns|perf_counter|sleep|localtime|gmtime|strftime)"
    r"|(date|datetime)\.(now|utcnow|today)"
)
INPUT_OUTPUT = {
    "os", "sys", "io", "socket", "select", "signal", "threading", "subprocess", "pathlib", "shutil", "tempfile",
    "time", "logging", "syslog", "mmap", "fcntl", "random", "secrets", "queue", "asyncio", "glob",
}  # fmt: skip
PURE_EXCEPTIONS = {
    "sockaddr": {"socket"},  # inet_ntop
    "patterns": {"socket"},  # inet_pton
}
FORBIDDEN_WORDS = re.compile(
    r"(Manager|Handler|Processor|Helper|Util|Utils|Factory|Info|Data|Context|Base)(?=[A-Z_]|$)"
)

MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
CODE = [
    path
    for pattern in (
        "audisp_maldito/**/*.py",
        "audisp_maldito/*.pyx",
        "audisp_maldito/*.pxd",
        "csrc/*.[ch]",
        "tests/**/*.py",
        "scripts/*",
    )
    for path in ROOT.glob(pattern)
    if path.is_file()
]


def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))


def siblings(module: str) -> set[str]:
    """What `module` imports from the package at run time; inside functions too."""
    found = set()
    for node in _run_time(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            if node.module is not None:
                found.add(node.module)
            else:
                names = {alias.name for alias in node.names}
                found |= {
                    name if (PACKAGE / f"{name}.py").exists() or name in ("_native", "doctor") else "__init__"
                    for name in names
                }
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("audisp_maldito") for alias in node.names)
    return found


def _run_time(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _run_time(child)


def test_every_module_is_in_the_table() -> None:
    assert set(MODULES) == set(ARROWS)


@pytest.mark.parametrize("module", MODULES)
def test_arrows(module: str) -> None:
    """A module imports what the table says: a new arrow is a decision, and a lost one too."""
    assert siblings(module) == set(ARROWS[module].split())


def test_no_circle() -> None:
    """Imports point one way. The checks that the build runs look at the rows that they compile, and stand outside."""
    arrows = {module: set(listed.split()) for module, listed in ARROWS.items()}
    arrows["tables"] -= {"checks"}
    while arrows:
        leaves = {module for module, known in arrows.items() if not known & set(arrows)}
        assert leaves, f"a circle among {sorted(arrows)}"
        arrows = {module: known for module, known in arrows.items() if module not in leaves}


@pytest.mark.parametrize("module", sorted(set(MODULES) - CLOCK))
def test_no_clock(module: str) -> None:
    """Time is an argument or a value in the input."""
    calls = {ast.unparse(node) for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)}

    assert not {call for call in calls if CLOCK_CALLS.fullmatch(call)}


@pytest.mark.parametrize("module", PURE)
def test_pure_modules(module: str) -> None:
    """Neither files nor sockets, threads, processes, logs, environment nor chance."""
    imported = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported.add((node.module or "").partition(".")[0])
    calls = {
        node.func.id
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert imported & INPUT_OUTPUT <= PURE_EXCEPTIONS.get(module, set())
    assert not calls & {"open", "print", "input", "exec", "eval", "__import__"}


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_file(path: Path) -> None:
    """Short, with its licence, and with nothing left to do."""
    text = path.read_text(encoding="utf-8")

    assert text.count("\n") <= LINES
    assert "SPDX-License-Identifier: Apache-2.0" in text[:200]
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text) or path == Path(__file__)


@pytest.mark.parametrize("module", MODULES)
def test_words(module: str) -> None:
    """Classes are called what they are."""
    names = [node.name for node in ast.walk(tree(module)) if isinstance(node, ast.ClassDef)]

    assert not [name for name in names if FORBIDDEN_WORDS.search(name)]
    assert not re.search(r"manager|handler|helper|util|factor", module)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    if module != "__main__":
        assert ast.get_docstring(tree(module))


def test_stub_is_the_extension() -> None:
    """Every name of _native.pyi is in the extension, and every public name of the extension in the stub."""
    stub = ast.parse((PACKAGE / "_native.pyi").read_text())
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in stub.body if isinstance(node, ast.FunctionDef)}
    constants = {ast.unparse(node.target) for node in stub.body if isinstance(node, ast.AnnAssign)}
    public = {
        name for name in vars(_native) if not name.startswith("_") and not inspect.ismodule(getattr(_native, name))
    }

    assert public - {"namedtuple"} == set(classes) | functions | constants
    for name in ("Record", "Event", "Assembler"):
        methods = {node.name for node in classes[name].body if isinstance(node, ast.FunctionDef)} - {"__init__"}
        assert methods == {member for member in vars(getattr(_native, name)) if not member.startswith("_")}


def test_no_machine_of_ours() -> None:
    """Nothing of the place where this was written is in it."""
    ours = re.compile("/wo" + "rk/|fa" + "rm-")
    found = [
        str(p)
        for p in [*CODE, *ROOT.glob("docs/*.md"), *ROOT.glob("*.md"), ROOT / "Makefile"]
        if ours.search(p.read_text())
    ]
    assert found == []
