"""Diagrams as lines of text, for assertions that can be read."""

from greenloop.tracing.folding import Once
from greenloop.tracing.sequence import Crowd, inside, is_framed, label, sequence


def drawn(builder, **options):
    """The diagram of a trace that a `TraceBuilder` made: a line for each row, rounds indented."""
    diagram = sequence(builder.build(), **options)
    names = [lifeline.name for lifeline in diagram.lifelines]

    def lines(rows, rounds=1, indent=""):
        for row in rows:
            if isinstance(row, Once):
                shape = row.thing
                line = "--" if shape.is_answer else "->"
                ends = names[shape.source]
                if not shape.is_note:
                    ends += f" {line} {names[shape.target]}"
                yield f"{indent}{ends}: {label(row, rounds)}"
            elif not is_framed(row):
                yield from lines(inside(row), rounds, indent)
            else:
                crowd = isinstance(row, Crowd)
                yield f"{indent}{'mixed' if crowd else 'times'} {row.count}"
                yield from lines(inside(row), rounds * (1 if crowd else row.count), indent + "  ")

    return [*lines(diagram.rows)]
