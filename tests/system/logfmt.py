"""Reads the program's log lines: key=value, quoted where needed."""

import re

FIELD = re.compile(r'([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)')
ESCAPE = re.compile(r"\\(.)")


class Record(dict):
    """The fields of a line; `at` is when it came (monotonic)."""

    at = 0.0

    @property
    def msg(self):
        return self.get("msg", "")

    def matches(self, msg, fields):
        return (msg is None or self.msg == msg) and all(self.get(k) == str(v) for k, v in fields.items())


def parse(line):
    """The Record of a line; None if it is not logfmt from end to end."""
    record, at = Record(), 0
    line = line.strip()
    while at < len(line):
        field = FIELD.match(line, at)
        if not field:
            return None
        value = field[2]
        if value.startswith('"'):
            value = ESCAPE.sub(lambda e: {"n": "\n", "t": "\t", "r": "\r"}.get(e[1], e[1]), value[1:-1])
        record[field[1]] = value
        at = field.end()
    return record or None
