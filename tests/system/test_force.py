"""`fix-ollama --force` overrides busy and connected, nothing else: stopped between the look that found the leak and the fresh
look before the deed, while the world becomes another one, it goes by the fresh look."""

import contextlib
import socket
import types

import pytest

import faults
import intents
import program
from bench import QUICK, outlive_grace
from ollama import PORT
from sizes import MIB

LEAK, STOPPED_IN = 120 * MIB, 30
SETTINGS = QUICK | {"leak.threshold": "64M", "leak.threshold_percent": "0", "leak.baseline": "32M", "leak.hold": "5s"}


@pytest.fixture
def busy(bench):
    """It leaks, and a client works with it: without --force nothing is done."""
    with contextlib.ExitStack() as stack:
        one = bench.ollama("in-use", env={"SIMOLLAMA_STOP_DELAY_MS": 500})
        outlive_grace()
        one.leak(LEAK)
        stack.enter_context(socket.create_connection((one.address, PORT)))
        stack.enter_context(one.inbound())
        yield one


def forced(bench, one, change):
    """`change` comes right before the fresh look; the command's end."""
    command = program.Daemon(bench.options(), command=("fix-ollama", one.name, "--force", "--json"))
    stopper = faults.stop_at(types.SimpleNamespace(process=command.process), "fresh", one.name, "restart", bench.directory)
    try:
        stopper.wait(STOPPED_IN, command.text)
        change()
        stopper.go()
        return command.process.wait(60), "\n".join(command.lines)
    finally:
        stopper.close()
        command.end(9)


def nothing_begun(bench, code, said):
    """Not even written down: it is the fresh look that says no, not the last one before the request."""
    assert code == 1 and intents.rows(bench.state) == [], f"exit {code}: {intents.rows(bench.state)}\n{said}"


def test_what_is_as_it_was_is_healed(bench, busy):
    started = busy.started_at()
    code, said = forced(bench, busy, lambda: None)
    assert code == 0, said
    assert busy.started_at() != started and busy.stop_signals() == 1 and busy.held() < 64 * MIB, said


def test_busy_engine_forgets_what_was_known(bench, busy):
    """Its ring of 256 events no longer reaches back to where nobody had told it to stop."""
    started = busy.started_at()

    def fill_the_ring():
        path = f"/images/{busy.inspect()['Image']}/tag"
        for _ in range(300):
            busy.engine.api.raw("POST", path, query={"repo": "one-of-many", "tag": "events"})
    code, said = forced(bench, busy, fill_the_ring)
    assert code == 0 and busy.started_at() != started and busy.stop_signals() == 1, said


def test_leak_is_gone(bench, busy):
    started = busy.started_at()
    code, said = forced(bench, busy, busy.unleak)
    assert busy.started_at() == started and busy.stop_signals() == 0, said
    nothing_begun(bench, code, said)


def test_it_no_longer_answers(bench, busy):
    started = busy.started_at()
    code, said = forced(bench, busy, lambda: busy.set(hang=True))
    assert busy.started_at() == started and busy.stop_signals() == 0, said
    nothing_begun(bench, code, said)


def test_a_person_has_stopped_it(bench, busy):
    code, said = forced(bench, busy, lambda: busy.engine.api.raw("POST", f"/containers/{busy.id}/stop", query={"t": 3}))
    assert not busy.running() and busy.starts() == 1 and busy.stop_signals() == 1, said
    nothing_begun(bench, code, said)


def test_a_person_has_restarted_it(bench, busy):
    """Another life, which leaks as much."""
    def restart():
        busy.engine.api.raw("POST", f"/containers/{busy.id}/restart", query={"t": 3})
        busy.wait_until_it_answers()
        outlive_grace()
        busy.leak(LEAK)
    code, said = forced(bench, busy, restart)
    assert busy.starts() == 2 and busy.stop_signals() == 1, said
    nothing_begun(bench, code, said)


def test_it_was_made_anew(bench, busy):
    """The same name, and as much of a leak."""
    made = []

    def make():
        busy.remove()
        made.append(bench.ollama("in-use"))
        made[0].leak(LEAK)
    code, said = forced(bench, busy, make)
    assert made[0].starts() == 1 and made[0].stop_signals() == 0, said
    nothing_begun(bench, code, said)
