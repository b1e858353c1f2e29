"""Entries of the system's tables of memory."""

from acefit.system import available_memory, memory_entry


def test_memory_entry__reads_kilobytes(tmp_path):
    (tmp_path / "status").write_text("Name:\tx\nVmPeak:\t  20 kB\nVmRSS:\t   12 kB\n")
    assert memory_entry("VmRSS", tmp_path / "status") == 12 * 1024


def test_memory_entry__is_none_where_it_is_not_told(tmp_path):
    assert memory_entry("VmRSS", tmp_path / "none") is None
    (tmp_path / "status").write_text("Name:\tx\n")
    assert memory_entry("VmRSS", tmp_path / "status") is None


def test_available_memory__is_what_the_system_says(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  100 kB\nMemAvailable:    7 kB\n")
    assert available_memory(tmp_path / "meminfo") == 7168
    assert available_memory(tmp_path / "absent") is None
