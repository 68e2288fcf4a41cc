"""The memory of look-ups is bounded and never overtaken by a change."""

from edgerouter.cache.index import Index


def test_an_answer_is_remembered_until_its_key_is_dropped() -> None:
    index: Index[str, int] = Index()
    index.tell("k", index.ask("k"), 1)
    assert index.get("k") == 1
    index.drop("k")
    assert index.get("k") is None


def test_an_answer_that_a_change_overtook_is_not_remembered() -> None:
    index: Index[str, int] = Index()
    token = index.ask("k")
    index.drop("k")
    index.tell("k", token, 1)
    assert index.get("k") is None


def test_of_two_questions_at_once_the_later_is_remembered() -> None:
    index: Index[str, int] = Index()
    first, second = index.ask("k"), index.ask("k")
    index.tell("k", first, 1)
    assert index.get("k") is None
    index.tell("k", second, 2)
    assert index.get("k") == 2


def test_a_question_without_an_answer_is_forgotten() -> None:
    index: Index[str, int] = Index()
    index.tell("k", index.ask("k"), None)
    assert index.get("k") is None


def test_the_least_recently_used_goes_first() -> None:
    index: Index[str, int] = Index(limit=2)
    for number, key in enumerate("ab"):
        index.tell(key, index.ask(key), number)
    index.get("a")
    index.tell("c", index.ask("c"), 3)
    assert (index.get("a"), index.get("b"), index.get("c")) == (0, None, 3)


def test_clearing_forgets_questions_too() -> None:
    index: Index[str, int] = Index()
    token = index.ask("k")
    index.clear()
    index.tell("k", token, 1)
    assert index.get("k") is None
