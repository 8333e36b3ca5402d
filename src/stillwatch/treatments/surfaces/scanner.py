"""Which parts of a text are plain prose: everything else is left as it is.

In: the tokens of a text, one after the other, each with the character behind it. Out: whether each stands in plain
prose. Not prose: code (fenced, indented, inline, or a paragraph that looks like it), JSON, XML and other structures,
tables, headings, block quotations, quotations, emphasis (names and terms), links, addresses, mathematics.
The state depends on what came before alone, never on how the text arrives. In doubt a token is no prose, and a
paragraph that held code stays none to its end. Cost: about a microsecond a token. Left to `sites`: what is a site.
Source: CommonMark 0.31 for fences, code spans, headings, quotations and links.
"""

import re
from typing import Final

TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[ \t]+|`+|~+|\*+|_+|\"+|'+|[\s\S]")
"""A word with its apostrophes, spaces, a run of one mark, or one character."""
_CODE_WORDS: Final = frozenset(
    "def class import from return if elif else for while try except with const let var function public private "
    "protected static void int use using select insert update delete create alter echo print assert raise lambda async "
    "await package func fn struct enum end do then sudo apt pip git cd npm docker export yield pass break continue "
    "switch case default new type interface namespace include require module".split()
)
"""A line that begins with one of these, in small letters, is taken for code."""
_CODE_MARKS: Final = frozenset("={}|\\@#^<>")
"""A paragraph is taken for code or a structure from one of these on."""
_CLOSING: Final = {"“": "”", "«": "»", "„": "“", "「": "」"}


class Scanner:
    """Follows one text."""

    __slots__ = ("_before", "_blank", "_code", "_depth", "_emphasis", "_fence", "_indent", "_line", "_link", "_math",
                 "_paragraph", "_quote", "_start", "_structure", "_triple", "_word_before", "first")  # fmt: skip

    def __init__(self) -> None:
        self.first = True
        """Nothing but space came so far."""
        self._fence = ""
        self._triple = ""
        self._code = 0
        self._depth = 0
        self._quote = ""
        self._emphasis = ""
        self._link = ""
        self._math = ""
        self._line = False
        self._paragraph = False
        self._structure = False
        self._start, self._blank, self._indent = True, True, 0
        self._before = ""
        self._word_before = False

    def take(self, token: str, behind: str) -> bool:
        """Take the next token and the character behind it (empty at the end); return whether it stands in prose."""
        mark = token[0]
        if mark == "\n":
            self._new_line()
            return not self._closed()
        if self._start:
            self._line_start(token, mark, behind)
        prose = not self._closed()
        if not mark.isspace():
            self._blank = False
            if not mark.isalnum():
                self._marked(token, mark, behind)
                prose = prose and not self._closed()
            self.first = False
        self._before, self._word_before = token[-1], mark.isalpha()
        return prose

    def _closed(self) -> bool:
        return bool(
            self._line or self._paragraph or self._fence or self._quote or self._emphasis or self._link or self._code
            or self._depth or self._triple or self._math or self._structure
        )  # fmt: skip

    def _new_line(self) -> None:
        if self._blank:
            self._paragraph = False
            self._code, self._quote, self._math = 0, "", ""
        self._line, self._emphasis, self._link = False, "", ""
        self._start, self._blank, self._indent = True, True, 0
        self._before, self._word_before = "\n", False

    def _line_start(self, token: str, mark: str, behind: str) -> None:
        """Look at the first tokens of a line: spaces, list markers, then what the line begins with."""
        if mark.isspace():
            self._indent += 4 if "\t" in token else len(token)
            self._line = self._line or self._indent >= 4
            return
        if token in ("-", "*", "+", "•") and behind in (" ", "\t"):
            self._indent = 0
            return
        self._start = False
        if mark in "`~" and len(token) >= 3 and not self._triple:
            self._fence_line(token)
        elif mark in "{<" or (mark == "[" and behind in "\n{[\"'"):
            self._paragraph = True
            self._structure = self._structure or self.first
        elif mark in "#>/|%$" or (mark == "-" and behind == "-") or token in _CODE_WORDS:
            self._line = True
            self._paragraph = self._paragraph or mark not in "#>$"

    def _fence_line(self, token: str) -> None:
        if not self._fence:
            self._fence = token
        elif token[0] == self._fence[0] and len(token) >= len(self._fence):
            self._fence, self._line = "", True

    def _marked(self, token: str, mark: str, behind: str) -> None:
        """Take a mark that may open or close something."""
        if self._fence or self._line and mark not in "{}[]\"'`":
            return
        if self._triple or (mark in "\"'" and len(token) >= 3):
            self._triple = self._triple_after(token, mark)
        elif mark == "`" or self._code:
            if mark == "`":
                self._code = len(token) if not self._code else 0 if len(token) == self._code else self._code
        elif self._quote:
            self._quote = "" if self._ends_quote(mark, behind) else self._quote
        else:
            self._opens(token, mark, behind)

    def _triple_after(self, token: str, mark: str) -> str:
        if not self._triple:
            return "" if len(token) >= 6 else mark
        return "" if mark == self._triple and len(token) >= 3 else self._triple

    def _ends_quote(self, mark: str, behind: str) -> bool:
        return mark == self._quote and not (mark in "'’" and behind.isalpha())

    def _opens(self, token: str, mark: str, behind: str) -> None:
        fresh = not self._before.isalnum()
        if mark == '"' and len(token) == 1 and not self._before.isdigit():
            self._quote = mark
        elif mark in _CLOSING:
            self._quote = _CLOSING[mark]
        elif mark in "'‘" and fresh and behind.isalnum():
            self._quote = "'" if mark == "'" else "’"
        elif mark in "*_":
            self._emphasise(token, mark, behind)
        elif mark in "{}[]()":
            self._bracket(mark, behind)
        elif mark == "$":
            self._math = "" if self._math else "$" if not behind.isdigit() else self._math
        elif mark in _CODE_MARKS or (mark == ";" and behind in "\r\n"):
            self._paragraph = True

    def _emphasise(self, token: str, mark: str, behind: str) -> None:
        if self._emphasis:
            if mark == self._emphasis[0] and len(token) >= len(self._emphasis) and not self._before.isspace():
                self._emphasis = ""
        elif behind and not behind.isspace() and not self._before.isalnum():
            self._emphasis = token

    def _bracket(self, mark: str, behind: str) -> None:
        if mark in "{}" or (mark == "[" and self._depth):
            self._depth = max(self._depth + (1 if mark in "{[" else -1), 0)
            self._paragraph = True
        elif mark == "[":
            self._link = "]"
        elif mark == "]":
            self._depth = max(self._depth - 1, 0)
            self._link = ")" if self._link and behind == "(" else ""
        elif mark == ")" and self._link == ")":
            self._link = ""
        elif mark == "(" and self._word_before and behind != "s":
            self._paragraph = True
