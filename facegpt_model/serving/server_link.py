"""HTTP to a server of models: JSON and event streams, retries with back-off, errors a person can act on."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from typing import Any, cast

import httpx

from facegpt_model.serving.backend import BackendError

TRIES = 4  # of a request that was not answered at all
FIRST_WAIT = 0.4  # seconds before the second try; doubles each time
BUSY = (429, 502, 503, 504)


class ServerLink:
    """Requests to one server. Nothing that was already answered in part is ever repeated."""

    def __init__(
        self,
        url: str,
        api_key: str = "",
        timeout: float = 120.0,
        transport: httpx.BaseTransport | None = None,
        first_wait: float = FIRST_WAIT,
    ) -> None:
        """timeout: seconds without a byte after which an answer counts as lost."""
        if not url.startswith(("http://", "https://")):
            raise BackendError(f"{url!r} is no address of a server; give it as http://host:port")
        self.url = url.rstrip("/").removesuffix("/v1")
        self._first_wait = first_wait
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(timeout, connect=10.0),
            transport=transport,
        )

    def get(self, path: str) -> dict[str, Any]:
        """The JSON at a path; BackendError with one sentence when there is none."""
        return self._json("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer to a JSON body."""
        return self._json("POST", path, body)

    def stream(self, path: str, body: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Server-sent events as they arrive. Closing the iterator cancels the request at the server."""
        begun = False
        for last in self._tries():
            try:
                with self._client.stream("POST", path, json={**body, "stream": True}) as answer:
                    if answer.status_code in BUSY and not last:
                        continue
                    self._check(answer)
                    for line in answer.iter_lines():
                        if not line.startswith("data:"):
                            continue
                        event = line.removeprefix("data:").strip()
                        if event == "[DONE]":
                            return
                        begun = True
                        yield self._event(event)
                    raise self._lost("the stream ended early")
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if last:
                    raise self._silent() from error
            except httpx.HTTPError as error:
                if begun or last:
                    raise self._lost(type(error).__name__) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _json(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        for last in self._tries():
            try:
                answer = self._client.request(method, path, json=body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if last:
                    raise self._silent() from error
                continue
            except httpx.HTTPError as error:
                if last:
                    raise self._lost(type(error).__name__) from error
                continue
            if answer.status_code in BUSY and not last:
                continue
            self._check(answer)
            try:
                return cast(dict[str, Any], answer.json())
            except ValueError as error:
                raise BackendError(f"{self.url}{path} answered something else than JSON") from error
        raise self._silent()

    def _tries(self) -> Iterator[bool]:
        """True for the last try; waits between tries."""
        for number in range(TRIES):
            if number:
                time.sleep(self._first_wait * 2 ** (number - 1))
            yield number == TRIES - 1

    def _check(self, answer: httpx.Response) -> None:
        if answer.status_code < 400:
            return
        if answer.status_code in (401, 403):
            raise BackendError(f"the server at {self.url} refuses the API key; set FACEGPT_SERVER_KEY")
        answer.read()
        raise BackendError(f"the server at {self.url} answered {answer.status_code}: {_said(answer.text)}")

    def _event(self, event: str) -> dict[str, Any]:
        chunk = json.loads(event)
        if "error" in chunk:
            raise BackendError(f"the server at {self.url} gave up: {_said(event)}")
        return cast(dict[str, Any], chunk)

    def _silent(self) -> BackendError:
        return BackendError(
            f"no server answers at {self.url}; start one with 'facegpt serve', or leave FACEGPT_SERVER "
            "unset to use the embedded model"
        )

    def _lost(self, why: str) -> BackendError:
        return BackendError(
            f"the server at {self.url} stopped in the middle of an answer ({why}); the conversation is "
            "kept, so say it again when the server is back"
        )


def _said(body: str) -> str:
    """The server's own message out of its JSON error, or the first line of what it wrote."""
    try:
        error = json.loads(body).get("error")
        text = error.get("message", "") if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        text = body
    return " ".join(text.split())[:300] or "no reason given"
