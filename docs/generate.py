"""Write what is made from the code: docs/configuration.md, docs/artifacts.md and the JSON schema of the configuration."""

from pathlib import Path

from acefit.artifact_contracts import CONTRACTS, Contract
from acefit.config.document import write_documents

HERE = Path(__file__).resolve().parent

HEAD = """# Artifacts

<!-- Written by `docs/generate.py` from `acefit.artifact_contracts`; edit there. -->

Tables are Parquet files, small metadata YAML. Where they are: [workflow](workflow.md). Any Parquet reader opens them; the file's
metadata (key `acefit`, JSON) hold the kind of table and its version, the units, the step and version of acefit that wrote it, and
digests of its content, of the code and of the inputs:

```python
import json
import pandas as pd
import pyarrow.parquet as pq

path = "results/silicon/predict/structures.parquet"
table = pd.read_parquet(path)
about = json.loads(pq.read_schema(path).metadata[b"acefit"])
```

`acefit.artifacts.read_table` also checks the columns and, by a digest of the whole file, that nothing was altered. The same input
gives the same bytes.

YAML files and potentials end with a comment that says the same about them, after a digest of the whole file:

```yaml
# acefit <digest> {"acefit_version": …, "content": …, "file": …, "provenance": {"code": …, "inputs": …, …}, "schema_version": 1}
```

Other programs skip it. A potential may be edited at will once it is yours: files that the configuration names are never checked
for it. What happens to damaged files of the pipeline: [reliability](reliability.md).
"""


def section(contract: Contract) -> str:
    """One table of the documentation."""
    columns = [*contract.columns, *([contract.extra] if contract.extra else [])]
    rows = [f"| `{c.name}` | {c.dtype} | {c.unit} | {c.meaning.replace('|', chr(92) + '|')} |" for c in columns]
    head = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {contract.name} (version {contract.version})", "", *head, *rows, ""])


def artifacts_page() -> str:
    """Text of artifacts.md."""
    return "\n".join([HEAD, *map(section, CONTRACTS.values())])


if __name__ == "__main__":
    (HERE / "artifacts.md").write_text(artifacts_page(), encoding="utf-8")
    write_documents(HERE.parent)
