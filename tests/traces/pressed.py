"""Synthetic traces of a host that is short of memory, for whoever gives way there (synthetic.py has the others). The levels
are lowered, so that what else is judged of a full host has no part in it."""

import form
from pieces import cut
from synthetic import recorded, synthetic

LEVELS = {"pressure.level_medium": "30%", "pressure.level_high": "35%", "pressure.level_critical": "40%"}
RELIEF = 30


def pressed(p, times, in_use, priority="low"):
    """That share of the host's memory is in use in each of the times (begin, end), in seconds; 20 % else."""
    worlds, remarks = cut(p, 0)
    zero = worlds[0]["monotonic"]
    for world in worlds:
        inside = any(begin <= world["monotonic"] - zero <= end for begin, end in times)
        world["host"]["available"] = int(world["host"]["total"] * (1 - (in_use if inside else 20) / 100))
        for container in world["containers"]:
            container["labels"]["supervisor.priority"] = priority
    return worlds, remarks, zero


@synthetic(LEVELS)
def low_priority_while_the_host_is_full():
    """For a minute, and again for twenty seconds before that was over for thirty; it works all the time."""
    worlds, remarks, zero = pressed(recorded("busy"), ((40, 100), (115, 135)), 50)
    return worlds, [*remarks, form.truth("low-priority", zero + 40, zero + 135 + RELIEF)]


@synthetic(LEVELS)
def low_priority_and_a_host_that_is_nearly_full():
    """Never above the critical level."""
    worlds, remarks, _ = pressed(recorded("busy"), ((40, 100),), 39.9)
    return worlds, remarks


@synthetic(LEVELS)
def low_priority_and_peaks_of_a_second():
    """The host's memory in use swings while others load."""
    worlds, remarks, _ = pressed(recorded("idle"), [(at, at + 0.9) for at in range(10, 60, 5)], 70)
    return worlds, remarks


@synthetic(LEVELS)
def normal_priority_while_the_host_is_full():
    """Nobody said that it gives way."""
    worlds, remarks, _ = pressed(recorded("busy"), ((40, 100),), 50, "normal")
    return worlds, remarks
