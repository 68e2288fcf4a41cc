"""An archive that gives datasets as the Native DICOM Model only, and answers 406 to whoever wants JSON."""

from tests.products.product import Product, Refusal
from tests.support.hospital import Row
from tests.support.steps import Reply, Seen

XML = "application/dicom+xml"


class XmlOnly(Product):
    coded = False
    alone = False

    def check_accept(self, request: Seen, parts: list[str]) -> None:
        if request.get("accept") != f'multipart/related; type="{XML}"':
            raise Refusal(f"Accept {request.get('accept')}", 406)

    def answer(self, request: Seen, parts: list[str], query: str) -> Reply:
        if parts[-1] == "metadata":
            self.check_accept(request, parts)
            return self.reply(self.rows([*parts[:-1], "instances"]), 0)
        return super().answer(request, parts, query)

    def reply(self, rows: list[Row], left: int) -> Reply:
        if not rows:
            return Reply(204)
        documents = [document(row) for row in rows]
        if self.alone:
            return Reply(body=documents[0], fields=[("Content-Type", XML)])
        head = f"\r\n--b\r\nContent-Type: {XML}\r\n\r\n".encode()
        body = b"".join(head + one for one in documents) + b"\r\n--b--"
        return Reply(body=body, fields=[("Content-Type", f'multipart/related; type="{XML}"; boundary=b')])


def document(row: Row) -> bytes:
    """A row as PS3.19 §A.1 has it."""
    body = "".join(_attribute(tag, one) for tag, one in row.items())
    space = 'xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'
    return f'<?xml version="1.0"?><NativeDicomModel {space}>{body}</NativeDicomModel>'.encode()


def _attribute(tag: str, attribute: Row) -> str:
    values = "".join(
        f'<PersonName number="{n}"><Alphabetic><FamilyName>{one["Alphabetic"].split("^")[0]}</FamilyName>'
        f"<GivenName>{one['Alphabetic'].partition('^')[2]}</GivenName></Alphabetic></PersonName>"
        if isinstance(one, dict)
        else f'<Value number="{n}">{one}</Value>'
        for n, one in enumerate(attribute.get("Value", ()), start=1)
    )
    return f'<DicomAttribute tag="{tag}" vr="{attribute["vr"]}">{values}</DicomAttribute>'
