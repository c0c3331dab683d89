"""Where the loop waits if the process has replaced the selector in which asyncio's loop would wait.

gevent puts a selector of its own in the place of `selectors.DefaultSelector`, so that other
greenlets of the thread go on while a loop waits. Our poller is native and would stop them. But it
has a descriptor, which is readable when anything has become ready, and this is waited for in the
replaced selector.
"""

import selectors


def outer_selector(fd: int) -> selectors.BaseSelector | None:
    """Return the process's selector, watching `fd`, or None where the system's own is in use."""
    default = selectors.DefaultSelector
    if default.__module__ == "selectors" and default.__name__ == "EpollSelector":
        return None
    selector = default()
    selector.register(fd, selectors.EVENT_READ)
    return selector
