"""Three rules that people use today, on the same traces.

Each is asked only for what is wrong with memory that stays held (MEMORY), since it can see nothing else; an alarm during any
other fault is not held against it, and a hold that the end of the trace cuts off counts as an alarm where it is right and as
none where it is wrong. Each is shown with the threshold at which it is used, and with the one that suits these traces best,
found afterwards, as nobody could in advance."""

MEMORY = {"idle-leak", "orphan-runner", "stuck-stopping", "growth-leak", "held-elsewhere", "over-budget"}
TOLD = {"prompt-cache", "page-cache", "no-limit", "swap-in-use"}
PERCENTS = tuple(range(5, 100, 5))
USUAL = 80


def working_set(cgroup):
    """usage less inactive_file: what docker stats shows, and cAdvisor's working set."""
    usage, inactive = cgroup.get("usage"), cgroup.get("inactive_file")
    return None if usage is None or inactive is None else max(0, usage - inactive)


def docker_stats(container):
    ollama = container.get("ollama", {})
    return working_set(container.get("cgroup", {})) if ollama.get("reachable") and ollama.get("models") == [] else None


def cadvisor(container):
    return working_set(container.get("cgroup", {}))


def rss(container):
    return container.get("cgroup", {}).get("anon")


# what it is, bytes or None, seconds that it must last: of a rule without any, as long as our own
RULES = (("docker stats (usage - inactive_file), no model, 60 s", docker_stats, 60),
         ("cAdvisor's working set, 2 min", cadvisor, 120),
         ("RSS, 5 min", rss, 300))


def share(world, container, rule):
    """In per cent of the limit, or of the host's memory where there is none."""
    value, limit = rule(container), container.get("cgroup", {}).get("limit") or world["host"]["total"]
    return None if value is None else 100 * value / limit


def above(series, percent):
    """[from, to] of the spans above the threshold."""
    spans, start = [], None
    for at, value in [*series, (series[-1][0], None)]:
        if value is not None and value > percent:
            start = at if start is None else start
        elif start is not None:
            spans.append((start, at))
            start = None
    return spans


def examine(trace):
    """{(rule, percent): (found, missed, false, [seconds])} of one trace."""
    result = {}
    faults = [t for t in trace.truths if t["verdict"] not in TOLD]
    memory = [t for t in faults if t["verdict"] in MEMORY]
    names = {c["name"] for w in trace.worlds for c in w["containers"]}
    for number, (_, rule, hold) in enumerate(RULES):
        series = {name: [(w["monotonic"], share(w, c, rule))
                         for w in trace.worlds for c in w["containers"] if c["name"] == name] for name in names}
        for percent in PERCENTS:
            found, false, took = 0, 0, []
            spans = {name: above(one, percent) for name, one in series.items()}
            for truth in memory:
                ends = min(truth["to"], trace.at[-1])
                alarms = []
                for start, end in (s for name in spans if truth.get("container") in (None, name) for s in spans[name]):
                    start, end = max(start, truth["from"]), min(end, ends)
                    if end > start and (end - start >= hold or end >= ends - trace.slack):
                        alarms.append(start + hold)
                found += bool(alarms)
                took += [min(alarms) - truth["from"]] if alarms else []
            for name, start, end in ((name, *s) for name in spans for s in spans[name]):
                alarm = start + hold
                false += end >= alarm and not any(t["from"] <= alarm and start <= t["to"] for t in faults
                                                  if t.get("container") in (None, name))
            result[number, percent] = found, len(memory) - found, false, took
    return result


def table(alarms):
    print(f"{f'rules of today, for {len(MEMORY)} kinds':73} {'found':>6} {'missed':>7} {'false':>6} {'median, s':>10}")
    for number, (name, _, _) in enumerate(RULES):
        sums = {}
        for percent in PERCENTS:
            rows = [a[number, percent] for a in alarms]
            sums[percent] = [sum(r[i] for r in rows) for i in range(3)] + [sorted(s for r in rows for s in r[3])]
        best = min(PERCENTS, key=lambda p: (sums[p][1] + sums[p][2], -p))
        for percent, why in ((USUAL, ""), (best, " (best here)")):
            found, missed, false, took = sums[percent]
            median = f"{took[len(took) // 2]:10.1f}" if took else ""
            print(f"{f'{name}, > {percent} %{why}':73} {found:6} {missed:7} {false:6} {median}")
