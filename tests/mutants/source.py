"""Where a C source can be broken on purpose, one small fault at a time.

A source is read into tokens, without comments, strings and preprocessor lines; a fault replaces a few of its
characters by others. Nothing here knows how it is compiled or tested."""
import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<skip>/\*.*?\*/|//[^\n]*|^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*)
      |(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      |(?P<number>\b(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?)(?:[uUlL]*)\b)
      |(?P<name>[A-Za-z_]\w*)
      |(?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])""",
    re.X | re.S | re.M)

SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}
NAMES = {"true": "false", "false": "true"}
# A statement that begins with one of these is no call and no assignment, or leads to a compiler's complaint only.
NOT_DROPPED = {"return", "break", "continue", "goto", "case", "default", "else", "do", "if", "for", "while", "switch",
               "static", "const", "struct", "enum", "union", "typedef", "extern", "assert", "va_start", "va_end",
               "va_list", "_Static_assert"}


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int

    @property
    def end(self):
        return self.at + len(self.text)


@dataclass(frozen=True)
class Fault:
    """In FILE, the characters from at to end become `new`."""
    file: str
    at: int
    end: int
    new: str
    line: int
    kind: str  # condition, operator, constant, statement
    said: str  # what became what

    def apply(self, text):
        return text[:self.at] + self.new + text[self.end:]


def tokens(text):
    return [Token(m.lastgroup, m.group(), m.start()) for m in TOKEN.finditer(text) if m.lastgroup != "skip"]


def closing(all_tokens, opening):
    """The index of the bracket that closes the one at `opening`."""
    depth = 0
    for i in range(opening, len(all_tokens)):
        depth += all_tokens[i].text in "([{" and all_tokens[i].kind == "sign"
        depth -= all_tokens[i].text in ")]}" and all_tokens[i].kind == "sign"
        if depth == 0:
            return i
    return len(all_tokens) - 1


def in_functions(all_tokens):
    """The indexes of the tokens that lie in functions' bodies: a `{` after a `)` outside all braces begins one."""
    inside, i = set(), 0
    while i < len(all_tokens):
        if all_tokens[i].text == "{":
            end = closing(all_tokens, i)
            if i and all_tokens[i - 1].text == ")":
                inside.update(range(i + 1, end))
            i = end
        i += 1
    return inside


def statement_end(all_tokens, begin):
    """The index of the `;` of a statement that begins here, where it is a call or an assignment; else None."""
    first = all_tokens[begin]
    if first.kind != "name" and first.text not in ("*", "++", "--"):
        return None
    if first.text in NOT_DROPPED:
        return None
    depth = 0
    does = False  # it calls or assigns
    for i in range(begin, len(all_tokens)):
        t = all_tokens[i]
        if t.text in "([" and t.kind == "sign":
            does |= t.text == "("
            depth += 1
        elif t.text in ")]" and t.kind == "sign":
            depth -= 1
        elif t.text in ("{", "}") and t.kind == "sign" and depth == 0:
            return None
        elif t.text == ";" and depth == 0:
            return i if does else None
        elif depth == 0 and t.kind == "sign" and (t.text in ("=", "++", "--") or t.text[-1] == "=" and len(t.text) > 1
                                                  and t.text not in ("==", "!=", "<=", ">=")):
            does = True
        # Two names side by side, or a name behind a star behind a name: a declaration.
        if depth == 0 and i == begin + 1 and (t.kind == "name" or t.text == "*" and all_tokens[i + 1].kind == "name"
                                              and first.text != "*"):
            return None
    return None


def faults(file, text):
    """All faults that this file can have."""
    all_tokens = tokens(text)
    inside = in_functions(all_tokens)
    heads = [i for i, t in enumerate(all_tokens[:-1]) if t.text in ("if", "while", "for") and all_tokens[i + 1].text == "("]
    after_head = {closing(all_tokens, i + 1) + 1 for i in heads}  # a statement without braces
    found = []

    def add(kind, at, end, new, said):
        line = text.count("\n", 0, at) + 1
        found.append(Fault(file, at, end, new, line, kind, said))

    for i in sorted(inside):
        t, before = all_tokens[i], all_tokens[i - 1]
        if t.kind == "sign" and t.text in SWAPS:
            add("operator", t.at, t.end, SWAPS[t.text], f"{t.text} became {SWAPS[t.text]}")
        elif t.kind == "sign" and t.text in "+-" and (before.kind in ("name", "number") or before.text in ")]") \
                and before.text not in ("return", "case"):
            new = "-" if t.text == "+" else "+"
            add("operator", t.at, t.end, new, f"{t.text} became {new}")
        elif t.kind == "sign" and t.text == "!":
            add("condition", t.at, t.end, "!!", "! was dropped")
        elif t.kind == "name" and t.text in NAMES:
            add("constant", t.at, t.end, NAMES[t.text], f"{t.text} became {NAMES[t.text]}")
        elif t.kind == "number" and before.text != "[":
            add("constant", t.at, t.end, f"({t.text} + 1)", f"{t.text} became {t.text} + 1")
        elif t.text in ("if", "while") and all_tokens[i + 1].text == "(":
            opening = all_tokens[i + 1]
            end = all_tokens[closing(all_tokens, i + 1)]
            add("condition", opening.at, end.end, f"(!{text[opening.at:end.end]})", "the condition was negated")
        if before.text in (";", "{", "}", "else") or i in after_head:
            end = statement_end(all_tokens, i)
            if end is not None:
                gone = " ".join(text[t.at:all_tokens[end].end].split())
                add("statement", t.at, all_tokens[end].at, "(void)0", f"dropped: {gone[:70]}")
    # Constants of a file decide as much as those in functions.
    for m in re.finditer(r"^(?:static )?const (?:fact|double|size_t|uint64_t|int64_t|long|int)\s[^;{]*;", text, re.M):
        for t in tokens(m.group()):
            if t.kind == "number":
                at = m.start() + t.at
                add("constant", at, at + len(t.text), f"({t.text} + 1)", f"{t.text} became {t.text} + 1")
    return sorted(set(found), key=lambda f: (f.at, f.new))
