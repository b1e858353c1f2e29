"""Error metrics, tables and figures."""
