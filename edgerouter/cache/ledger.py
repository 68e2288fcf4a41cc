"""The pins of a cache, for the event loop: made, taken back, and decided for each study."""

from edgerouter.cache.desk import Desk
from edgerouter.cache.pins import Pin
from edgerouter.cache.shelf import Shelf


class Ledger:
    """Each method raises one of FAILURES when the catalog cannot be used: an operator is to know."""

    def __init__(self, desk: Desk, shelf: Shelf) -> None:
        self._desk = desk
        self._shelf = shelf

    async def put(self, pin: Pin) -> None:
        """Pin a study, here already or not, or what a query finds from now on."""
        await self._desk.write(self._shelf.pins.put, pin)
        await self.settle()

    async def drop(self, pin: Pin) -> bool:
        """Take exactly this pin back; False when there is none such."""
        had = await self._desk.write(self._shelf.pins.drop, pin)
        await self.settle()
        return had

    async def settle(self) -> None:
        """Decide for every study whether it is pinned today."""
        while await self._desk.write(self._shelf.pins.settle):
            pass

    async def all(self) -> list[Pin]:
        """Those made first come first."""
        return await self._desk.run(self._shelf.pins.all)

    async def undecided(self, pin: Pin) -> int:
        """How many studies its query cannot be asked of, because no metadata of them is here."""
        return await self._desk.run(self._shelf.pins.undecided, pin)
