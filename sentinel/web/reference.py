"""`GET /docs`: the reference of the API as one plain page made from the OpenAPI document. Loads nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import FileResponse, HTMLResponse

STYLE: Final = Path(__file__).with_name("reference.css")


def router(app: FastAPI) -> APIRouter:
    """Return the routes of the reference of `app`."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def get_docs() -> Response:
        return HTMLResponse(page(app.openapi()))

    @routes.get("/docs/style.css")
    async def get_style() -> Response:
        return FileResponse(STYLE, media_type="text/css")

    return routes


def page(document: Mapping[str, Any]) -> str:
    """Return the OpenAPI document as HTML."""
    operations = [(method, path, told) for path, item in document["paths"].items() for method, told in item.items()]
    schemas = document.get("components", {}).get("schemas", {})
    title = escape(document["info"]["title"])
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{title}</title><link rel="stylesheet" href="/docs/style.css"></head><body>',
            f"<header><h1>{title}</h1><p>{escape(document['info'].get('description', ''))} ",
            '<a href="/openapi.json">openapi.json</a></p></header>',
            f"<nav aria-label='Operations'><ul>{''.join(_link(*one) for one in operations)}</ul></nav><main>",
            *(_operation(*one) for one in operations),
            "<h2>Schemas</h2>",
            *(_schema(name, told) for name, told in sorted(schemas.items())),
            "</main></body></html>",
        ]
    )


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""), quote=True)


def _link(method: str, path: str, told: Mapping[str, Any]) -> str:
    name = f"<b>{method.upper()}</b> {escape(path)}"
    return f"<li><a href='#{_anchor(method, path)}'>{name}</a> {escape(told.get('summary', ''))}</li>"


def _operation(method: str, path: str, told: Mapping[str, Any]) -> str:
    parts = [
        f"<section id='{_anchor(method, path)}'><h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2>",
        *(f"<p>{escape(text)}</p>" for text in told.get("description", "").split("\n\n") if text),
        _table(("Parameter", "In", "Type", "What"), (_parameter(one) for one in told.get("parameters", []))),
        _table(("Body", "Schema"), _contents(told.get("requestBody", {}))),
        _table(("Answer", "What", "Media type", "Schema"), _answers(told.get("responses", {}))),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _parameter(told: Mapping[str, Any]) -> tuple[str, ...]:
    name = told["name"] + (" *" if told.get("required") else "")
    return f"<code>{escape(name)}</code>", escape(told["in"]), _type(told.get("schema", {})), escape(told.get("description", ""))


def _contents(body: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for media_type, told in body.get("content", {}).items():
        schema = told.get("schema", {})
        yield escape(media_type), f"{_type(schema)} {escape(schema.get('description', ''))}"


def _answers(responses: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, told in responses.items():
        contents = list(_contents(told)) or [("", "")]
        for media_type, schema in contents:
            yield escape(status), escape(told.get("description", "")), media_type, schema


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table of cells that are HTML already; nothing when there are no rows."""
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    heads = "".join(f"<th scope='col'>{name}</th>" for name in head)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>" if lines else ""


def _schema(name: str, told: Mapping[str, Any]) -> str:
    required = told.get("required", [])
    fields = (
        (f"<code>{escape(field)}{' *' if field in required else ''}</code>", _type(of), escape(of.get("description", "")))
        for field, of in told.get("properties", {}).items()
    )
    values = ", ".join(escape(str(value)) for value in told.get("enum", []))
    said = f"<p>{escape(told.get('description', ''))} {values}</p>"
    return (
        f"<section id='schema-{escape(name, quote=True)}'><h3>{escape(name)}</h3>{said}"
        f"{_table(('Field', 'Type', 'What'), fields)}</section>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema in words, other schemas as links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2], quote=True)
        return f"<a href='#schema-{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " · ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    bounds = {name: schema[name] for name in ("minimum", "maximum", "maxLength", "default") if schema.get(name) is not None}
    told = escape(", ".join(f"{name} {json.dumps(value)}" for name, value in bounds.items()))
    return f"{escape(str(schema.get('type', 'any')))}{f' ({told})' if told else ''}"
