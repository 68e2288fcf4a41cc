"""Which held representation answers which wish (PS3.18 §8.7.3, §8.7.8): never another transfer syntax than
the client takes, and never a fetch where what is held is what it takes."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, OCTETS, Edge, Reply
from tests.scenarios.pacs import AS_STORED, DERIVED, EXPLICIT, HIT, MISS, Pacs, keeping
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Seen, Step

JPEG, JLS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80"


def related(media: str, syntax: str = "") -> str:
    return f'multipart/related; type="{media}"' + (f"; transfer-syntax={syntax}" if syntax else "")


def dicom(syntax: str = "") -> str:
    return related("application/dicom", syntax)


# What is held, what is asked for, whether the one answers the other: dicomweb 4.3, row by row.
INSTANCES = [
    ("native", dicom("*"), True),
    ("jpeg", dicom("*"), True),
    ("rle", dicom('"*"'), True),
    ("jpeg", dicom(JPEG), True),
    ("jpeg", dicom(f'"{JPEG}"'), True),
    ("jpeg", 'multipart/related;type=application/dicom;transfer-syntax="' + JPEG + '"', True),
    ("jpeg", f"application/dicom; transfer-syntax={JPEG}", True),
    ("jpeg", dicom(JLS), False),
    ("jpeg", dicom(EXPLICIT), False),
    ("native", dicom(EXPLICIT), True),
    ("native", dicom(JPEG), False),
    ("native", dicom(), True),
    ("native", "application/dicom", True),
    ("native", "*/*", True),
    ("native", None, True),
    ("jpeg", dicom(), False),
    ("jpeg", "application/dicom", False),
    ("jpeg", "*/*", False),
    ("jpeg", None, False),
    ("implicit", dicom("*"), True),
    ("jpeg", f"{dicom(JPEG)}, {dicom(EXPLICIT)};q=0.5", True),
    ("native", f"{dicom(JPEG)};q=0.5, {dicom(EXPLICIT)};q=0.9", True),
    ("jpeg", f"{dicom(JPEG)};q=0.5, {dicom(EXPLICIT)}", False),
    ("jpeg", f"{dicom('*')};q=0.1", True),
    ("jpeg", f"{dicom('*')}, {dicom(JPEG)};q=0", True),
    ("jpeg", f"{dicom(JPEG)};q=0, {dicom(EXPLICIT)}", False),
    ("jpeg", f"{dicom(JLS)}; transfer-syntax=*", True),
]


async def tried(edge: Edge, pacs: Pacs, held: tuple[str, str], path: str, accept: str | None) -> Reply:
    """The answer where only `held`, a path and how it was asked for, is held."""
    assert edge.cache is not None
    await edge.cache.purge()
    await edge.ask(*held)
    await edge.kept()
    pacs.seen.clear()
    reply = await edge.ask(path, accept)
    await edge.kept()
    return reply


@pytest.mark.parametrize("shape", ["native", "implicit", "jpeg", "rle"])
async def test_a_held_instance_answers_exactly_the_wishes_that_its_syntax_fulfils(
    tmp_path: Path, shape: str
) -> None:
    pacs = Pacs(slices=1, frames=1, shape=shape)
    path = pacs.instance(1)
    async with keeping(pacs, folder=tmp_path) as edge:
        for accept, answers in [row[1:] for row in INSTANCES if row[0] == shape]:
            reply = await tried(edge, pacs, (path, DICOM + AS_STORED), path, accept)
            assert (reply.get("cache-status") == HIT) is answers, accept
            assert len(pacs.seen) == (0 if answers else 1), accept
            if answers:
                assert pacs.files[0] in reply.body, accept


OCTET, IMAGE = "application/octet-stream", "image/jpeg"
FRAMES = [
    ("native", related(OCTET), True),
    ("native", related(OCTET, "*"), True),
    ("native", related(OCTET, EXPLICIT), True),
    ("native", OCTET, True),
    ("native", "*/*", True),
    ("native", None, True),
    ("native", related("*/*"), True),
    ("native", related(IMAGE), False),
    ("native", related(OCTET, JPEG), False),
    ("implicit", related(OCTET), True),
    ("implicit", related(OCTET, EXPLICIT), True),
    ("jpeg", related(OCTET), False),
    ("jpeg", OCTET, False),
    ("jpeg", "*/*", False),
    ("jpeg", None, False),
    ("jpeg", related(OCTET, EXPLICIT), False),
    ("jpeg", related(OCTET, "*"), True),
    ("jpeg", related(OCTET, JPEG), True),
    ("jpeg", related(IMAGE, JPEG), True),
    ("jpeg", related(IMAGE, "*"), True),
    ("jpeg", f"image/jpeg; transfer-syntax={JPEG}", True),
    ("jpeg", related(IMAGE), False),  # JPEG Lossless is meant
    ("jpeg", related("image/jls", JLS), False),
    ("jpeg", f"{related('image/jls', JLS)}; transfer-syntax=*", False),
    ("jpeg", f"{related(IMAGE, JPEG)}, {related(OCTET)};q=0.5", True),
    ("jpeg", f"{related(IMAGE, JPEG)};q=0.5, {related(OCTET)}", False),
    ("rle", related("image/dicom-rle"), True),
    ("rle", related("image/x-dicom-rle"), True),
    ("rle", related(OCTET, "*"), True),
]


@pytest.mark.parametrize("from_instance", [True, False], ids=["cut out", "held"])
@pytest.mark.parametrize("shape", ["native", "implicit", "jpeg", "rle"])
async def test_a_frame_answers_exactly_the_wishes_that_its_syntax_fulfils(
    tmp_path: Path, shape: str, from_instance: bool
) -> None:
    pacs = Pacs(slices=1, frames=2, shape=shape)
    frame = f"{pacs.instance(1)}/frames/2"
    held = (pacs.instance(1), DICOM + AS_STORED) if from_instance else (frame, OCTETS + AS_STORED)
    hit = DERIVED if from_instance else HIT
    async with keeping(pacs, folder=tmp_path) as edge:
        for accept, answers in [row[1:] for row in FRAMES if row[0] == shape]:
            reply = await tried(edge, pacs, held, frame, accept)
            assert (reply.get("cache-status") == hit) is answers, accept
            assert len(pacs.seen) == (0 if answers else 1), accept
            if answers:
                assert pacs.frame(1, 2) in reply.body, accept
                assert pacs.form in (reply.get("content-type") or "", *types(reply)), accept


def types(reply: Reply) -> list[str]:
    """The types of its parts, if it has any."""
    if "multipart" not in (reply.get("content-type") or ""):
        return []
    return [part.fields["content-type"] for part in reply.parts]


class Transcoding(Pacs):
    """Sends files as JPEG unless that is not wished: then uncompressed."""

    def __init__(self) -> None:
        super().__init__(slices=2, frames=2, shape="jpeg")
        self.plain = Pacs(slices=2, frames=2, shape="native")

    def __call__(self, seen: Seen) -> Iterable[Step]:
        self.seen.append(seen)
        accept = seen.get("accept") or ""
        as_stored = "transfer-syntax=*" in accept or JPEG in accept
        return (self if as_stored else self.plain).answer(self.asked[-1])


async def asked(edge: Edge, path: str, accept: str) -> Reply:
    reply = await edge.ask(path, accept)
    await edge.kept()
    return reply


@pytest.mark.parametrize("path", ["{instance}", "{series}", "{instance}/frames/1", "{instance}/frames/2,1"])
async def test_both_forms_of_one_thing_are_held_at_once(tmp_path: Path, path: str) -> None:
    pacs = Transcoding()
    path = path.format(instance=pacs.instance(1), series=pacs.series)
    plain, stored = (OCTETS, OCTETS + AS_STORED) if "frames" in path else (DICOM, DICOM + AS_STORED)
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = [await asked(edge, path, accept) for accept in (stored, plain)]
        assert cold[0].get("cache-status") == MISS
        before = len(pacs.seen)
        warm = [await asked(edge, path, accept) for accept in (stored, plain, stored)]

        assert [one.parts for one in warm] == [cold[0].parts, cold[1].parts, cold[0].parts]
        assert cold[0].parts[0].body != cold[1].parts[0].body
        assert {reply.get("cache-status") for reply in warm} == {HIT}
        assert len(pacs.seen) == before


async def test_frames_are_cut_out_of_whichever_instance_has_them_as_wished(tmp_path: Path) -> None:
    pacs = Transcoding()
    path = f"{pacs.instance(1)}/frames/1,2"
    async with keeping(pacs, folder=tmp_path) as edge:
        for accept in (DICOM + AS_STORED, DICOM):
            await asked(edge, pacs.instance(1), accept)
        before = len(pacs.seen)
        plain, stored = await edge.ask(path, OCTETS), await edge.ask(path, OCTETS + AS_STORED)

        assert [part.body for part in plain.parts] == pacs.plain.all_frames(1)
        assert [part.body for part in stored.parts] == pacs.all_frames(1)
        assert len(pacs.seen) == before


async def test_what_an_archive_refuses_in_one_syntax_is_held_in_another(tmp_path: Path) -> None:
    """Conformance case 3: 406 is relayed, nothing is kept under it, and the copy that is held stays."""
    pacs = Pacs(slices=1, frames=1, shape="jpeg")

    def picky(seen: Seen) -> list[Step]:
        return pacs.answer(pacs.instance(1)) if "=*" in (seen.get("accept") or "") else [Scripted(406)]

    pacs.say[pacs.instance(1)] = picky
    async with keeping(pacs, folder=tmp_path) as edge:
        await asked(edge, pacs.instance(1), DICOM + AS_STORED)
        for _ in range(2):
            assert (await edge.ask(pacs.instance(1), dicom("1.2.840.10008.1.2.4.90"))).status == 406
        assert len(pacs.seen) == 3
        assert (await edge.ask(pacs.instance(1), DICOM + AS_STORED)).get("cache-status") == HIT


@pytest.mark.parametrize("path", ["{study}", "{series}", "{instance}/frames/1,2"])
async def test_several_things_have_no_single_part(tmp_path: Path, path: str) -> None:
    """Conformance case 4, also when all is held."""
    pacs = Pacs(slices=2, frames=2, shape="native")
    path = path.format(study=pacs.study, series=pacs.series, instance=pacs.instance(1))
    async with keeping(pacs, folder=tmp_path) as edge:
        await asked(edge, pacs.study, DICOM)
        accept = "application/octet-stream" if "frames" in path else "application/dicom"
        (await edge.ask(path, accept)).problem(406)


async def test_a_mixture_is_refused_also_when_all_is_held(tmp_path: Path) -> None:
    """Conformance case 7."""
    pacs = Pacs(slices=1, frames=1, shape="native")
    async with keeping(pacs, folder=tmp_path) as edge:
        await asked(edge, pacs.instance(1), DICOM)
        (await edge.ask(pacs.instance(1), f"image/jpeg, {DICOM}")).problem(400)


@pytest.mark.parametrize("path", ["{series}", "{instance}", "{instance}/frames/1"])
@pytest.mark.parametrize("default", ["explicit", "any"])
async def test_who_names_no_syntax_takes_any_where_a_rule_says_so(
    tmp_path: Path, default: str, path: str
) -> None:
    """3D Slicer decodes every syntax, and names none."""
    pacs = Transcoding()
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    bare, stored = (OCTETS, OCTETS + AS_STORED) if "frames" in path else (DICOM, DICOM + AS_STORED)
    route = {"promote": "no", "default_syntax": default}
    async with keeping(pacs, folder=tmp_path, route=route) as edge:
        cold = await asked(edge, path, bare)
        source = pacs if default == "any" else pacs.plain
        expected = source.frame(1, 1) if "frames" in path else source.files[0]
        assert cold.parts[0].body == expected
        before = len(pacs.seen)
        assert (await asked(edge, path, stored)).get("cache-status") == HIT  # any takes either
        assert len(pacs.seen) == before
        # Who does name one gets that one.
        named = await asked(edge, path, f"{bare}; transfer-syntax={EXPLICIT}")
        assert named.parts[0].body == (pacs.plain.frame(1, 1) if "frames" in path else pacs.plain.files[0])


@pytest.mark.parametrize("promote", ["yes", "no"])
@pytest.mark.parametrize("path", ["{instance}", "{series}", "{instance}/frames/1"])
async def test_what_was_compressed_with_loss_for_one_who_named_it_answers_nobody_else(
    tmp_path: Path, path: str, promote: str
) -> None:
    """The archive stores it uncompressed: who takes any transfer syntax must not get what somebody else had
    made of it."""
    pacs = Pacs(slices=1, frames=1, shape="native")
    lossy = Pacs(slices=1, frames=1, shape="jpeg")
    path = path.format(series=pacs.series, instance=pacs.instance(1))
    media = "image/jpeg" if "frames" in path else "application/dicom"
    for one in (pacs.series, pacs.instance(1), f"{pacs.instance(1)}/frames/1"):

        def transcoded(seen: Seen, one: str = one) -> list[Step]:
            return (lossy if JPEG in (seen.get("accept") or "") else pacs).answer(one)

        pacs.say[one] = transcoded
    async with keeping(pacs, folder=tmp_path, route={"promote": promote}) as edge:
        for _ in range(2):
            named = await asked(edge, path, related(media, JPEG))
            assert named.parts[0].body == (lossy.frame(1, 1) if "frames" in path else lossy.files[0])
        stored = OCTETS + AS_STORED if "frames" in path else DICOM + AS_STORED
        any_form = await asked(edge, path, stored)
        assert any_form.parts[0].body == (pacs.frame(1, 1) if "frames" in path else pacs.files[0])


async def test_what_is_stored_with_loss_answers_who_names_it_and_who_takes_any(tmp_path: Path) -> None:
    pacs = Pacs(slices=1, frames=1, shape="jpeg")
    frame = f"{pacs.instance(1)}/frames/1"
    async with keeping(pacs, folder=tmp_path, route={"promote": "yes"}) as edge:
        for accept in (related("image/jpeg", JPEG), OCTETS + AS_STORED, related("image/jpeg", JPEG)):
            assert (await asked(edge, frame, accept)).parts[0].body == pacs.frame(1, 1)
        assert pacs.asked == [pacs.instance(1)]


async def test_who_names_a_lossy_syntax_does_not_keep_others_from_whole_instances(tmp_path: Path) -> None:
    pacs = Pacs(slices=2, frames=1, shape="native")
    lossy = Pacs(slices=2, frames=1, shape="jpeg")
    frames = [f"{pacs.instance(number)}/frames/1" for number in (1, 2)]
    pacs.say[frames[0]] = lambda seen: lossy.answer(frames[0])
    async with keeping(pacs, folder=tmp_path, route={"promote": "yes"}) as edge:
        named = await asked(edge, frames[0], related("image/jpeg", JPEG))
        assert named.parts[0].body == lossy.frame(1, 1)
        assert (await asked(edge, frames[1], OCTETS + AS_STORED)).parts[0].body == pacs.frame(2, 1)
        assert pacs.asked == [pacs.instance(1), frames[0], pacs.instance(2)]
