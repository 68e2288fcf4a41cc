"""Warning (PS3.18 §8.5): the agent of an upstream's warning is its base URL, so for our clients it is ours.

Written in several ways: `299 <service>: text` by the standard, `299 host:port "text"` by RFC 7234 and
dcm4chee, `A700 <service>: text` by old Store answers. Whatever is read, the standard's form goes out.
"""

import re

_CODE = re.compile(r"[0-9A-Fa-f]{3,4}\Z")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"(?:[ \t]+"[^"]*+")?[ \t]*(?:,[ \t]*|\Z)')
_ESCAPE = re.compile(r"\\(.)")


def own_warnings(line: str, public: str) -> list[str]:
    """The warnings of one field line with us as their agent; what is no warning stays as it is."""
    warnings: list[str] = []
    while line:
        code, _, rest = line.partition(" ")
        if not _CODE.match(code) or not rest:
            return [*warnings, line]
        text = _text(rest.strip())
        quoted = _QUOTED.match(text)
        line = text[quoted.end() :] if quoted else ""
        text = _ESCAPE.sub(r"\1", quoted[1]) if quoted else text
        warnings.append(f"{code} {public}: {text}")
    return warnings


def _text(rest: str) -> str:
    """What follows the agent: a base URL, a host, a name with a colon, or a hyphen."""
    agent, _, text = rest.partition(" ")
    named = agent == "-" or any(mark in agent for mark in ":/.")
    return text.strip() if named and text else rest
