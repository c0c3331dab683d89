"""The module that uvloop's own tests import as `uvloop`: its public names, on the loop under test.

The package's path leads on to the unpacked source distribution of uvloop, so that its test base,
`uvloop._testbase`, is found there. The compiled module `uvloop.loop` does not exist.
"""

import asyncio
import os
import sys

# Whatever stands for asyncio's loop in this interpreter: see sitecustomize.py.
_TestedLoop = asyncio.SelectorEventLoop

__path__.append(os.environ["GREENLOOP_PEERS_UVLOOP"])
__all__ = ("new_event_loop", "run")


class Loop(_TestedLoop):
    """The loop under test, as a class of this package's."""


def new_event_loop() -> Loop:
    return Loop()


def run(main, *, loop_factory=new_event_loop, debug=None):
    """Like asyncio.run on a loop of this package's, and of no other."""

    async def checked():
        if not isinstance(asyncio.get_running_loop(), Loop):
            raise TypeError("uvloop.run() uses a non-uvloop event loop")
        return await main

    with asyncio.Runner(loop_factory=loop_factory, debug=debug) as runner:
        return runner.run(checked())


if sys.version_info < (3, 16):

    class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
        """Makes loops of this package's."""

        _loop_factory = Loop

        def get_event_loop(self):
            # uvloop's policy, unlike asyncio's up to 3.13, never makes a loop by itself.
            if self._local._loop is None:
                raise RuntimeError("There is no current event loop in this thread")
            return self._local._loop

    def install() -> None:
        asyncio.set_event_loop_policy(EventLoopPolicy())
