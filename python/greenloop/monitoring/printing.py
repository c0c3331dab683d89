"""Printing an answer: a reader that has seen enough gets no complaint, and a full disk is an error.

What cannot be printed is dropped for good, or the interpreter would try again when it ends, and
complain in its own words.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from greenloop.monitoring.screen import in_encoding


class OutputError(Exception):
    """Standard output does not take what is printed; the message says why."""


def print_text(text: str) -> None:
    """Print a text on standard output, down to its last character.

    Args:
        text: Whole lines.

    Raises:
        OutputError: Standard output is closed, or cannot be written.
        SystemExit: Nobody reads any more, and there is nobody to tell.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        sys.stdout.write(in_encoding(text, sys.stdout.encoding))
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        raise OutputError(f"the answer was not printed: {error.strerror or error}") from None


def print_json(found: Any) -> None:
    """Print a JSON document in one line, without control characters.

    Raises:
        OutputError: Standard output is closed, or cannot be written.
        SystemExit: Nobody reads any more, and there is nobody to tell.
    """
    # JSON escapes all control characters but the last of ASCII.
    print_text(json.dumps(found).replace("\x7f", "\\u007f") + "\n")
