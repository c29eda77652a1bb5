"""What is said with a verdict, held against the world in which it was raised, without the program's own reckoning: whom it is
about, what it shows, and what is to be done."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
LADDER = ["wait", "unload", "kill-runner", "restart", "flush", "stop"]
LATER = {"unreachable", "growth-leak", "oversize-model", "host-pressure", "limit-drift", "high-drift", "page-cache"}  # told first, or for ever


def rows():
    """By verdict: the ends of its ladder ([]: told), and its numbers; from the table that the program's is held against."""
    table = {}
    for line in (ROOT / "docs/judgement.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if line.startswith("| **") and len(cells) == 7 and cells[1] in ("info", "warning", "critical"):
            remedies = [] if cells[4] == "told" else cells[4].split(" … ")
            table[cells[0].strip("|* ")] = remedies, cells[6].rstrip(" |").split()
    return table


ROWS = rows()


def runners(container):
    return [p for p in container.get("processes", []) if p["kind"] == "runner" and p.get("state") not in ("Z", "X")]


def held_by(process):
    known = "rss_anon" in process and "swap" in process
    return process["rss_anon"] + process["swap"] if known else None


def held(container, _):
    """anon + shmem + swap, less what lies in the swap cache too; None where the kernel does not tell one of them."""
    group = container.get("cgroup", {})
    if not all(group.get(part) is not None for part in ("anon", "shmem", "swap")):
        return None
    twice = group.get("swapcached", 0) if group["version"] == 2 else 0
    return None if group["version"] == 2 and group["swap"] and "swapcached" not in group else \
        group["anon"] + group["shmem"] + group["swap"] - min(twice, group["swap"])


def subject(container, line):
    """The runner that it is about."""
    return next((p for p in runners(container) if p["pid"] == line.get("pid")), None)


def of_group(name):
    return lambda container, _: container.get("cgroup", {}).get(name)


def of_runner(reckon):
    return lambda container, line: reckon(subject(container, line)) if subject(container, line) else None


FIGURES = {
    "held": held, "page_cache": of_group("file"), "file": of_group("file"), "inactive_file": of_group("inactive_file"),
    "limit": lambda c, _: c.get("cgroup", {}).get("bound", c.get("cgroup", {}).get("limit")),
    "models": lambda c, _: len(c["ollama"]["models"]) if c.get("ollama", {}).get("models") is not None else None,
    "runners": lambda c, _: len(runners(c)) if "processes" in c else None,
    "pid": lambda _, line: line.get("pid"), "runner": of_runner(held_by), "runner_file": of_runner(lambda p: p.get("rss_file")),
    "runner_cpu_us": of_runner(lambda p: p.get("cpu_us")),
    "available": lambda c, _: None, "total": lambda c, _: None}
KEPT = {"oom-kill"}  # its numbers are those of the kill


def blobs(container, name=None):
    """Of what is listed, or of that model."""
    return {m.get("blob") for m in container.get("ollama", {}).get("models") or []
            if name is None or m["name"].split(":")[0] == name.split(":")[0]} - {None, ""}


def whom(line, container):
    """What is wrong with whom it names, if anything is."""
    kind, one, model = line["verdict"], subject(container, line), line.get("model")
    listed = {m["name"] for m in container.get("ollama", {}).get("models") or []}
    if kind in ("orphan-runner", "stalled-load", "stuck-stopping", "hung-runner", "prompt-cache") and one is None:
        return f"pid {line.get('pid')} is no runner"
    if kind in ("orphan-runner", "stalled-load") and one.get("blob") in blobs(container):
        return f"pid {line['pid']} serves a model that is listed"
    if kind in ("stuck-stopping", "hung-runner") and (model not in listed or one.get("blob") not in blobs(container, model)):
        return f"pid {line['pid']} does not serve {model}"
    if kind in ("idle-model", "too-many-models", "oversize-model", "ghost-model") and model not in listed:
        return f"{model} is not listed"
    if kind == "ghost-model" and any(p.get("blob") in blobs(container, model) for p in runners(container)):
        return f"{model} has a runner"
    return None


def killed(line, before, container):
    """An oom-kill names a runner that was there, and is not any more."""
    pid = line.get("pid")
    if line["verdict"] != "oom-kill" or pid is None:
        return None
    was = pid in {p["pid"] for world in before for p in runners(world)}
    return None if was and subject(container, line) is None else f"pid {pid} is no runner that has gone"


def shows(line, container):
    """What is wrong with its numbers."""
    kind, evidence = line["verdict"], line["evidence"]
    for name in evidence.keys() - set(ROWS[kind][1]):
        yield f"shows {name}, which is no number of its kind"
    for name in ROWS[kind][1]:
        is_ = FIGURES[name](container, line) if container and name in FIGURES and kind not in KEPT else None
        if is_ is not None and evidence.get(name) != is_:
            yield f"shows {name} {evidence.get(name)}, it is {is_}"


def wrong(line, container, before):
    """Everything that is wrong with a verdict as it is raised. before: its container in earlier worlds."""
    kind, remedy = line["verdict"], line["remedy"]
    ladder = ROWS[kind][0]
    if kind != "host-pressure":
        found = (whom(line, container) or killed(line, before, container)) if container else None
        yield from [found] if found else []
        yield from shows(line, container)
    may = [] if not ladder else ladder if len(ladder) == 1 else LADDER[LADDER.index(ladder[0]):LADDER.index(ladder[1]) + 1]
    if remedy not in (may or ["none"]) and not (remedy == "none" and kind in LATER):
        yield f"has remedy {remedy}, it may be {' '.join(may) or 'none'}"
