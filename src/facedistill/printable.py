"""Text of unknown origin (names of files, people, models) made safe to show: it stays one line and moves no cursor."""

import unicodedata

# Their characters are drawn where others stand, or end a line: control, surrogate, line and paragraph separator.
_REFUSED = {"Cc", "Cs", "Zl", "Zp"}
# They turn the direction of what follows, so that a name reads as another one (CVE-2021-42574).
_TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str, keep: str = "") -> str:
    r"""The text with each character that is not drawn in its place as an escape, such as `\x1b`.

    Terminals obey control characters (colours, the cursor, the window's title, the clipboard), which a file's name may
    hold as well as the name in a model file.

    Args:
        text: Any; characters of a name that is not UTF-8 (`os.fsdecode`) too.
        keep: Control characters to leave, such as the newlines of a text of several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escaped(character) if _strange(character) and character not in keep else character for character in text
    )


def _strange(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in _REFUSED


def _escaped(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def is_utf8(text: str) -> bool:
    """Whether the text can be written as UTF-8: no name of bytes that are not (`os.fsdecode`), no half of a pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
