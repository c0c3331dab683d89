"""The selector in which the loop waits if the process has replaced asyncio's.

gevent puts its own selector in the place of `selectors.DefaultSelector`, so that other greenlets of
the thread run while a loop waits. Our poller is native and would block them. But it has a
descriptor, which is readable when anything has become ready, and the loop waits for this descriptor
in the replaced selector.
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
