"""
Write the golden files anew: `python -m tests.unit.golden.write`.

For deliberate changes of the wire alone, and then the difference is what a review looks at. A field may be added, with
a default and at the end, and a kind too; whatever else changes here breaks nodes that are out there.
"""

from __future__ import annotations

import json
from typing import Any

from tests.unit.golden import current


def main() -> None:
    """Write the schema and the bodies as they are now."""
    current.SCHEMA.write_text(a_line_each(current.schema()))
    current.BODIES.write_text(json.dumps(current.bodies(), indent=1, ensure_ascii=False) + "\n")


def a_line_each(schema: dict[str, Any]) -> str:
    """Show each field on a line of its own, so that a difference shows fields."""
    structs = [
        f' "{name}": {{"form": {json.dumps(struct["form"])}, "tag": {json.dumps(struct["tag"])}, "fields": {{\n'
        + ",\n".join(f"  {json.dumps(field)}: {json.dumps(shown)}" for field, shown in struct["fields"].items())
        + "\n }}"
        for name, struct in schema.items()
    ]
    return "{\n" + ",\n".join(structs) + "\n}\n"


if __name__ == "__main__":
    main()
