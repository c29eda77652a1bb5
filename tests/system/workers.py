"""Runs the modules side by side in a few forked workers, because most tests mostly wait.

A module stays together and in order; each worker has session fixtures (an engine) of its own. One
module, --workers 1 or --pdb runs as pytest always does.
"""

import contextlib
import os
import pickle
import selectors
import signal
import struct
import sys

import pytest

WORKERS = 4  # one is busy with the emulated machine, another one for a while with the full-length hold
FIRST = ("test_guest.py", "test_package.py", "test_full_length.py", "test_fault_matrix.py", "test_twenty.py", "test_daemon.py", "test_crash.py",
         "test_fix.py")  # the longest
# Inside the emulated machine, which is slow and has 5 GiB: begun when the others have ended; the last one fills all of it.
LATER = (("inside/test_triage_v2.py", "inside/test_deploy.py", "inside/test_throttle.py"), ("inside/test_pressure.py",))


def pytest_addoption(parser):
    parser.addoption("--workers", type=int, default=WORKERS, help=f"how many modules run at a time ({WORKERS})")
    parser.addoption("--split", type=int, default=1, help="into how many parts each module is dealt; only for those whose tests need no order")


def modules(items, split):
    """Lists of items, one list a module or a part of one, the longest first."""
    groups = {}
    for item in items:
        groups.setdefault(item.path, []).append(item)
    order = {name: place for place, name in enumerate(FIRST)}
    whole = sorted(groups.values(), key=lambda group: order.get(group[0].path.name, len(FIRST)))
    return [part for group in whole for part in (group[i::split] for i in range(split)) if part]


class Sender:
    """In a worker: what pytest would show goes to the parent instead."""

    def __init__(self, config, pipe):
        self.config, self.pipe = config, pipe
        terminal = config.pluginmanager.getplugin("terminalreporter")
        terminal._tw._file = open(os.devnull, "w")

    def send(self, *message):
        data = pickle.dumps(message)
        data = struct.pack("I", len(data)) + data
        try:
            while data:
                data = data[os.write(self.pipe, data):]
        except BrokenPipeError:  # the parent was interrupted and listens no more; there is still clearing away to do
            pass

    def pytest_runtest_logstart(self, nodeid, location):
        self.send("start", nodeid, location)

    def pytest_runtest_logreport(self, report):
        self.send("report", self.config.hook.pytest_report_to_serializable(config=self.config, report=report))

    def pytest_runtest_logfinish(self, nodeid, location):
        self.send("finish", nodeid, location)


def leave(*_):
    """The first signal ends the tests; a second one must not end the clearing away."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def work(session, groups, queue, pipe):
    """A worker's life: takes modules from the queue until it is empty."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    sender = Sender(session.config, pipe)
    session.config.pluginmanager.register(sender)
    try:
        while number := os.read(queue, 1):
            group = session.items = groups[number[0]]
            another = next((g[0] for g in groups if g is not group), None)  # keeps the session's fixtures
            for item, after in zip(group, [*group[1:], another]):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
    finally:
        session._setupstate.teardown_exact(None)
    sender.send("done")


def start(session, groups, queue):
    """Forks a worker; gives its pid and the pipe it reports by."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        work(session, groups, queue, writing)
        status = 0
    except (KeyboardInterrupt, pytest.exit.Exception):
        status = 2
    except BaseException:  # it must not go on as a second pytest
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def take(session, message):
    kind, *content = message
    hook = session.config.hook
    if kind == "start":
        hook.pytest_runtest_logstart(nodeid=content[0], location=content[1])
    elif kind == "finish":
        hook.pytest_runtest_logfinish(nodeid=content[0], location=content[1])
    elif kind == "report":
        report = hook.pytest_report_from_serializable(config=session.config, data=content[0])
        hook.pytest_runtest_logreport(report=report)


def read_exactly(pipe, size):
    data = b""
    while len(data) < size:
        piece = os.read(pipe, size - len(data))
        if not piece:
            return None
        data += piece
    return data


def watch(session, pipes):
    """Takes the workers' messages until the last one ended; says whether all ended well."""
    well = True
    with contextlib.ExitStack() as open_pipes, selectors.DefaultSelector() as selector:
        for pipe in pipes:
            open_pipes.callback(os.close, pipe)
            selector.register(pipe, selectors.EVENT_READ, [None])
        while selector.get_map():
            for key, _ in selector.select():
                header = read_exactly(key.fd, 4)
                data = header and read_exactly(key.fd, struct.unpack("I", header)[0])
                if data:
                    message = pickle.loads(data)
                    key.data[0] = message[0]
                    take(session, message)
                else:
                    well &= key.data[0] == "done"
                    selector.unregister(key.fd)
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
    return well


def side_by_side(session, groups):
    """All of these, in as many workers as there may be."""
    queue, filling = os.pipe()
    os.write(filling, bytes(range(len(groups))))
    os.close(filling)
    workers = [start(session, groups, queue) for _ in range(min(session.config.option.workers, len(groups)))]
    os.close(queue)
    try:
        if not watch(session, [pipe for _, pipe in workers]):
            raise session.Failed("a worker ended before its work was done")
    except BaseException:
        for pid, _ in workers:  # each puts its engine away
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        raise
    finally:
        for pid, _ in workers:
            os.waitpid(pid, 0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    options = session.config.option
    groups = modules(session.items, options.split)
    if min(options.workers, len(groups)) < 2 or options.collectonly or options.usepdb or session.testsfailed:
        return None  # as always
    rounds = [[group for group in groups if str(group[0].path).endswith(names)] for names in LATER]
    rounds.insert(0, [group for group in groups if not any(group in later for later in rounds)])
    for one in filter(None, rounds):
        side_by_side(session, one)
    return True
