# SPDX-License-Identifier: GPL-2.0-or-later
"""Results as a table of Markdown, as Documentation/benchmarks.md has them."""


def text_of(value):
    return "-" if value is None else str(value)


def show(rows, columns, text=text_of):
    print("|", " | ".join(columns), "|")
    print("|", " | ".join("---" for _ in columns), "|")
    for row in rows:
        print("|", " | ".join(text(row[name]) for name in columns), "|")
