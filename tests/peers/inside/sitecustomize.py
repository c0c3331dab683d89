"""Puts the loop under test in place of asyncio's, in every interpreter that a suite starts.

The interpreter imports this module by its name before anything else, since the folder stands in
PYTHONPATH. Which loop it is stands in GREENLOOP_PEERS_LOOP: "greenloop" or "asyncio".
"""

import os

if os.environ.get("GREENLOOP_PEERS_LOOP") == "greenloop":
    import asyncio
    from asyncio import unix_events

    import greenloop

    greenloop.install()
    # By this name suites mean "the loop of asyncio's", and uvicorn starts its servers on it. To a
    # program that derives from it, it stays asyncio's own; here that has to be ours as well.
    for namespace in (asyncio, unix_events):
        namespace.SelectorEventLoop = greenloop.EventLoop
