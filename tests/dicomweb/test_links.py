import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.tokens import TokenBox

BOX = TokenBox(b"k" * 32)
PUBLIC = "https://edge.example/dicomweb"
BASE = "http://pacs:8042/dicom-web"
LINKS = LinkMap("a", (BASE, "http://localhost/rs", "https://[::1]:8443/rs"), PUBLIC, BOX)
HERE = f"{BASE}/studies/1.2/series/3/metadata"


def link(url: str, relative_to: str = HERE) -> str:
    return LINKS.map(url, relative_to)


def opened(url: str) -> tuple[str, str] | None:
    assert url.startswith(f"{PUBLIC}/bulkdata/")
    return BOX.open(url.removeprefix(f"{PUBLIC}/bulkdata/"))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/studies",
        "/studies/1.2",
        "/studies/1.2/series/3/instances/4",
        "/studies/1.2/series/3/instances/4/frames/1%2C2",
        "/studies/1.2/series/3/instances/4/frames/1,2",
        "/studies/1.2/series/3/instances/4/bulk/7fe00010/1",
        "/studies/1.2/series/3/instances/4/bulkdata/a%20b'(c)",
        "/studies/1.2/rendered?viewport=64%2C64",
        "/studies/1.2/thumbnail?viewport=64,64&a=b/c?d",
    ],
)
@pytest.mark.parametrize("base", [BASE, "http://localhost/rs", "https://[::1]:8443/rs"])
def test_a_link_into_the_study_tree_keeps_its_path_to_the_byte(base: str, path: str) -> None:
    assert link(base + path) == PUBLIC + path


@pytest.mark.parametrize(
    "base", ["HTTP://PACS:8042/dicom-web", "http://LocalHost:80/rs", "http://localhost:/rs"]
)
def test_scheme_host_and_default_port_are_compared_by_meaning(base: str) -> None:
    assert link(f"{base}/studies/1") == f"{PUBLIC}/studies/1"


@pytest.mark.parametrize(
    "rest",
    [
        "/files/7",
        "/files/a%2Fb%2C",
        "/studies/1.2/series/3/instances/4/bulk/1?offset=3&length=4",
        "/studies/1.2/metadata?x=1",
        "/studies?limit=1",
        "/studies/not-a-uid",
        "/studies/1/",
        "/bulkdata/abc",  # a token of an upstream that is a router itself
        "?op=get",
    ],
)
def test_a_link_elsewhere_under_the_base_or_with_a_query_is_sealed(rest: str) -> None:
    assert opened(link(BASE + rest)) == ("a", rest)


