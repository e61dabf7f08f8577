"""A page as a test reads it."""

from html.parser import HTMLParser

from fake_cases import orthanc_id
from flask.testing import FlaskClient


class Page(HTMLParser):
    """A page's text, its rows' texts by id, and all its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, str] = {}
        self.text = ""
        self._row = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if (attributes.get("id") or "").startswith("case-"):
            self._row = str(attributes["id"]).removeprefix("case-")
            self.rows[self._row] = ""
        if tag == "footer":
            self._row = ""

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text:
            self.text += text + " "
            if self._row:
                self.rows[self._row] += text + " "


def page(client: FlaskClient, address: str = "/triage/?lang=en", **headers: str) -> Page:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return Page(answer.text)


def row_of(client: FlaskClient, key: str, language: str = "en") -> str:
    return page(client, f"/triage/?lang={language}").rows[orthanc_id(key)]
