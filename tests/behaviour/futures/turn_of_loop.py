"""One turn of the loop, in which the callbacks of a future are called."""


def turn(loop):
    """Let the loop make one turn."""
    loop.call_soon(loop.stop)
    loop.run_forever()
