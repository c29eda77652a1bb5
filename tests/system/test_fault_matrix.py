"""Each stage of each remedy times each fault: nothing lost, nothing twice, nothing silent, nothing for ever. CI runs one
fault for each stage and kind; `make prove` all."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

import wait
from matrix import Cell, all_cells

AT_ONCE = int(os.environ.get("SUPERVISOR_CELLS", "5"))
ALWAYS = [
    ("restart", "deed", "killed while it asks"), ("restart", "check", "killed"), ("restart", "check", "person stops it"),
    ("restart", "deed", "cut off while it asks"), ("restart", "check", "engine gone"), ("restart", "fresh", "engine 503"),
    ("restart", "commit", "database corrupt"), ("restart", "recover", "clock year behind"), ("restart", "allow", "clock day ahead"),
    ("restart", "deed", "start refused"), ("restart", "lock", "disk full"), ("restart", "prepare", "recreated"),
    ("kill", "deed", "killed"), ("unload", "check", "database moved"), ("limit", "deed", "engine 400"),
    ("stop", "deed", "answer lost"), ("throttle", "deed", "killed"), ("restart", "deed", "disk read-only"),
]
CELLS = [pytest.param(cell, id="-".join(cell).replace(" ", "_"), marks=() if cell in ALWAYS else pytest.mark.prove)
         for cell in [*ALWAYS, *(cell for cell in all_cells() if cell not in ALWAYS)]]


def run(engine, number, cell):
    Cell(engine, number, *cell).run()


class UnderWay(dict):
    """By cell; one that was not begun yet, as it is of another part of this module, is begun when it is asked for."""

    def __init__(self, pool, engine):
        self.pool, self.engine = pool, engine

    def begin(self, cell):
        self[cell] = self.pool.submit(run, self.engine, len(self), cell)
        return self[cell]

    __missing__ = begin


@pytest.fixture(scope="module")
def under_way(request, engine, built):
    """All that were chosen for this worker, some at a time."""
    engine.image()
    chosen = [item.callspec.params["cell"] for item in request.session.items if item.path == request.path]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            cells = UnderWay(pool, engine)
            for cell in chosen:
                cells.begin(cell)
            yield cells
        except BaseException:
            wait.given_up.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("cell", CELLS)
def test_cell(under_way, cell):
    under_way[cell].result()
