"""Problem documents."""

import json

from edgerouter.http.problem import problem, title


def test_a_problem_says_its_status_in_words() -> None:
    assert json.loads(problem(404, "No.", "id-1")) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "No.",
        "instance": "id-1",
    }
    assert "instance" not in json.loads(problem(404, "No."))


def test_a_status_without_a_registered_phrase_has_a_title_too() -> None:
    assert title(299) == "Error"
