"""The report as one self-contained HTML page: texts, tables and embedded figures, without scripts or outside resources."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

_CSS = """
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto;
  max-width: 1400px; padding: 1.5rem 2rem 4rem; }
p { max-width: 60rem; }
h1 { font-size: 1.7rem; margin: 0.2rem 0 0.4rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 0.6rem; padding-bottom: 0.25rem; border-bottom: 2px solid #0072b2; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 0.4rem; }
nav { margin: 0.8rem 0 1.6rem; }
nav a { margin-right: 1.1rem; color: #0072b2; text-decoration: none; }
nav a:hover { text-decoration: underline; }
.wide { overflow: auto; margin: 1.1rem 0; }
.scrolled { max-height: 36rem; }
table { border-collapse: collapse; font-size: 0.86rem; }
caption { text-align: left; color: #555; padding-bottom: 0.35rem; }
th, td { padding: 0.28rem 0.45rem; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th { white-space: normal; font-weight: 600; }
th.text, td.text { text-align: left; }
td.long { white-space: normal; min-width: 14rem; }
thead th { border-bottom: 1.5px solid #333; background: #fff; position: sticky; top: 0; vertical-align: bottom; }
th small { display: block; font-weight: normal; color: #666; }
tbody tr:nth-child(even) { background: #f5f7fa; }
figure { margin: 1.4rem 0 2rem; }
figure img { max-width: 100%; height: auto; }
figcaption { color: #444; max-width: 56rem; font-size: 0.92rem; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0.15rem 1.2rem; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
.warning { border-left: 4px solid #d55e00; background: #fdf1e7; padding: 0.5rem 0.8rem; }
@media print { nav { display: none; } figure, tr { break-inside: avoid; } .scrolled { max-height: none; } }
"""


LONG_TEXT = 30
MAX_ROWS = 40  # longer tables are scrolled; a shorter one in a frame would look as if it ended there


class Section(NamedTuple):
    """One part of the page: heading and ready HTML."""

    title: str
    body: str


def format_page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Complete page with a table of contents.

    Parameters
    ----------
    title, lead : str
        Plain text.
    sections : sequence of Section
        Sections with an empty body are left out.
    """
    shown = [(f"part-{k}", section) for k, section in enumerate(sections) if section.body]
    links = "".join(f'<a href="#{anchor}">{html.escape(section.title)}</a>' for anchor, section in shown)
    parts = "".join(f'<section id="{anchor}"><h2>{html.escape(s.title)}</h2>\n{s.body}</section>\n' for anchor, s in shown)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(lead)}</p>\n<nav>{links}</nav>\n{parts}</body>\n</html>\n"
    )


def format_figure(png: bytes, name: str, caption: str) -> str:
    """One embedded figure with its caption; the width is that of the print, so that its text has normal size."""
    width = int.from_bytes(png[16:20], "big") * 96 // 150
    data = base64.b64encode(png).decode()
    text = html.escape(caption)
    return (
        f'<figure id="figure-{name}"><img width="{width}" alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>\n"
    )


def format_facts(facts: Mapping[str, Any]) -> str:
    """List of names and values, for numbers that are no table."""
    rows = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(str(value))}</dd>" for key, value in facts.items())
    return f"<dl>{rows}</dl>\n" if facts else ""


def format_list(items: Sequence[str]) -> str:
    """Bulleted list."""
    return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>\n" if items else ""


def format_links(links: Mapping[str, str]) -> str:
    """Bulleted list of links, text -> address."""
    items = "".join(f'<li><a href="{html.escape(link)}">{html.escape(text)}</a></li>' for text, link in links.items())
    return f"<ul>{items}</ul>\n" if links else ""


def format_paragraph(text: str) -> str:
    """One paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>\n"


def format_text(text: str) -> str:
    """Plain text as it is, in letters of one width."""
    return f"<pre>{html.escape(text)}</pre>\n"


def format_warning(text: str) -> str:
    """One marked paragraph of plain text."""
    return f'<p class="warning"><strong>Warning:</strong> {html.escape(text)}</p>\n'


def format_table(table: pd.DataFrame, labels: Mapping[str, str], units: Mapping[str, str], caption: str = "") -> str:
    """Table of values, numbers to four significant digits.

    Parameters
    ----------
    table : pandas.DataFrame
    labels, units : mapping
        Column -> heading and unit; columns without a label keep their name with blanks for underscores.
    caption : str
    """
    if table.empty:
        return ""
    kinds = {str(name): _kind(table[name]) for name in table.columns}
    head = "".join(_heading(name, labels, units, bool(kind)) for name, kind in kinds.items())
    rows = []
    for record in table.itertuples(index=False):
        cells = (
            f'<td class="{kind}">{html.escape(str(value))}</td>' if kind else f"<td>{format_number(value)}</td>"
            for kind, value in zip(kinds.values(), record, strict=True)
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    frame = "wide scrolled" if len(rows) > MAX_ROWS else "wide"
    return f'<div class="{frame}"><table>{title}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>\n'


def _kind(column: pd.Series) -> str:
    """Class of a column's cells: nothing for numbers; only long texts are broken into lines."""
    if pd.api.types.is_numeric_dtype(column):
        return ""
    return "text long" if column.astype(str).str.len().max() > LONG_TEXT else "text"


def _heading(name: str, labels: Mapping[str, str], units: Mapping[str, str], is_text: bool) -> str:
    unit = f"<small>{html.escape(units[name])}</small>" if name in units else ""
    text = html.escape(labels.get(name, name.replace("_", " ")))
    return f'<th class="text">{text}{unit}</th>' if is_text else f"<th>{text}{unit}</th>"


def format_number(value: Any) -> str:
    """Integers as they are, other numbers to four significant digits, a dash for what is not known."""
    if pd.isna(value):
        return "-"
    if not isinstance(value, float):
        return str(value)
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e6):
        return f"{value:.3e}"
    # trailing zeros stay, so that a column shows equally many digits
    return f"{value:#.4g}".removesuffix(".") if 0 < size < 1e4 else f"{value:.0f}"
