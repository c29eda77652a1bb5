"""What is done to recorded pieces: repeated, shifted, suspended, thinned, grown, swapped out, put side by side.

A piece is (worlds, remarks). Every function gives a new one and leaves its argument alone. `at` is seconds after the first
world."""

import copy
import random

import form

GIB = 1 << 30


def piece(kind, name):
    """Of a trace that was made before; without its header."""
    lines = form.read(form.CORPUS / kind / f"{name}.jsonl.xz")
    return form.worlds(lines), [line for line in lines[1:] if "world" not in line]


def seconds_of(p):
    return p[0][-1]["monotonic"] - p[0][0]["monotonic"]


def interval(p):
    return seconds_of(p) / (len(p[0]) - 1)


def move(world, mono, wall=None):
    """Later by so much, in one clock or both."""
    wall = mono if wall is None else wall
    world["monotonic"] = round(world["monotonic"] + mono, 6)
    world["time"] = form.wall_text(form.wall_seconds(world["time"]) + wall)
    for c in world["containers"]:
        if "uptime_s" in c:
            c["uptime_s"] = round(c["uptime_s"] + mono, 6)


def move_remark(remark, seconds):
    remark["monotonic"] = round(remark["monotonic"] + seconds, 3)
    for key in ("from", "to") if "truth" in remark else ():
        remark["truth"][key] = round(remark["truth"][key] + seconds, 3)


def expiry(world, wall):
    """The models' times, as they were set after the clock was moved by `wall`."""
    for c in world["containers"]:
        for model in c.get("ollama", {}).get("models", []):
            if "expires_at" in model:
                model["expires_at"] = form.wall_text(form.wall_seconds(model["expires_at"]) + wall)


def cut(p, begin, end=None):
    """From `begin` to `end`; truths are cut with it."""
    zero = p[0][0]["monotonic"]
    low, high = zero + begin, zero + (end if end is not None else seconds_of(p))
    worlds = [copy.deepcopy(w) for w in p[0] if low <= w["monotonic"] <= high]
    remarks = []
    for remark in copy.deepcopy(p[1]):
        if "truth" in remark:
            truth = remark["truth"]
            if truth["from"] > high or truth["to"] < low:
                continue
            truth["from"], truth["to"] = max(truth["from"], low), min(truth["to"], high)
            remark["monotonic"] = truth["from"]
        elif not low <= remark["monotonic"] <= high:
            continue
        remarks.append(remark)
    return worlds, remarks


def again(p, times, anew=True):
    """One after the other. Counters go on; anew: each time with runners of their own (else it is the same ones that go on,
    and what is true goes on, too)."""
    worlds, remarks = [], []
    span, first, last = seconds_of(p) + interval(p), p[0][0], p[0][-1]
    grown = {}
    for a, b in zip(first["containers"], last["containers"]):
        grown["cpu", a["id"]] = b["cgroup"]["cpu_us"] - a.get("cgroup", {}).get("cpu_us", 0)
        grown["received", a["id"]] = b.get("received", 0) - a.get("received", 0)
        for q in b.get("processes", []):
            before = next((o["cpu_us"] for o in a.get("processes", []) if o["pid"] == q["pid"]), q["cpu_us"])
            grown["process", q["pid"]] = q["cpu_us"] - before
    for k in range(times):
        for world in copy.deepcopy(p[0]):
            move(world, k * span)
            expiry(world, k * span if anew else 0)
            for c in world["containers"]:
                if "cpu_us" in c.get("cgroup", {}):  # not while it starts
                    c["cgroup"]["cpu_us"] += k * grown["cpu", c["id"]]
                if "received" in c:
                    c["received"] += k * grown["received", c["id"]]
                for q in c.get("processes", []):
                    if anew and q["kind"] == "runner":
                        q["pid"] += 5000 * k
                        q["started_us"] += int(k * span * 1e6)
                    else:
                        q["cpu_us"] += k * grown.get(("process", q["pid"]), 0)
            worlds.append(world)
        for remark in copy.deepcopy(p[1]) if anew or k == 0 else ():
            move_remark(remark, k * span)
            if not anew and "truth" in remark:
                remark["truth"]["to"] = round(remark["truth"]["to"] + (times - 1) * span, 3)
            remarks.append(remark)
    return worlds, remarks


