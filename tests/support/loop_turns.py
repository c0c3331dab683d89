"""How a test that is no coroutine lets a loop go on: a given number of turns."""


def run_turns(loop, turns=1):
    """Let the loop make turns, in which it runs what is ready and does not wait for the system."""
    for _ in range(turns):
        loop.call_soon(loop.stop)
        loop.run_forever()
