"""Requests to a service of ctp10, with the standard library alone."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

from ._errors import Error, RequestError, Unreachable

# A service replies at once or says why it waits.
_REPLY_S = 60.0
# Streams send a comment or a frame at least every 30 s.
_SILENCE_S = 70.0


class Service:
    """The address of a service, with the token for its requests. Each request has a connection of its own."""

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"`{url}` is no address of a service: it looks like http://127.0.0.1:8002")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token.strip()}"
        self.url = f"{parts.scheme}://{parts.netloc}{self._prefix}"

    def get(self, path: str, **query: Any) -> Any:
        return self._json("GET", path, query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        return self._json("POST", path, query, body)

    def bytes(self, path: str) -> bytes:
        _, response = self._send("GET", path, {}, None, _REPLY_S, {"Accept": "*/*"})
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def save(self, path: str, file: BinaryIO) -> None:
        """Writes the reply into a file, piece by piece."""
        connection, response = self._send("GET", path, {}, None, _REPLY_S, {"Accept": "*/*"})
        try:
            while piece := response.read(1 << 16):
                file.write(piece)
        except http.client.HTTPException as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def events(self, path: str, **query: Any) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The server-sent events of a path, with their ids. Ends with the connection."""
        connection, response = self._send("GET", path, query, None, _SILENCE_S, {"Accept": "text/event-stream"})
        try:
            yield from _events(response)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    def _json(self, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any] | None = None) -> Any:
        connection, response = self._send(method, path, query, body, _REPLY_S, {})
        try:
            return json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        except ValueError:
            raise Error(f"{self.url}{path} has not replied with JSON: this is no service of ctp10") from None
        finally:
            connection.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        timeout_s: float,
        headers: Mapping[str, str],
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection: http.client.HTTPConnection
        if self._secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        given = {name: _text(value) for name, value in query.items() if value is not None}
        target = self._prefix + quote(path) + (f"?{urlencode(given)}" if given else "")
        all_headers = {**self._headers, **headers}
        content = None
        if body is not None:
            content = json.dumps(body, allow_nan=False).encode()
            all_headers["Content-Type"] = "application/json"
        try:
            connection.request(method, target, content, all_headers)
            response = connection.getresponse()
            if response.status >= 300:
                raise RequestError(response.status, _detail(response))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        except BaseException:
            connection.close()
            raise
        return connection, response

    def _unreachable(self, error: BaseException) -> Error:
        return Unreachable(f"no reply from {self.url}: {error or type(error).__name__}")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _detail(response: http.client.HTTPResponse) -> Any:
    text = response.read().decode("utf-8", "replace")
    try:
        return json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        return text[:200] or response.reason


def _events(response: http.client.HTTPResponse) -> Iterator[tuple[str | None, dict[str, Any]]]:
    number, data = None, ""
    for raw in response:
        line = raw.decode("utf-8").rstrip("\r\n")
        if not line:
            if data:
                yield number, json.loads(data)
            number, data = None, ""
        elif line.startswith("data:"):
            data += line[5:].lstrip()
        elif line.startswith("id:"):
            number = line[3:].strip()
