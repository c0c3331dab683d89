"""What the operations for `failing_allocations` share."""


def crashes_the_interpreter(operation):
    """Marks what the interpreter breaks by itself, with asyncio too.

    CPython 3.11 to 3.13 lose exceptions that pass a frame for which there is no memory, return
    without one or with two, free such a frame twice (`take_ownership`), and read a null pointer
    while they warn (`do_warn`).
    """
    operation.crashes_the_interpreter = True
    return operation


def ignore(loop, context):
    """An exception handler for operations that are expected to call it."""
