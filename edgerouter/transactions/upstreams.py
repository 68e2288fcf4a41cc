"""What the transactions need of an upstream beyond the archive seam."""

from typing import Protocol

from edgerouter.upstream.seam import Archive


class Upstream(Archive, Protocol):
    """An archive with what passive health thinks of it."""

    @property
    def healthy(self) -> bool:
        """Whether to ask it while another could be asked; as the only holder it is asked all the same."""

    def overdue(self, seconds: float) -> None:
        """A caller has waited so long in vain, by a deadline of its own. Unless something else was heard
        from the upstream meanwhile, passive health counts that as a failure."""
