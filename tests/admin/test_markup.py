"""Nothing becomes markup by being forgotten."""

from html import unescape
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from edgerouter.admin.markup import Html, element, joined


class Read(HTMLParser):
    """What a browser makes of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_markup_stays_and_text_is_escaped() -> None:
    html = element("p", "a<b>&", element("b", "c"), class_='x" y')

    assert html == '<p class="x&quot; y">a&lt;b&gt;&amp;<b>c</b></p>'
    assert joined(Html("<br>"), "<br>") == "<br>&lt;br&gt;"


@given(st.text(), st.text())
def test_any_text_is_text_to_a_browser(text: str, value: str) -> None:
    read = Read(element("p", text, title=value))

    assert [(tag, attributes[0][0]) for tag, attributes in read.tags] == [("p", "title")]
    assert read.text == text
    assert unescape(element("p", text)) == f"<p>{text}</p>"
