"""The recordings of real servers (tests/recordings/memory), as they are, with what was true in them.

They are judged with small thresholds and short holds, so that a wrong verdict would come. They say nothing of received bytes,
so that rule is off."""

import json
import pathlib

import form

RECORDINGS = pathlib.Path(__file__).resolve().parents[1] / "recordings/memory"
BITING = {"leak.busy_received": "0", "leak.threshold": "32m", "leak.threshold_percent": "0", "leak.hold": "5s",
          "leak.orphan_hold": "5s", "leak.stuck_hold": "5s", "leak.unreachable_hold": "5s", "leak.growth_hold": "60s",
          "leak.grace": "0s", "supervisor.interval": "500ms"}


def when(lines, begins):
    """The moments of the remarks that begin so."""
    return [line["monotonic"] for line in lines if str(line.get("event", "")).startswith(begins)]


def truths(name, lines):
    end = form.worlds(lines)[-1]["monotonic"]
    if "too-big" in name:  # the kernel killed the runner between the request and its answer
        asked, answered = when(lines, "load medium")
        yield form.truth("oom-kill", asked, end, hold=answered - asked)
    if "runner-killed" in name:  # shorter than its hold: no verdict is due
        yield form.truth("ghost-model", when(lines, "kill -9")[0], when(lines, "request after")[0])
    if "0.33-distinct-prompts" in name:
        yield form.truth("prompt-cache", when(lines, "load small: 200")[0], when(lines, "unload small")[0], hold=60)
    if "swapped" in name:
        yield form.truth("swap-in-use", when(lines, "memory.reclaim")[0], when(lines, "unload small")[0])


def all_of_them():
    for path in sorted(RECORDINGS.glob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        worlds = form.worlds(lines)
        head = form.header(f"real-{path.stem}", "recorded", "a real server: tests/recordings/memory", BITING)
        yield form.ordered(head, worlds, [line for line in lines if "world" not in line] + list(truths(path.stem, lines)))