def then(p, q):
    """q behind p, both of one recording: counters go on, and so does what is true at the end of p and the beginning of q."""
    begin = p[0][-1]["monotonic"] + interval(p) - q[0][0]["monotonic"]
    worlds, remarks = copy.deepcopy(q)
    first, last = worlds[0]["containers"][0], p[0][-1]["containers"][0]
    cpu = max(0, last["cgroup"]["cpu_us"] - first["cgroup"]["cpu_us"])
    received = max(0, last["received"] - first["received"])
    for world in worlds:
        move(world, begin)
        expiry(world, begin)
        for c in world["containers"]:
            c["cgroup"]["cpu_us"] += cpu
            c["received"] += received
    joined = copy.deepcopy(p[1])
    going_on = {r["truth"]["verdict"]: r["truth"] for r in joined
                if "truth" in r and abs(r["truth"]["to"] - p[0][-1]["monotonic"]) < 2}
    for remark in remarks:
        move_remark(remark, begin)
        if "truth" in remark and remark["truth"]["verdict"] in going_on:
            going_on[remark["truth"]["verdict"]]["to"] = remark["truth"]["to"]
        else:
            joined.append(remark)
    return p[0] + worlds, joined


def jump(p, at, mono=0.0, wall=None):
    """From `at` on the clocks are so much further: mono alone is both, a machine that slept; wall alone, somebody set it.
    What was to expire before still does at its old time."""
    worlds, remarks = copy.deepcopy(p)
    wall = mono if wall is None else wall
    edge, old = worlds[0]["monotonic"] + at, set()
    for world in worlds:
        models = [m for c in world["containers"] for m in c.get("ollama", {}).get("models", []) if "expires_at" in m]
        if world["monotonic"] < edge:
            old |= {m["expires_at"] for m in models}
            continue
        move(world, mono, wall)
        for model in models:
            if model["expires_at"] not in old:
                model["expires_at"] = form.wall_text(form.wall_seconds(model["expires_at"]) + wall)
    for remark in remarks:
        if remark["monotonic"] >= edge:
            move_remark(remark, mono)
        elif "truth" in remark and remark["truth"]["to"] >= edge:
            remark["truth"]["to"] = round(remark["truth"]["to"] + mono, 3)
    return worlds, remarks


def thinned(p, seed, lost):
    """Of the samples a share is lost, each by itself, never the first."""
    chance = random.Random(seed)
    return [w for i, w in enumerate(p[0]) if i == 0 or chance.random() >= lost], p[1]


def every(p, n):
    """Looked at n times less often."""
    return p[0][::n], p[1]


def stretched(p, times):
    """The same more slowly: between two looks so many times as long."""
    worlds, remarks = copy.deepcopy(p)
    first = worlds[0]["monotonic"]
    for world in worlds:
        by = (world["monotonic"] - first) * (times - 1)
        move(world, by)
        expiry(world, by)
    for remark in remarks:
        begin = remark["monotonic"]
        for key in ("from", "to") if "truth" in remark else ():
            remark["truth"][key] = round(first + (remark["truth"][key] - first) * times, 3)
        remark["monotonic"] = round(first + (begin - first) * times, 3)
    return worlds, remarks


def late(p, seed, most):
    """Each sample comes late by up to `most` seconds: a busy host."""
    chance, worlds, last = random.Random(seed), copy.deepcopy(p[0]), 0.0
    for world in worlds:
        by = max(chance.random() * most, last - world["monotonic"] + 0.001)  # never before the one before
        move(world, round(by, 3))
        last = world["monotonic"]
    return worlds, p[1]


def without(p, seed, lost, *members):
    """Of the looks a share could not read these members of the container."""
    chance, worlds = random.Random(seed), copy.deepcopy(p[0])
    for world in worlds:
        if chance.random() < lost:
            for c in world["containers"]:
                for member in members:
                    c.pop(member, None)
    return worlds, p[1]