def test_a_wado_uri_link_goes_to_our_wado_service() -> None:
    links = LinkMap("a", (BASE, f"{BASE}/wado"), PUBLIC, BOX)
    query = "?studyUID=1&requestType=WADO&contentType=image%2Fjpeg"
    assert links.map(f"{BASE}/wado{query}", HERE) == f"{PUBLIC}/wado{query}"
    assert opened(links.map(f"{BASE}/wado?requestType=WADOX", HERE)) == ("a", "?requestType=WADOX")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://169.254.169.254/latest/meta-data",
        "http://evil/dicom-web/studies/1",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "gopher://pacs:8042/dicom-web/studies/1",
        "ftp://pacs:8042/dicom-web/studies/1",
        "javascript:alert(1)",
        "data:,x",
        "https://pacs:8042/dicom-web/studies/1",  # another scheme is another service
        "http://pacs/dicom-web/studies/1",
        "http://pacs:80/dicom-web/studies/1",
        "http://pacs:08042/dicom-web/studies/1",
        "http://pacs.evil:8042/dicom-web/studies/1",
        "http://pacs.:8042/dicom-web/studies/1",
        "http://pacs:8042@evil/dicom-web/studies/1",
        "http://pacs:8042:@evil/dicom-web/studies/1",
        "http://user@pacs:8042/dicom-web/studies/1",
        "http://user:secret@pacs:8042/dicom-web/studies/1",
        "http://evil@pacs:8042/dicom-web/studies/1",
        "http://pacs:80#@evil/dicom-web/studies/1",
        "http://pacs:8042#@evil/",
        "http://pacs:8042/dicom-web#@evil/",
        "http://pacs:8042/dicom-web/studies/1#x",
        "http://pacs:8042\\@evil/dicom-web/studies/1",
        "http://pacs:8042/dicom-web\\..\\admin",
        "http:\\\\pacs:8042/dicom-web/studies/1",
        "http:/pacs:8042/dicom-web/studies/1",
        "http:pacs:8042/dicom-web/studies/1",
        "http:///pacs:8042/dicom-web/studies/1",
        "http://pacs:8042/dicom-webX/studies/1",
        "http://pacs:8042/dicom-web.evil/studies/1",
        "http://pacs:8042/DICOM-WEB/studies/1",
        "http://pacs:8042/dicom%2Dweb/studies/1",
        "http://pacs:8042/dicom-web/../admin",
        "http://pacs:8042/dicom-web/studies/../../admin",
        "http://pacs:8042/dicom-web/%2e%2e/admin",
        "http://pacs:8042/dicom-web/..%2fadmin",
        "http://pacs:8042/dicom-web/..;/admin",
        "http://pacs:8042/dicom-web//evil/x",
        "http://pacs:8042/dicom-web/a b",
        "http://pacs:8042/dicom-web/é",
        "http://pacs:8042/dicom-web/a\nHost: evil",
        "http://pacs:8042/dicom-web/a%0d%0aHost:%20evil",
        " http://pacs:8042/dicom-web/studies/1",
        "ht\ntp://pacs:8042/dicom-web/studies/1",
        "http://[::ffff:127.0.0.1]/dicom-web/studies/1",
        "http://2130706433/rs/studies/1",
        "http://0x7f.1/rs/studies/1",
        "http://[::1/rs",
        "//evil/dicom-web/studies/1",
        "//pacs:8042@evil/dicom-web/studies/1",
        "//[evil/x",
        "///evil/x",
        "/\\evil/x",
        "/elsewhere/studies/1",
        "../../../../../admin",
        "../../../../../../../dicom-webX/a",
        "#x",
    ],
)
def test_a_link_that_is_not_plainly_the_upstreams_own_is_left_alone(url: str) -> None:
    assert link(url) == url
    assert LINKS.at(HERE).location(url) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("instances/4/bulk/7fe00010", "/studies/1.2/series/3/instances/4/bulk/7fe00010"),
        ("./instances/4", "/studies/1.2/series/3/instances/4"),
        ("../3/instances/4/frames/1%2C2", "/studies/1.2/series/3/instances/4/frames/1%2C2"),
        ("../../../9", "/studies/9"),
        ("/dicom-web/studies/9", "/studies/9"),
        ("//pacs:8042/dicom-web/studies/9", "/studies/9"),
        ("/../../../dicom-web/studies/9", "/studies/9"),
    ],
)
def test_a_relative_link_is_resolved_against_the_request(url: str, path: str) -> None:
    assert link(url) == PUBLIC + path
    assert LINKS.at(HERE).map_here(url) == PUBLIC + path
    assert LINKS.at(HERE).location(url) == PUBLIC + path


def test_a_relative_link_elsewhere_under_the_base_is_sealed() -> None:
    assert opened(link("../../../../files/7?x=1")) == ("a", "/files/7?x=1")


def test_a_relative_link_without_a_request_to_resolve_it_is_left_alone() -> None:
    assert LINKS.map_here("instances/4") == "instances/4"
    assert LINKS.location("instances/4") is None


@given(
    st.sampled_from([BASE, "http://localhost/rs", PUBLIC, "http://evil"]),
    st.text("/.?%2e1abc;=#@\\é ", max_size=12),
)
def test_mapping_twice_is_mapping_once(base: str, rest: str) -> None:
    once = link(base + rest)
    assert link(once) == once
    assert once == base + rest or once.startswith(PUBLIC)


def test_a_link_that_names_us_already_stays() -> None:
    for url in (PUBLIC, f"{PUBLIC}/studies/1", f"{PUBLIC}/bulkdata/x", f"{PUBLIC}/studies/1/rendered?a=b"):
        assert link(url) == url
        assert LINKS.location(url) == url


@pytest.mark.parametrize(
    ("base", "public"),
    [
        ("http://front/pacs", "http://front"),
        ("http://front", "http://front/edge"),
        ("http://front/edge/a", "http://front/edge"),
    ],
)
def test_the_deeper_of_two_bases_decides(base: str, public: str) -> None:
    links = LinkMap("a", (base,), public, BOX)
    assert links.map(f"{base}/studies/1", HERE) == f"{public}/studies/1"
    assert links.map(f"{public}/studies/1", HERE) == f"{public}/studies/1"


def test_a_base_that_is_no_url_is_never_matched() -> None:
    links = LinkMap("a", ("pacs:8042/dicom-web", "http://pacs/rs/"), "/dicomweb", BOX)
    assert links.map("pacs:8042/dicom-web/studies/1", HERE) == "pacs:8042/dicom-web/studies/1"
    assert links.map("http://pacs/rs/studies/1", HERE) == "/dicomweb/studies/1"


def test_a_link_too_long_to_seal_is_left_alone() -> None:
    url = f"{BASE}/files/{'x' * 9000}"
    assert link(url) == url
