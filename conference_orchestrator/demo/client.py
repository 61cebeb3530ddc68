"""What users of the service send: requests to the public API with a token, and forms of the pages as a browser does."""

from __future__ import annotations

import re
from typing import Any

import altcha
import requests

from conference_orchestrator.demo.waiting import GaveUp

Json = dict[str, Any]
SECONDS = 20


class Client:
    """Speaks HTTP to the service as one role, or as nobody. GaveUp for every answer that is an error."""

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address
        self.token = token
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy has no way to this machine's own ports
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: str) -> Json:
        """A thing, or a page of a list."""
        return _json(self._ask("GET", self._url(path), params=query))

    def listed(self, path: str, **query: str) -> list[Json]:
        """All items of a list, over all its pages."""
        page = self.get(path, **query)
        items: list[Json] = page["items"]
        while page["next"]:
            page = _json(self._ask("GET", f"{self.address}{page['next']}"))
            items += page["items"]
        return items

    def post(self, path: str, body: Json | None = None) -> Json:
        """The answer to an action."""
        return _json(self._ask("POST", self._url(path), json=body or {}))

    def patch(self, path: str, changes: Json) -> Json:
        """The thing after the changes to its present version."""
        present = self._ask("GET", self._url(path))
        return _json(self._ask("PATCH", self._url(path), json=changes, headers={"If-Match": present.headers["ETag"]}))

    def delete(self, path: str) -> None:
        """Remove a thing."""
        self._ask("DELETE", self._url(path))

    def solved_captcha(self) -> str:
        """The solution of a new challenge, as the widget of a form works it out."""
        challenge = altcha.Challenge.from_dict(self.get("/captcha"))
        solution = altcha.solve_challenge(challenge, timeout=SECONDS)
        if solution is None:
            raise GaveUp(f"The captcha was not solved in {SECONDS} seconds.")
        return str(altcha.Payload(challenge, solution).to_base64())

    def press(self, link: str, **fields: str) -> None:
        """Open a page and press the button of its form, with what the form hides and these fields."""
        page = self._ask("GET", link)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
        self._ask("POST", link, data=dict(hidden) | fields)

    def _ask(self, method: str, url: str, **more: Any) -> requests.Response:
        try:
            answer = self._http.request(method, url, timeout=SECONDS, **more)
        except requests.RequestException as error:
            raise GaveUp(f"{method} {url} got no answer: {error}") from error
        if not answer.ok:
            raise GaveUp(_refusal(answer))
        return answer

    def _url(self, path: str) -> str:
        return f"{self.address}/api/v1{path}"


def answers(address: str) -> bool:
    """Whether a server of this machine answers there without an error."""
    with requests.Session() as http:
        http.trust_env = False
        try:
            return http.get(address, timeout=SECONDS).ok
        except requests.RequestException:
            return False


def _json(answer: requests.Response) -> Json:
    body: Json = answer.json()
    return body


def _refusal(answer: requests.Response) -> str:
    """The problem (RFC 9457) that the answer tells, with what is wrong field by field."""
    is_problem = "json" in answer.headers.get("Content-Type", "")
    problem = answer.json() if is_problem else {}
    said = problem.get("detail") or problem.get("title") or answer.reason
    errors = "".join(f"\n  {field}: {' '.join(words)}" for field, words in problem.get("errors", {}).items())
    return f"{answer.request.method} {answer.request.path_url} answered {answer.status_code}: {said}{errors}"
