"""Each kind of verdict is provoked for real somewhere: the table in README.md against docs/judgement.md."""

import ast
import pathlib
import re

from engine import ROOT

HERE = pathlib.Path(__file__).parent
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows(text, heading):
    """The cells of each row of the table below this heading."""
    table = text[text.index(f"\n{heading}") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in table[3:]]


def kinds():
    """Those of docs/judgement.md, which a unit test compares with judge/kinds.c."""
    names = [row[0].strip("*") for row in rows((ROOT / "docs/judgement.md").read_text(), "| verdict |")]
    assert len(names) > 20 and all(re.fullmatch("[a-z-]+", name) for name in names), names
    return names


def provoked():
    """{kind: [(file, test)] under v1, the same under v2} of README.md."""
    return {row[0]: [TEST.findall(cell) for cell in row[2:]] for row in rows((HERE / "README.md").read_text(), "| kind |")}


def functions(file):
    """{name: source} of what a module defines; of what it imports from its neighbours too."""
    text = (HERE / file).read_text()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = ast.get_source_segment(text, node)
        elif isinstance(node, ast.ImportFrom) and (HERE / f"{node.module}.py").exists():
            theirs = functions(f"{node.module}.py")
            found |= {name.name: theirs[name.name] for name in node.names if name.name in theirs}
    return found


def test_every_kind_has_its_tests():
    table = provoked()
    assert sorted(table) == sorted(kinds()), "README.md here needs one row a kind of docs/judgement.md, and no other"
    assert [kind for kind, cells in table.items() if not any(cells)] == [], "no test provokes it"


def test_those_tests_are_there_and_about_it():
    missing, elsewhere = [], []
    for kind, named in ((kind, named) for kind, cells in provoked().items() for named in cells if named):
        sources = {f"{kind}: {file}::{test}": functions(file).get(test) if (HERE / file).exists() else None for file, test in named}
        missing += [name for name, source in sources.items() if source is None]
        if not any(f'"{kind}"' in (source or "") for source in sources.values()):
            elsewhere.append(f"{', '.join(sources)} does not look for its verdict")
    assert not missing and not elsewhere, "\n".join(missing + elsewhere)
