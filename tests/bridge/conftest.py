"""Rust futures of an extension, on Greenloop and on asyncio, in debug mode too."""

import asyncio

import pytest

import greenloop


def in_debug_mode():
    loop = greenloop.new_event_loop()
    loop.set_debug(True)
    return loop


LOOP_FACTORIES = {
    "greenloop": greenloop.new_event_loop,
    "greenloop in debug mode": in_debug_mode,
    "asyncio": asyncio.SelectorEventLoop,
}


@pytest.fixture(params=LOOP_FACTORIES.values(), ids=LOOP_FACTORIES.keys())
def loop_factory(request):
    """What makes a new loop of the kind under test."""
    return request.param
