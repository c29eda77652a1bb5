"""Loading: is there room, what goes for it, and what is told."""

import json

from sizes import MIB

ROOM = {"memory.reserve": "0"}


def test_fits(bench):
    one = bench.ollama("one", models="first=100M")
    dry = bench.supervisor("load", "first", "--dry-run")
    assert dry.code == 0 and "would be loaded" in dry.out, dry
    assert one.loaded() == []
    done = bench.supervisor("load", "first", "--json")
    print(done)
    row = json.loads(done.out)
    assert done.code == 0 and row["result"] == "loaded" and one.loaded() == ["first"], done
    assert row["after"] - row["before"] >= 100 * MIB and row["runner"] >= 100 * MIB
    again = bench.supervisor("load", "FIRST:latest")
    assert again.code == 0 and "loaded already" in again.out, again
    missing = bench.supervisor("load", "nothing")
    assert missing.code == 1 and "nothing is not installed there: ollama pull nothing" in missing.err, missing
