#!/usr/bin/python3
"""What real servers did where the judgement was wrong or blind, as traces: field.py RECORDING... writes corpus/field.

A recording's first line is its truth (form.py has the form of traces); it gets the heading that traces have. In those of
too-many-models `used_last` of each answer is the model that must stay; judge_bench compares that with what was raised.
"""

import pathlib
import sys

import form

SETTINGS = {"too-many-models": {"models.single": "on"}}
HOLDS = {"hung-runner": {"hold": 30}}  # they were stopped (state T)
AFTER = {"runner-leak-fast-24": ["oom-kill", "ghost-model"]}  # what its end makes true


def used_by_nobody(worlds, since):
    """The recorder read connections now and then, and not those to a runner's own port. There were none."""
    for world in worlds:
        for c in world["containers"] if world["monotonic"] > since else ():
            assert c.get("connections", 0) == 0
            c["connections"] = 0
            for runner in (q for q in c["processes"] if q["kind"] == "runner"):
                runner["clients"] = 0


def trace(path):
    lines = form.read(path)
    truth, rest = lines[0]["truth"], lines[1:]
    if truth["verdict"] == "orphan-runner":
        used_by_nobody(form.worlds(rest), truth["from"])
    last = form.worlds(rest)[-1]["monotonic"]
    kind, about = truth["verdict"], truth.pop("note")
    head = form.header(path.name.split(".")[0], "recorded", about, SETTINGS.get(kind))
    if kind == "none":
        return [head, *rest]
    remarks = [line for line in rest if "world" not in line]
    end = last if kind == "oom-kill" else truth["to"] or last  # a kill stands for ten minutes
    for begin in [at - 0.1 for at in truth.pop("times", [])] or [truth["from"]]:  # each was noticed a moment later
        more = {name: value for name, value in truth.items() if name not in ("verdict", "from", "to")} | HOLDS.get(kind, {})
        remarks.append(form.truth(kind, begin, end, **more))
    remarks += [form.truth(after, end, last) for after in AFTER.get(head["trace"]["name"], [])]
    return form.ordered(head, form.worlds(rest), remarks)


for argument in sys.argv[1:]:
    print(form.write("field", trace(pathlib.Path(argument))))
