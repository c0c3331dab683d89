"""Where chains are registered: what each returns, and how large a stack it is given."""

CHAINS = {}
EXPECTED = {}
ON_ORDINARY_STACK = set()


def chain(expected):
    """Register a function, which is given the loop and a length, and what it returns."""

    def register(function):
        CHAINS[function.__name__] = function
        EXPECTED[function.__name__] = expected
        return function

    return register


def on_ordinary_stack(function):
    """Give the function's thread the stack of a main thread."""
    ON_ORDINARY_STACK.add(function.__name__)
    return function


def until_it_ends(function):
    """How a call that calls itself comes to its end."""
    try:
        function()
    except RecursionError:
        return "RecursionError"
    return "no end"
