"""Names while the resolver is well, and while it is not."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from edgerouter.upstream.resolver import PatientResolver


class Names(AbstractResolver):
    """A resolver that knows one address, or fails while there is none."""

    def __init__(self) -> None:
        self.address: str | None = "192.0.2.1"
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self.address is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [ResolveResult(hostname=host, host=self.address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        self.closed = True


async def test_the_last_good_address_serves_ten_minutes_of_failure_and_no_longer() -> None:
    now, names = 0.0, Names()
    resolver = PatientResolver(names, now=lambda: now)
    assert (await resolver.resolve("pacs", 80))[0]["host"] == "192.0.2.1"

    names.address, now = None, 600.0
    assert (await resolver.resolve("pacs", 80))[0]["host"] == "192.0.2.1"
    with pytest.raises(OSError, match="name resolution"):
        await resolver.resolve("other", 80)

    now = 601.0
    with pytest.raises(OSError, match="name resolution"):
        await resolver.resolve("pacs", 80)


async def test_a_changed_address_is_used_at_once() -> None:
    names = Names()
    resolver = PatientResolver(names)
    await resolver.resolve("pacs", 80)
    names.address = "192.0.2.2"

    assert (await resolver.resolve("pacs", 80))[0]["host"] == "192.0.2.2"


async def test_closing_it_closes_its_source() -> None:
    names = Names()
    await PatientResolver(names).close()

    assert names.closed
