"""Where each instance of one upload goes, by the rules, and the account of it that the answer needs."""

from collections.abc import Mapping

from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.store_merge import TargetAnswer
from edgerouter.dicomweb.store_response import PROCESSING_FAILURE, StoreOutcome, StoreResponse
from edgerouter.routing.router import Denial, Sorting
from edgerouter.transactions.instance_head import HeadReader, Instance, InstanceHead, Refusal
from edgerouter.upstream.seam import Archive

NOT_AUTHORISED = 0x0124
STUDY_MISMATCH = 0xA901  # of "data set does not match"; Azure has the same number for the same thing


class Sorter:
    """Decides for each instance of an upload that may hold only instances of `study`, if it is given.

    `sent` is what was sent to whom, in order; `refused` what was not, by the status that a request with
    nothing else would get; `reasons` is what rules say of that."""

    def __init__(self, sorting: Sorting, archives: Mapping[str, Archive], study: str | None) -> None:
        self.sent: dict[str, list[Instance]] = {}
        self.refused: dict[int, list[StoreOutcome]] = {}
        self.reasons: dict[str, None] = {}
        self._sorting = sorting
        self._takers = {name for name in sorting.upstreams if archives[name].takes(Transaction.STORE)}
        self._study = study
        self._heads = HeadReader(sorting.attributes, study=study is not None)
        self._classes: dict[str, str] = {}

    def place(self, data: bytes, complete: bool) -> str | None:
        """The upstream that the instance beginning with `data` goes to, None for nowhere.

        Raises NeedMore when more bytes have to tell. Every instance is to be placed once."""
        try:
            head = self._heads.read(data, complete=complete)
            name = self._destination(head)
        except Refusal as refusal:
            outcome = StoreOutcome(*refusal.instance, failure=refusal.reason)
            self.refused.setdefault(refusal.status, []).append(outcome)
            return None
        sop_class, uid = head.instance
        # Thousands of instances are of a few classes.
        self.sent.setdefault(name, []).append((self._classes.setdefault(sop_class, sop_class), uid))
        return name

    def refusals(self) -> list[TargetAnswer]:
        """The refused instances as if targets of their own had answered for them."""
        return [_refused(status, tuple(outcomes)) for status, outcomes in self.refused.items()]

    def _destination(self, head: InstanceHead) -> str:
        if self._study is not None and head.study != self._study:
            raise Refusal(409, STUDY_MISMATCH, head.instance)
        decision = self._sorting.decide(head.dataset)
        if isinstance(decision, Denial):
            self.reasons[decision.reason] = None
            raise Refusal(decision.status, NOT_AUTHORISED, head.instance)
        # An upload belongs where the route says: never, because that is down, into another archive.
        takers = (name for name in decision.upstreams if name in self._takers)
        if name := next(takers, None):
            return name
        raise Refusal(405, PROCESSING_FAILURE, head.instance)


def _refused(status: int, outcomes: tuple[StoreOutcome, ...]) -> TargetAnswer:
    named = tuple((each.sop_class, each.sop_instance) for each in outcomes if each.sop_instance)
    return TargetAnswer(status, named, StoreResponse(outcomes))
