"""A trace: a recorded world a line (docs: README.md), and between them remarks, of which three say what really happened."""

import calendar
import json
import lzma
import pathlib
import time

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE / "corpus"

# Seconds that each verdict's conditions must hold (docs/judgement.md), where nothing sets them otherwise.
HOLDS = {"idle-leak": 60, "orphan-runner": 60, "stuck-stopping": 60, "hung-runner": 180, "stalled-load": 60, "ghost-model": 10, "growth-leak": 600,
         "prompt-cache": 600, "oom-kill": 0, "unreachable": 60, "held-elsewhere": 60, "over-budget": 10, "too-many-models": 4,
         "oversize-model": 4, "idle-model": 30, "no-limit": 1, "limit-drift": 1, "high-drift": 1, "page-cache": 2, "host-pressure": 2,
         "low-priority": 2,
         "swap-in-use": 60, "broken-healthcheck": 1, "thermal": 30}


def truth(verdict, begin, end, hold=None, **more):
    """It was so from `begin` on until `end` (monotonic seconds, as in the worlds)."""
    return {"event": "truth", "truth": {"verdict": verdict, "from": round(begin, 3), "to": round(end, 3),
                                        "hold": HOLDS[verdict] if hold is None else hold, **more}, "monotonic": round(begin, 3)}


def did(text, at):
    return {"event": text, "monotonic": round(at, 3)}


def header(name, made, about, settings=None):
    """The first line. made: recorded (in real time), or synthetic (of recorded pieces)."""
    return {"event": "trace", "trace": {"name": name, "made": made, "about": about, "settings": settings or {}}}


def ordered(head, worlds, remarks):
    """Worlds in the order in which they were written, each remark before the first world that is not older."""
    lines, waiting = [head], sorted(remarks, key=lambda r: r["monotonic"])
    for world in worlds:
        while waiting and waiting[0]["monotonic"] <= world["monotonic"]:
            lines.append(waiting.pop(0))
        lines.append(world)
    return lines + waiting


def write(kind, lines):
    """Into corpus/KIND/NAME.jsonl.xz; gives the path."""
    path = CORPUS / kind / f"{lines[0]['trace']['name']}.jsonl.xz"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode(), preset=9))
    return path


def read(path):
    """Its lines, as dictionaries."""
    with lzma.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def worlds(lines):
    return [line for line in lines if "world" in line]


def truths(lines):
    return [line["truth"] for line in lines if line.get("event") == "truth"]


def wall_seconds(text):
    """Of an RFC 3339 time in UTC, as the worlds have it."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{rest or 0}")


def wall_text(seconds):
    milliseconds = round(seconds * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)) + f".{milliseconds % 1000:03d}Z"