BYTES = ("anon", "file", "shmem", "kernel", "swap", "inactive_file", "usage", "peak", "limit", "swap_limit")


def sized(p, factor, keep_labels=False):
    """All that the container holds, and its limit, so many times; the host has as much more."""
    worlds = copy.deepcopy(p[0])
    for world in worlds:
        host = world["host"]
        host["available"] += (factor - 1) * host["total"]
        host["total"] *= factor
        for c in world["containers"]:
            if not keep_labels:
                c["labels"] = {k: v for k, v in c["labels"].items() if not k.startswith("supervisor.leak.threshold")}
            c.pop("baseline", None)
            for key in BYTES:
                if c.get("cgroup", {}).get(key):
                    c["cgroup"][key] *= factor
            for q in c.get("processes", []):
                spare = min(q.get("rss_anon", 0), 8 << 20) if q["kind"] == "serve" else 0  # an idle server stays what it is
                for key in ("rss_anon", "swap"):
                    if key in q:
                        q[key] = (q[key] - spare) * factor + spare if key == "rss_anon" else q[key] * factor
            for model in c.get("ollama", {}).get("models", []):
                model["size"] *= factor
    return worlds, p[1]


def swapped(p, share, begin=0.0, seconds=0.0, version=1):
    """From `begin` on, over so many seconds, that share of all anonymous memory goes to the swap of a host that has 8 GiB."""
    worlds = copy.deepcopy(p[0])
    zero = worlds[0]["monotonic"] + begin
    for world in worlds:
        since = world["monotonic"] - zero
        gone = share * (min(1.0, max(0.0, since / seconds)) if seconds else float(since >= 0))
        world["host"] |= {"swap_total": 8 * GIB, "swap_used": 0}
        for c in world["containers"]:
            group = c.get("cgroup")
            if not group:  # not yet started
                continue
            group["version"] = version
            out = 0
            for q in c.get("processes", []):
                if "rss_anon" in q:
                    pages = int(q["rss_anon"] * gone) // 4096 * 4096
                    q["rss_anon"], q["swap"] = q["rss_anon"] - pages, q["swap"] + pages
                    out += pages
            group["anon"], group["usage"], group["swap"] = group["anon"] - out, group["usage"] - out, out
            if version == 2:
                group |= {"swapcached": 0, "swap_limit": None}
            world["host"]["swap_used"] += out
    return worlds, p[1]


def beside(*ps):
    """Side by side, as one supervisor sees them: all begin together, and end with the shortest. A truth says whose it is."""
    lines, remarks = [], []
    zero, shortest = ps[0][0][0]["monotonic"], min(seconds_of(p) for p in ps)
    seen = [0] * len(ps)
    for base in ps[0][0]:
        since = base["monotonic"] - zero
        if since > shortest:
            break
        world = copy.deepcopy(base)
        for n, p in enumerate(ps[1:], 1):
            first = p[0][0]["monotonic"]
            while seen[n] + 1 < len(p[0]) and p[0][seen[n] + 1]["monotonic"] - first <= since:
                seen[n] += 1
            one = p[0][seen[n]]  # the newest of its looks
            clock = form.wall_seconds(world["time"]) - form.wall_seconds(one["time"])
            for c in copy.deepcopy(one["containers"]):
                for model in c.get("ollama", {}).get("models", []):
                    model["expires_at"] = form.wall_text(form.wall_seconds(model["expires_at"]) + clock)
                for q in c.get("processes", []):
                    q["started_us"] += int((zero - first) * 1e6)
                if "uptime_s" in c:
                    c["uptime_s"] += base["monotonic"] - zero - (one["monotonic"] - first)
                world["containers"].append(c)
        lines.append(world)
    end = lines[-1]["monotonic"]
    for p in ps:
        whose = p[0][0]["containers"][0]["name"]
        for remark in copy.deepcopy(p[1]):
            move_remark(remark, zero - p[0][0]["monotonic"])
            if remark["monotonic"] > end:
                continue
            if "truth" in remark:
                remark["truth"] |= {"container": whose, "to": min(remark["truth"]["to"], end)}
            remarks.append(remark)
    return lines, remarks
