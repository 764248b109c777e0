"""The page of all routes: plain HTML and one style sheet, made from the OpenAPI document.

No script, nothing from another host, and a policy that would stop either.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from html import escape
from importlib import resources
from typing import Any, NamedTuple

Object = dict[str, Any]
Problems = Iterable[tuple[str, int, str, str]]

_INTRODUCTION = """
<p class="lead">{description}</p>
<article>
<h3>Keys</h3>
<p>Send the key as <code>Authorization: Bearer &lt;key&gt;</code>, or as the user name of Basic credentials
with an empty password. A <b>write key</b> (<code>pk_</code>) is public and may only send events; it may also
stand in the body as <code>writeKey</code>. A <b>secret key</b> (<code>sk_</code>) may do everything and
belongs on servers.</p>
<pre><code>curl {host}/v1/track -u "$WRITE_KEY:" \\
  -d '{{"userId":"u-1","event":"Product Viewed","properties":{{"product_id":"p-17"}}}}'

curl {host}/v1/recommend -u "$SECRET_KEY:" -d '{{"userId":"u-1","limit":5}}'</code></pre>
</article>
"""


HOST = "{{host}}"
"""What stands in the page for the server's own address."""


class Page(NamedTuple):
    """The page, and the Content-Security-Policy under which it is right."""

    html: str
    policy: str


def page(document: Object, problems: Problems) -> Page:
    """The page of `document` (OpenAPI 3.1). `problems` are codes with status, title and what to do."""
    style = resources.files(__package__).joinpath("docs_page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    groups = _by_tag(document)
    info = document["info"]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])} API</title>",
        '<link rel="icon" href="data:,">',
        f"<style>{style}</style></head><body>",
        '<a class="skip" href="#main">Skip to the content</a><div class="page">',
        *_navigation(groups),
        '<main id="main">',
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>",
        _INTRODUCTION.format(description=escape(info.get("description", "")), host=HOST),
    ]
    for tag, operations in groups.items():
        parts.append(f"<h2>{escape(tag)}</h2>")
        for path, method, operation in operations:
            parts.extend(_operation(path, method, operation, document))
    parts.extend(_problems(problems))
    parts.append("</main></div></body></html>")
    return Page("\n".join(parts), policy)


def _by_tag(document: Object) -> dict[str, list[tuple[str, str, Object]]]:
    groups: dict[str, list[tuple[str, str, Object]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["Other"])[0]
            groups.setdefault(tag, []).append((path, method, operation))
    return groups


def _navigation(groups: dict[str, list[tuple[str, str, Object]]]) -> Iterator[str]:
    yield '<nav aria-label="Routes">'
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag)}</h2><ul>"
        for path, method, operation in operations:
            name = escape(operation["operationId"])
            yield f'<li><a href="#{name}">{method.upper()} {escape(path)}</a></li>'
        yield "</ul>"
    yield '<h2>Failures</h2><ul><li><a href="#problems">Every code</a></li></ul></nav>'


def _operation(path: str, method: str, operation: Object, document: Object) -> Iterator[str]:
    yield f'<article id="{escape(operation["operationId"])}">'
    yield f'<h3><span class="method {method}">{method.upper()}</span><code>{escape(path)}</code></h3>'
    yield f"<p><b>{escape(operation.get('summary', ''))}.</b> {_prose(operation.get('description', ''))}</p>"
    yield f'<p class="who">{escape(_who(operation.get("security", [])))}</p>'
    if operation.get("parameters"):
        yield "<h4>Parameters</h4>"
        rows = [
            (parameter["name"], parameter["in"], parameter.get("description", ""))
            for parameter in operation["parameters"]
        ]
        yield _table(("Name", "In", "Meaning"), rows)
    if "requestBody" in operation:
        media = next(iter(operation["requestBody"]["content"].values()))
        yield "<h4>Body</h4>"
        yield from _example(media)
        yield from _fields(media.get("schema", {}), document)
    yield from _answers(operation["responses"], document)
    yield "</article>"


def _who(security: list[Object]) -> str:
    names = {name for entry in security for name in entry}
    if not names:
        return "No key."
    if "writeKey" in names:
        return "A write key or a secret key."
    return "A secret key, or none on this machine." if {} in security else "A secret key."


def _answers(responses: Object, document: Object) -> Iterator[str]:
    done = responses.get("200", {}).get("content", {})
    for media in done.values():
        if "example" in media:
            yield "<h4>Answer</h4>"
            yield from _example(media)
        yield from _fields(media.get("schema", {}), document)
    failures = [(status, answer["description"]) for status, answer in responses.items() if status != "200"]
    if failures:
        yield "<details><summary>Failures</summary>"
        yield _table(("Status", "Codes"), failures) + "</details>"


def _example(media: Object) -> Iterator[str]:
    if "example" in media:
        yield f"<pre><code>{escape(json.dumps(media['example'], indent=2, ensure_ascii=False))}</code></pre>"


def _fields(schema: Object, document: Object) -> Iterator[str]:
    """The fields of an object's schema as a table, closed until asked for."""
    resolved = _resolve(schema, document)
    properties: Object = resolved.get("properties", {})
    if not properties:
        return
    required = set(resolved.get("required", ()))
    rows = [
        (name + ("" if name not in required else " *"), _type(field, document), field.get("description", ""))
        for name, field in properties.items()
    ]
    yield "<details><summary>Fields</summary>"
    if resolved.get("description"):
        described = resolved["description"].split("\n\n")
        yield "".join(f"<p>{_prose(paragraph)}</p>" for paragraph in described)
    yield _table(("Field (* needed)", "Type", "Meaning"), rows) + "</details>"


def _resolve(schema: Object, document: Object) -> Object:
    if "anyOf" in schema:
        return _resolve(schema["anyOf"][0], document)
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    found: Object = document["components"]["schemas"][name]
    return found


def _type(schema: Object, document: Object) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(each, document) for each in schema["anyOf"])
    if "prefixItems" in schema:
        return f"[{', '.join(_type(each, document) for each in schema['prefixItems'])}]"
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}), document)}"
    return str(schema.get("format") or schema.get("type") or "any")


def _prose(text: str) -> str:
    """Escaped text in which `this` is code."""
    pieces = escape(text).split("`")
    if len(pieces) % 2 == 0:
        return "`".join(pieces)
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f"<tr><td><code>{escape(str(first))}</code></td>"
        + "".join(f"<td>{_prose(str(cell))}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _problems(problems: Problems) -> Iterator[str]:
    yield '<h2 id="problems">Failures</h2>'
    yield (
        "<p>Every failure is a problem document (RFC 9457) with a stable <code>code</code>, what to do in "
        "<code>action</code>, and a <code>requestId</code> that stands in the server's log too.</p>"
    )
    yield '<article><div class="scroll"><table><thead><tr><th scope="col">Code</th>'
    yield '<th scope="col">Status</th>'
    yield '<th scope="col">Meaning</th><th scope="col">What to do</th></tr></thead><tbody>'
    for code, status, title, action in problems:
        yield (
            f'<tr id="problem-{escape(code)}"><td><code>{escape(code)}</code></td><td>{status}</td>'
            f"<td>{escape(title)}</td><td>{_prose(action)}</td></tr>"
        )
    yield "</tbody></table></div></article>"
