"""A browser without a screen, for the server's pages: keeps cookies, follows redirects, fills in the forms it is shown.

It sends what real browsers send beside a form, and fails on HTML that is not well-formed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx

HOME: Final = "https://cx.test"
SENT_WITH_FORMS: Final = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
"""By a browser that was told to send no referrer."""

_VOID: Final = frozenset({"meta", "link", "img", "input"})


@dataclass
class Form:
    """One form of a page: where it goes, what it holds, and its buttons by id."""

    id: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


class Page(HTMLParser):
    """An answer, taken apart. `text` is what a person reads; `ids` is that of each element with an id."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.status = response.status_code
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self.text = ""
        self._open: list[tuple[str, dict[str, str], int]] = []
        self.feed(response.text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes forms, fields and buttons."""
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag == "form":
            assert given["method"] == "post"
            self.forms.append(Form(given.get("id", ""), given["action"]))
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            self.forms[-1].buttons[given["id"]] = (given.get("name", ""), given.get("value", ""))
        if tag not in _VOID:
            self._open.append((tag, given, len(self.text)))

    def handle_endtag(self, tag: str) -> None:
        """Notes what the element held."""
        opened, given, start = self._open.pop()
        assert opened == tag
        inside = self.text[start:].strip()
        if "id" in given:
            self.ids[given["id"]] = inside
        if tag == "a":
            self.links[inside] = given["href"]

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data

    def form_with(self, button: str) -> Form:
        """The form that this button sends."""
        return next(form for form in self.forms if button in form.buttons)


class Browser:
    """One person's. `client` has `HOME` for its base, and follows nothing by itself."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @property
    def cookie(self) -> str | None:
        """The one that the server has set."""
        return self.client.cookies.get("__Host-cx")

    async def open(self, address: str, **rest: Any) -> Page:
        """Asks, and follows redirects as long as they stay on this server."""
        return await self._arrive(await self.client.get(address, **rest))

    async def press(self, page: Page, button: str, **fields: str) -> Page:
        """Sends the button's form with these fields filled in, and arrives somewhere."""
        return await self._arrive(await self.send(page, button, **fields))

    async def send(self, page: Page, button: str, **fields: str) -> httpx.Response:
        """The same, without following."""
        form = page.form_with(button)
        name, value = form.buttons[button]
        filled = form.fields | fields | ({name: value} if name else {})
        return await self.client.post(form.action, data=filled, headers=SENT_WITH_FORMS)

    async def sign_in(self, name: str, password: str, address: str = "/mycx/files/") -> Page:
        """Goes there by way of the sign-in page."""
        return await self.press(await self.open(address), "submit", name=name, password=password)

    async def _arrive(self, response: httpx.Response) -> Page:
        while response.status_code == 303 and response.headers["location"].startswith("/"):
            response = await self.client.get(response.headers["location"])
        return Page(response)


def leads_to(response: httpx.Response) -> tuple[str, str]:
    """A redirect's address and its query."""
    assert response.status_code == 303, response.text
    parts = urlsplit(response.headers["location"])
    return parts._replace(query="").geturl(), parts.query


async def is_signed_in(browser: Browser) -> bool:
    """Whether one's files are shown, or the sign-in page instead."""
    return (await browser.client.get("/mycx/files/")).status_code == 200


def token_of(page: Page) -> str:
    """What its forms carry."""
    return page.forms[0].fields["form_token"]
