"""A touched study is seen as touched, and a forgotten mark never makes it look untouched."""

from edgerouter.cache.moments import Moments


def test_a_mark_after_the_moment_touches_what_it_covers() -> None:
    for mark in (("1", "a"), ("1", None), (None, "a"), (None, None)):
        moments = Moments()
        since = moments.now()
        assert moments.untouched("1", "a", since)
        moments.mark(*mark)
        assert not moments.untouched("1", "a", since)
        assert moments.untouched("1", "a", moments.now())


def test_a_mark_touches_nothing_else() -> None:
    moments = Moments()
    since = moments.now()
    moments.mark("1", "a")
    assert moments.untouched("1", "b", since)
    assert moments.untouched("2", "a", since)


def test_what_was_forgotten_counts_as_touched() -> None:
    moments = Moments(limit=2)
    since = moments.now()
    for study in ("1", "2", "3"):
        moments.mark(study, None)
    assert not moments.untouched("1", "a", since)
    assert not moments.untouched("9", "a", since)
    assert moments.untouched("9", "a", moments.now())
