"""What the operating system tells of memory."""

import re
from pathlib import Path

STATUS = Path("/proc/self/status")
"""Numbers on this process, where the system has them (Linux)."""


def memory_entry(name: str, path: Path = STATUS) -> int | None:
    """Bytes of an entry, such as VmRSS (in memory now), VmHWM (at most so far) or VmSize (address space); None if not told."""
    found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE) if path.exists() else None
    return 1024 * int(found[1]) if found else None


def available_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that programs can still take, None if not told."""
    return memory_entry("MemAvailable", path)
