"""Proxy-Status (RFC 9209): what happened to a request on its way, and at which upstream."""

import re

from edgerouter.errors import RouterError

_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")


def proxy_status(error: RouterError, upstream: str | None = None) -> str:
    """The field's member for an error; `upstream` is the one asked where the error names none."""
    what = f"error={error.token}" if error.token else f"received-status={error.status}"
    name = error.upstream or upstream
    hop = f"; next-hop={_bare_item(name)}" if name else ""
    return f"edgerouter; {what}{hop}; details={_string(error.detail)}"


def _bare_item(name: str) -> str:
    return name if _TOKEN.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    """A structured field string (RFC 9651 §3.3.3); what it cannot hold becomes a question mark."""
    printable = re.sub(r"[^\x20-\x7e]", "?", text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
