"""Values with units, and what is said of those without."""

from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest

from edgerouter.config.problems import Mistake
from edgerouter.config.urls import base_path, base_url, host, origin
from edgerouter.config.values import (
    A_MONDAY,
    duration,
    moment,
    name,
    network,
    size,
    size_or_none,
    whole,
    window,
    zone,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1.5h", 5400), ("7d", 604800), ("30 s", 30)],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("64 KB", 64_000),
        ("64KiB", 65_536),
        ("20 GB", 20 * 10**9),
        ("1.5 MiB", 1_572_864),
        ("1 TB", 10**12),
        ("1 B", 1),
    ],
)
def test_a_size_is_bytes(text: str, octets: int) -> None:
    assert size(text) == octets


def test_code_may_give_seconds_and_bytes_as_numbers() -> None:
    assert duration(0.25) == 0.25
    assert size(1000) == 1000


@pytest.mark.parametrize(
    "text", ["30", "", "s", "30 sec", "-1s", "0s", "1e3s", "٣s", "1 s s", "nan s", "inf", ["30s"]]
)
def test_what_is_no_duration_is_a_mistake(text: object) -> None:
    with pytest.raises(Mistake):
        duration(text)


@pytest.mark.parametrize("text", ["20", "20 gb", "0 GB", "GB", "0.0001 KB", "1.2.3 MB"])
def test_what_is_no_size_is_a_mistake(text: str) -> None:
    with pytest.raises(Mistake):
        size(text)


def test_nothing_is_a_size_where_it_has_a_meaning() -> None:
    assert size_or_none("0 B") == 0
    with pytest.raises(Mistake):
        size_or_none(-1)


def test_a_number_without_a_unit_is_answered_with_the_likely_one() -> None:
    with pytest.raises(Mistake) as caught:
        duration("30")

    assert (caught.value.what, caught.value.fix) == ("'30' has no unit", "write 30s")


@pytest.mark.parametrize("text", ["08", "8"])
def test_whole_numbers_are_decimal(text: str) -> None:
    assert whole(text, low=0, high=10) == 8


@pytest.mark.parametrize("text", ["0x8", "8.0", "1_0", "eight", "11", "-1", "²"])
def test_other_numbers_are_mistakes(text: str) -> None:
    with pytest.raises(Mistake):
        whole(text, low=0, high=10)


def test_one_address_is_a_network_of_its_own() -> None:
    assert network("10.0.0.1") == ip_network("10.0.0.1/32")
    assert network("fd00::/8") == ip_network("fd00::/8")


@pytest.mark.parametrize("text", ["22:00-06:00", "08:00-08:01", "00:00-24:00"])
def test_a_window_reads_as_it_was_written(text: str) -> None:
    assert str(window(text)) == text


@pytest.mark.parametrize(
    "text", ["8:00-9:00", "08:00 - 09:00", "08:60-09:00", "24:00-06:00", "08:00-24:01", "08:00-08:00"]
)
def test_what_is_no_window_is_a_mistake(text: str) -> None:
    with pytest.raises(Mistake):
        window(text)


def test_a_weekday_and_a_time_are_a_moment_in_the_week_of_a_monday() -> None:
    assert moment("mon 00:30") == A_MONDAY + timedelta(minutes=30)
    assert moment("sun 23:30").weekday() == 6


def test_a_moment_keeps_its_offset() -> None:
    assert moment("2025-11-22T23:30+02:00").utcoffset() == timedelta(hours=2)
    assert moment("2025-11-22 23:30") == datetime(2025, 11, 22, 23, 30)


@pytest.mark.parametrize(
    "text", ["midnight", "mon 25:00", "2025-13-01", "0001-01-01 00:00", "9999-12-31 23:59", ["mon"]]
)
def test_what_is_no_moment_is_a_mistake(text: object) -> None:
    with pytest.raises(Mistake):
        moment(text)


@pytest.mark.parametrize("text", ["", "Europe", "../../etc/passwd", "/etc/localtime", "Europe/Berln", "\x00"])
def test_what_is_no_time_zone_is_a_mistake(text: str) -> None:
    with pytest.raises(Mistake):
        zone(text)


def test_a_name_that_is_none_is_answered_with_one_that_is() -> None:
    with pytest.raises(Mistake) as caught:
        name("Hospital A (east)")

    assert caught.value.fix == "use a-z, 0-9 and -: hospital-a-east"


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://pacs.example/dicom-web", "https://pacs.example/dicom-web"),
        ("https://pacs.example/dicom-web/", "https://pacs.example/dicom-web"),
        ("HTTP://PACS.example:8042", "http://pacs.example:8042"),
        ("http://[::1]:8042/rs", "http://[::1]:8042/rs"),
        ("https://h/a%20b/c", "https://h/a%20b/c"),
    ],
)
def test_a_base_url_is_ready_to_have_a_path_appended(written: str, url: str) -> None:
    assert base_url(written) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pacs.example",
        "ftp://h/",
        "http://",
        "http:///rs",
        "http://u:p@h/",
        "http://u@h/",
        "http://h/?a",
        "http://h/#",
        "http://h/?",
        "http://h/./a",
        "http://h/a/..",
        "http://h/%2e%2E/a",
        "http://h/a%2Fb",
        "http://h/a%5cb",
        "http://h/a\\b",
        "http://h//a",
        "http://h/%zz",
        "http://h/%00",
        "http://h:0/",
        "http://h:65536/",
        "http://h:x/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://h h/",
        "http://hôpital/",
        "http://-h/",
        ["http://h/"],
    ],
)
def test_a_url_that_could_mean_something_else_is_refused(text: object) -> None:
    with pytest.raises(Mistake):
        base_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://u:hunter2@h/",
        "http://h/?key=hunter2",
        "u:hunter2@h",
        "http://h:hunter2/",
        "http://h/../hunter2",
    ],
)
def test_what_is_said_of_a_url_never_repeats_it(text: str) -> None:
    with pytest.raises(Mistake) as caught:
        base_url(text)

    assert "hunter2" not in caught.value.what + caught.value.fix


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://viewer.example", "https://viewer.example"),
        ("https://Viewer.example:443", "https://viewer.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("*", "*"),
    ],
)
def test_an_origin_is_as_browsers_send_it(written: str, sent: str) -> None:
    assert origin(written) == sent


def test_an_origin_has_no_path() -> None:
    with pytest.raises(Mistake):
        origin("https://viewer.example/")


@pytest.mark.parametrize(("written", "path"), [("/dicomweb", "/dicomweb"), ("/a/b/", "/a/b")])
def test_a_base_path_has_no_trailing_slash(written: str, path: str) -> None:
    assert base_path(written) == path


@pytest.mark.parametrize(
    "text", ["", "/", "dicomweb", "/a//b", "/../a", "/a b", "/a%2fb", "/metrics", "/healthz/x"]
)
def test_a_base_path_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(Mistake):
        base_path(text)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "::", "localhost", "edge.example"])
def test_a_host_is_a_name_or_an_address(text: str) -> None:
    assert host(text) == text


@pytest.mark.parametrize("text", ["", "[::1]", "127.0.0.1:80", "a b", "http://h", "-h"])
def test_other_hosts_are_mistakes(text: str) -> None:
    with pytest.raises(Mistake):
        host(text)
