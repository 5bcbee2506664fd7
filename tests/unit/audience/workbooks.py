"""Small .xlsx workbooks, written by hand: the parts that a spreadsheet writes, and what a test puts in their place."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import Final

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PARTS: Final = {
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><sheets><sheet name="List" sheetId="1" r:id="r1"/>'
        '<sheet name="Other" sheetId="2" r:id="r2"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Target="worksheets/sheet1.xml"/>'
        '<Relationship Id="r2" Target="/xl/worksheets/sheet2.xml"/></Relationships>'
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/>'
        '<numFmt numFmtId="165" formatCode="0.00 &quot;days&quot;"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="22"/><xf numFmtId="165"/></cellXfs></styleSheet>'
    ),
    "xl/sharedStrings.xml": (
        f'<sst xmlns="{_MAIN}"><si><t>mobile</t></si>'
        "<si><r><t>Zo</t></r><r><t>é</t></r><rPh><t>zzz</t></rPh></si></sst>"
    ),
}


def sheet(rows: Iterable[str]) -> str:
    """The XML of a sheet of these rows, each the XML of its cells or the whole row."""
    made = (row if row.startswith("<row") else f"<row>{row}</row>" for row in rows)
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(made)}</sheetData></worksheet>'


def workbook(rows: Iterable[str], other: Iterable[str] = (), parts: Mapping[str, str | bytes] = {}) -> bytes:
    """A workbook with two sheets, and `parts` in the place of its own."""
    file = io.BytesIO()
    sheets = {"xl/worksheets/sheet1.xml": sheet(rows), "xl/worksheets/sheet2.xml": sheet(other)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**PARTS, **sheets, **parts}.items():
            archive.writestr(name, content)
    return file.getvalue()
