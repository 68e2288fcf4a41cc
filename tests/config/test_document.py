"""YAML without guesses: text stays text, and everything has its place."""

from pathlib import Path

import pytest

from edgerouter.config.document import MAX_BYTES, Data, dotted, parse, read


def said(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "f").problems]


@pytest.mark.parametrize(
    "text", ["22:30", "no", "1.20", "012", "0x1f", "true", "null", "~", "2024-01-01", "1e3"]
)
def test_plain_scalars_stay_the_text_that_was_written(text: str) -> None:
    assert parse(f"key: {text}", "f").data == {"key": text}


def test_an_empty_value_is_empty_text() -> None:
    assert parse("key:", "f").data == {"key": ""}


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", ""),
        ("- a\n- b", ["a", "b"]),
        ("'quoted: text'", "quoted: text"),
        ("{a: [b, {c: d}]}", {"a": ["b", {"c": "d"}]}),
    ],
)
def test_lists_mappings_and_scalars_come_out_plain(text: str, data: Data) -> None:
    document = parse(text, "f")

    assert document.data == data
    assert document.problems == []


def test_every_key_and_element_knows_its_line_and_column() -> None:
    document = parse("a:\n  - x\n  - b: 1\n    c: 2\n", "f")

    assert document.marks[("a",)] == (1, 1)
    assert document.marks[("a", 0)] == (2, 5)
    assert document.marks[("a", 1, "c")] == (4, 5)


def test_a_place_that_is_not_in_the_file_has_the_line_of_what_is_around_it() -> None:
    assert parse("a:\n  b: {c: 1}\n", "f").line(("a", "b", "missing", 3)) == 2


def test_the_first_of_two_equal_keys_is_kept_and_the_second_reported() -> None:
    document = parse("a: 1\nb: 2\na: 3\n", "f")

    assert document.data == {"a": "1", "b": "2"}
    assert said("a: 1\nb: 2\na: 3\n") == ["f:3: 'a' is written twice, first on line 1; keep one"]


@pytest.mark.parametrize("text", ["a: &x 1", "a: *x", "&x a: 1", "a: &x [1]\nb: *x", "a: {<<: *x}"])
def test_aliases_and_anchors_are_refused_with_their_line(text: str) -> None:
    [problem] = said(f"# first line\n{text}")

    assert "aliases and anchors are not allowed" in problem


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert said(bomb) == ["f:1: aliases and anchors are not allowed; write it out, or quote the * or &"]


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!mine", "!!int", "!!set"]
)
def test_tags_are_refused_and_never_constructed(tag: str) -> None:
    assert said(f"a: {tag} x") == ["f:1: a: tags are not allowed; remove the !tag"]


def test_nesting_is_bounded() -> None:
    assert said("[" * 40 + "]" * 40) == ["f:1: nested deeper than 32; flatten it"]
    assert said("[" * 200_000) == ["f:1: nested deeper than 32; flatten it"]


@pytest.mark.parametrize("text", ["? [a, b]\n: c", "{[a]: b}"])
def test_a_key_that_is_no_word_is_refused(text: str) -> None:
    assert said(text) == ["f:1: a key must be a word; quote it"]


def test_two_documents_in_one_file_are_refused() -> None:
    assert "expected a single document" in said("a: 1\n---\nb: 2\n")[0]


def test_a_tab_is_reported_on_its_line() -> None:
    assert said("a: 1\nb:\n\tc: 2\n")[0].startswith("f:3: not YAML: ")


def test_a_byte_that_yaml_does_not_allow_is_reported_on_its_line() -> None:
    assert said("a: 1\nb: \x01\n") == ["f:2: a character that YAML does not allow; remove it"]


@pytest.mark.parametrize("escape", ["\\ud800", "\\0", "\\e[31m", "\\x7f"])
def test_escapes_that_cannot_be_printed_or_sent_are_refused(escape: str) -> None:
    document = parse(f'a: "x{escape}"', "f")

    assert [problem.what for problem in document.problems] == ["holds a control character"]


def test_an_escape_beyond_unicode_is_a_mistake_not_a_crash() -> None:
    assert said('a: "\\UFFFFFFFF"') == ["f:1: not YAML: an escape sequence names no character"]


def test_a_file_that_is_not_there_says_so() -> None:
    assert [str(problem) for problem in read(Path("nowhere.yaml")).problems] == [
        "nowhere.yaml: cannot be read: No such file or directory"
    ]


def test_a_file_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a: 1\nb: \xff\n")

    assert str(read(path).problems[0]) == f"{path}:2: is not UTF-8; save the file as UTF-8"


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read(path).data == {"a": "1"}


def test_a_file_beyond_the_bound_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a: " + b"x" * MAX_BYTES)

    assert read(path).problems[0].what == "is larger than 1 MiB"


def test_a_place_reads_as_people_write_it() -> None:
    assert dotted(("upstreams", "hospital-a", "aliases", 0)) == "upstreams.hospital-a.aliases[0]"
