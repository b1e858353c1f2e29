"""From the output of electronic-structure programs to datasets."""
