"""`make judge-bench`: the judgement against all that was recorded, and the bench against a judgement that is made worse."""

import json
import lzma
import os
import re
import subprocess
import sys

import pytest

import program
from engine import ROOT

BENCH = ROOT / "tests/bench/judge_bench"
LAST = re.compile(r"judge: (\d+) traces, (\d+) false, (\d+) missed")


def judge(*arguments, under=None):
    """Its exit status, its whole output, and the three numbers of its last line."""
    done = subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
                          env=os.environ | {"SUPERVISOR_PROGRAM": str(under or program.PROGRAM)})
    last = LAST.fullmatch((done.stdout.splitlines() or [""])[-1])
    assert last, f"{done.stdout}{done.stderr}"
    return done.returncode, done.stdout, *map(int, last.groups())


def test_nothing_is_false_and_nothing_is_missed(built):
    code, out, traces, false, missed = judge()
    assert (code, false, missed) == (0, 0, 0), out
    halves = {what: (int(n), int(real)) for n, what, real in re.findall(r"^(\d+) traces (well|ill): (\d+) recorded", out, re.M)}
    assert traces == sum(n for n, _ in halves.values())
    for what in ("well", "ill"):
        n, real = halves[what]
        assert n >= 40 and real >= 15, out


def test_traces_of_cgroup_v2_are_what_they_say(built):
    paths = sorted((ROOT / "tests/traces/corpus/v2").glob("*.jsonl.xz"))
    for path in paths:
        with lzma.open(path, "rt") as file:
            worlds = [line for line in map(json.loads, file) if "world" in line]
        groups = [c["cgroup"] for world in worlds for c in world["containers"] if c.get("cgroup")]
        assert groups and {group["version"] for group in groups} == {2}, path
        assert all("psi" in world["host"] for world in worlds) and any("psi" in group for group in groups), path
    code, out, traces, *_ = judge("-v", *paths)
    assert code == 0 and traces == len(paths), out
    for half in ("well", "ill"):
        assert len(re.findall(rf"^v2-\S+: {half}, recorded", out, re.M)) >= 6, out


def trace(name):
    return ROOT / f"tests/traces/corpus/recorded/{name}.jsonl.xz"


def test_a_hasty_judge_is_found_out(built):
    well = trace("hangs-for-a-while")
    assert judge(well)[2:] == (1, 0, 0)
    code, out, _, false, _ = judge("--set", "leak.unreachable_hold=5s", well)
    assert (code, false) == (1, 1), out
    assert re.search(r"^false: hangs-for-a-while: unreachable", out, re.M), out


def test_a_slow_judge_is_found_out(built):
    ill = trace("idle-leak-300m-of-512m"), trace("orphan-300m")
    assert judge(*ill)[2:] == (2, 0, 0)
    code, out, _, _, missed = judge("--set", "leak.hold=66s", "--set", "leak.orphan_hold=1h", *ill)
    assert (code, missed) == (1, 2), out
    assert re.search(r"^missed: idle-leak-300m-of-512m: idle-leak.* later", out, re.M), out
    assert re.search(r"^missed: orphan-300m: orphan-runner", out, re.M), out


FAULTY = """#!{python}
import json, subprocess, sys
done = subprocess.run([{program!r}, *sys.argv[1:]], stdin=sys.stdin, capture_output=True, text=True)
for text in done.stdout.splitlines():
    line = json.loads(text)
    if line.get("verdict") == {kind!r} and line["state"] == "raised":
        {fault}
    print(json.dumps(line))
    if line.get("verdict") == {kind!r} and line["state"] == "raised" and {cleared}:
        print(json.dumps(line | {{"state": "cleared", "remedy": "none", "monotonic": line["monotonic"] + 10}}))
sys.stderr.write(done.stderr)
sys.exit(done.returncode)
"""


@pytest.mark.parametrize(("name", "kind", "fault", "said"), [
    ("orphan-300m", "orphan-runner", "line['pid'] = line['evidence']['pid'] = 1", "missed: .* is no runner"),
    ("stuck-stopping", "stuck-stopping", "line['model'] = 'another'", "missed: .* does not serve another"),
    ("idle-leak-300m-of-512m", "idle-leak", "line['evidence']['held'] += 4096", "missed: .* shows held"),
    ("idle-leak-300m-of-512m", "idle-leak", "del line['evidence']['limit']", "missed: .* shows limit None"),
    ("idle-leak-300m-of-512m", "idle-leak", "line['evidence']['pid'] = 1", "missed: .* shows pid, which is no number"),
    ("orphan-300m", "orphan-runner", "line['remedy'] = 'restart'", "missed: .* has remedy restart"),
    ("orphan-300m", "orphan-runner", "line['remedy'] = 'none'", "missed: .* has remedy none"),
    ("ghost-model", "ghost-model", "line['remedy'] = 'unload'", "missed: .* has remedy unload"),
    ("idle-leak-300m-of-512m", "idle-leak", "line['monotonic'] -= 20", "false: .* before its hold"),
    ("idle-without-a-limit", "no-limit", None, "missed: .* was cleared"),
])
def test_a_fault_in_what_is_said_is_found_out(built, tmp_path, name, kind, fault, said):
    under = tmp_path / "supervisor"
    under.write_text(FAULTY.format(python=sys.executable, program=str(program.PROGRAM), kind=kind, fault=fault or "pass", cleared=fault is None))
    under.chmod(0o755)
    code, out, *_ = judge(trace(name), under=under)
    assert code == 1 and re.search(f"^{said}", out, re.M), out
