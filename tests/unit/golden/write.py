"""
Write the golden files anew: `python -m tests.unit.golden.write`.

For deliberate changes of the wire alone, and then the difference is what a review looks at. A field may be added, with
a default, and a kind too; whatever else changes here breaks nodes that are out there.
"""

from __future__ import annotations

import json

from tests.unit.golden import current


def main() -> None:
    """Write the schema and the bodies as they are now."""
    for path, content in ((current.SCHEMA, current.schema()), (current.BODIES, current.bodies())):
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
