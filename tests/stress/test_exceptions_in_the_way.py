"""An exception that is raised while a task is about to be stepped does not meet other Python code.

Code of the program that is called while an exception is set raises `SystemError` at its end,
wherever it is.
"""

import asyncio
import contextlib

import pytest

import greenloop


class Refusal(Exception):
    pass


class Loop(greenloop.EventLoop):
    refuses = False

    def __hash__(self):
        if self.refuses:
            raise Refusal
        return id(self)

    __eq__ = object.__eq__


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("cancelled", [False, True])
def test_a_step_that_cannot_begin_is_taken_later(debug, cancelled):
    # Up to 3.13 the loop is the key of its current task, which is why it is hashed before a step.
    loop = Loop()
    problems = []
    loop.set_exception_handler(lambda loop, context: problems.append(context.get("exception")))
    ended = []

    async def wait():
        try:
            await asyncio.sleep(0)
        finally:
            ended.append(True)

    task = loop.create_task(wait())
    loop.call_soon(loop.stop)
    loop.run_forever()
    if cancelled:
        task.cancel()
    # The step is queued already; in debug mode it is queued again by `call_soon`.
    loop.set_debug(debug)
    loop.refuses = True
    with contextlib.suppress(Refusal):
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop.refuses = False
    for _ in range(3):
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert ended == [True]
    assert task.done()
    assert not [problem for problem in problems if isinstance(problem, SystemError)]
    loop.close()
