"""Documentation pages made from the table definitions and the mapping model.

``python -m pzcenter.schema.docs OUTDIR`` writes them; a test proves that the pages in ``docs/reference/tables``
are those that the definitions give.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pzcenter.schema.felis import load_table, table_names
from pzcenter.schema.flags import PZFlag

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pzcenter.schema.felis import Column, Table

__all__ = ["all_pages", "mapping_page", "table_page", "write_pages"]

_NOTE = "<!-- Made by `python -m pzcenter.schema.docs docs/reference/tables`: change the definition, not this page. -->"


def table_page(table: Table) -> str:
    """Reference page of one table.

    Parameters
    ----------
    table : Table

    Returns
    -------
    str
        Markdown.
    """
    key = ", ".join(f"`{name}`" for name in table.primary_key)
    lines = [_NOTE, "", f"# `{table.name}`", "", table.description, ""]
    lines += [f"Version {table.version}." + (f" Each row is named by {key}." if key else ""), ""]
    lines += ["| column | type | unit | UCD | missing | accepted | description |", "|---|---|---|---|---|---|---|"]
    lines += [_row(column) for column in table.columns]
    if any(column.optional for column in table.columns):
        lines += [
            "",
            'A file may lack the columns whose *missing* is "column"; where it has them, values may be missing.',
        ]
    if table.families:
        families = ", ".join(f"`{family}`" for family in table.families)
        lines += ["", f"Other bands are named alike, such as J for `{{band}}`: {families}."]
    if table.name == "pz_flag":
        lines += ["", "## Bits", "", "| bit | value | name | meaning |", "|---|---|---|---|"]
        lines += [f"| {flag.bit_length() - 1} | {int(flag)} | `{flag.name}` | {flag.meaning} |" for flag in PZFlag]
    return "\n".join([*lines, ""])


def mapping_page() -> str:
    """Reference page of the keys of a mapping file, with the mappings that the package ships.

    Returns
    -------
    str
        Markdown.
    """
    from pzcenter.schema import mapping

    lines = [_NOTE, "", "# Mapping files", ""]
    lines += ["How to write one: [Describe your columns](../../how-to/describe-your-columns.md).", ""]
    lines += ["## Shipped", "", "| name | for | photometry columns | kind | bands |", "|---|---|---|---|---|"]
    for name in mapping.mapping_names():
        one = mapping.load_mapping(name)
        columns = f"`{one.photometry.value}`, `{one.photometry.error}`"
        lines.append(f"| `{name}` | {one.description} | {columns} | {one.photometry.kind} | {' '.join(one.bands)} |")
    parts: list[tuple[str, type[BaseModel]]] = [
        ("Top level", mapping.Mapping),
        ("photometry", mapping.PhotometryColumns),
        ("photometry.nondetection", mapping.NonDetection),
        ("ebv", mapping.EbvColumn),
        ("extinction", mapping.Extinction),
        ("flags", mapping.FlagRule),
        ("cuts", mapping.Cut),
    ]
    for title, model in parts:
        lines += ["", f"## {title}", "", "| key | value | default | meaning |", "|---|---|---|---|"]
        for key, field in model.model_fields.items():
            default = "required" if field.is_required() else _shown(field.default)
            meaning = ". ".join(part for part in (field.title, field.description) if part)
            lines.append(f"| `{key}` | {_type_name(field.annotation)} | {default} | {meaning} |")
    return "\n".join([*lines, ""])


def all_pages() -> dict[str, str]:
    """All reference pages.

    Returns
    -------
    dict of str to str
        File name to Markdown.
    """
    pages = {f"{name}.md": table_page(load_table(name)) for name in table_names()}
    pages["mapping-files.md"] = mapping_page()
    index = [_NOTE, "", "# Tables", "", "| table | version | holds |", "|---|---|---|"]
    for name in table_names():
        table = load_table(name)
        first_sentence = table.description.split(". ")[0].rstrip(".")
        index.append(f"| [`{name}`]({name}.md) | {table.version} | {first_sentence}. |")
    index += ["", "Other surveys' columns come in by [mapping files](mapping-files.md).", ""]
    pages["index.md"] = "\n".join(index)
    return pages


def write_pages(folder: Path) -> list[Path]:
    """Write all reference pages.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of Path
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in all_pages().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _row(column: Column) -> str:
    kind = column.storage
    if column.arraysize:
        kind += f"[{'n' if column.arraysize == '*' else column.arraysize}]"
    missing = "column" if column.optional else ("value" if column.nullable else "never")
    accepted = " and ".join(str(bound) for bound in column.bounds)
    ucd = f"`{column.ucd}`" if column.ucd else ""
    description = column.description.replace("|", "\\|")
    return f"| `{column.name}` | {kind} | {column.unit} | {ucd} | {missing} | {accepted} | {description} |"


def _type_name(annotation: Any) -> str:
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{argument}`" for argument in arguments)
    if get_origin(annotation) is tuple:
        return "list of " + _type_name(arguments[0])
    if get_origin(annotation) is dict:
        return f"band: {_type_name(arguments[1])}"
    if hasattr(annotation, "__metadata__"):
        return _type_name(arguments[0])
    if arguments:
        return " or ".join(dict.fromkeys(_type_name(argument) for argument in arguments))
    plain = {"str": "text", "float": "number", "int": "integer", "bool": "true or false"}
    return plain.get(annotation.__name__, "keys below")


def _shown(default: Any) -> str:
    if default in (None, "", (), {}):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m pzcenter.schema.docs OUTDIR")
    write_pages(Path(sys.argv[1]))
