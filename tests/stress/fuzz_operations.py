"""What a world of the fuzzer does: one random operation each, and how often it is chosen."""

import contextvars
import copy
import gc
import pickle
import threading
import warnings
import weakref

from fuzz_names import BASES, CLASSES, CRASHES_BY_ITSELF, FUNCTIONS, LEFT_OUT, NAMES
from fuzz_recipes import RECIPES
from fuzz_values import EXCEPTIONS

import greenloop
from greenloop import _native


def make(w):
    w.tell("make", name := w.rng.choice(list(RECIPES)))
    return RECIPES[name](w)


def call(w, function, name="?"):
    arguments, keywords = w.several(), w.keywords()
    w.tell("call", name, len(arguments), *map(kind, arguments), *keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **keywords)


def call_method(w):
    thing = w.ours()
    name = name_of(w, thing, True)
    w.tell(kind(thing), name)
    return call(w, getattr(thing, name), name)


def name_of(w, thing, callable_only=False):
    names = [name for name in sorted(set(dir(type(thing)))) if name not in LEFT_OUT]
    # Private and special names are half of all, and less often what is meant.
    plain = [name for name in names if not name.startswith("__")]
    return w.rng.choice(plain if plain and w.rng.random() < 0.7 else names)


def call_unbound(w):
    cls = w.rng.choice(CLASSES)
    name = name_of_class(w, cls)
    w.tell(cls.__name__, name)
    return call(w, getattr(cls, name), name)


def call_on_another(w):
    """`Class.method(an object of ours, ...)`."""
    cls = w.rng.choice(CLASSES + BASES)
    name = name_of_class(w, cls)
    receiver = w.ours()
    w.tell(cls.__name__, name, kind(receiver))
    if (cls, name) == CRASHES_BY_ITSELF:
        return None
    function = getattr(cls, name)
    return call(w, lambda *arguments, **keywords: function(receiver, *arguments, **keywords))


def name_of_class(w, cls):
    return w.rng.choice([name for name in sorted(dir(cls)) if name not in LEFT_OUT])


def use_descriptor(w):
    cls = w.rng.choice(CLASSES + BASES)
    name = w.rng.choice(sorted(vars(cls)))
    if name in LEFT_OUT:
        return None
    descriptor, receiver = vars(cls)[name], w.ours()
    w.tell(cls.__name__, name, kind(receiver))
    choice = w.rng.randrange(3)
    if choice == 0:
        return descriptor.__get__(receiver, w.rng.choice([cls, type(receiver)]))
    if choice == 1:
        value = w.rng.choice(CLASSES) if name == "__class__" else w.pick()
        return descriptor.__set__(receiver, value)
    return descriptor.__delete__(receiver)


def make_without_init(w):
    cls = w.rng.choice(CLASSES)
    w.tell(cls.__name__)
    return cls.__new__(cls)


def make_with_garbage(w):
    cls = w.rng.choice(CLASSES)
    w.tell(cls.__name__)
    return call(w, cls)


def make_subclass(w):
    cls = w.rng.choice(CLASSES)
    bases = (cls,) if w.rng.random() < 0.7 else (cls, w.rng.choice(CLASSES))
    names = w.rng.sample(sorted(dir(cls)), min(4, len(dir(cls))))
    members = {}
    for name in names:
        if name not in (
            "__class__",
            "__new__",
            "__dict__",
            "__weakref__",
            "__getattribute__",
            "__init__",
        ):
            members[name] = lambda this, *arguments, name=name, **keywords: w.react(
                "__call__", arguments
            )
    made = type(cls)("Mine", bases, members)
    return call(w, made) if w.rng.random() < 0.6 else made.__new__(made)


def initialise_again(w):
    thing = w.ours()
    w.tell(kind(thing))
    if type(thing) in CLASSES and w.rng.random() < 0.4:
        others = [
            one for one in (w.tolerate(make, w) for _ in range(3)) if type(one) is type(thing)
        ]
        if others:
            w.add(others[0])
    call(w, thing.__init__, "__init__")


def get_attribute(w):
    thing = w.ours()
    return getattr(thing, name_of(w, thing))


def set_attribute(w):
    thing = w.ours()
    name = w.rng.choice(NAMES) if w.rng.random() < 0.2 else name_of(w, thing)
    if thing is w.loop and name in ("time", "stop", "call_later"):
        return
    if name == "_signal_handlers":
        # close() lists them, as asyncio's does: with an object that has no end it would not either.
        return
    w.tell(kind(thing), name.encode("ascii", "replace"))
    setattr(thing, name, w.pick())


def delete_attribute(w):
    thing = w.ours()
    name = w.rng.choice(NAMES) if w.rng.random() < 0.2 else name_of(w, thing)
    delattr(thing, name)


def call_function(w):
    module, name = w.rng.choice(FUNCTIONS)
    function = getattr(greenloop if module == "greenloop" else _native, name)
    w.tell(name)
    return call(w, function, name)


def make_in_order(w):
    return make(w)


def run_for_a_while(w):
    if w.running:
        return
    loop, rng = w.loop, w.rng
    w.running += 1
    try:
        if rng.random() < 0.5:
            loop.call_soon(w.step)
        if rng.random() < 0.5:
            w.add(loop.create_task(w.body()))
        loop.call_later(rng.choice([0, 0.0005, 0.002]), loop.stop)
        loop.run_forever()
    finally:
        w.running -= 1


def run_until_complete(w):
    if w.running:
        return
    w.running += 1
    try:
        w.loop.call_later(0.002, w.loop.stop)
        w.add(w.loop.run_until_complete(w.ours()))
    finally:
        w.running -= 1


def schedule(w):
    w.loop.call_soon(w.step)


def schedule_task(w):
    return w.loop.create_task(w.body())


def start_task_of_ours(w):
    return w.loop.create_task(w.ours())


def collect(w):
    gc.collect(w.rng.randrange(3))


def in_a_thread(w):
    thread = threading.Thread(target=w.step)
    thread.start()
    thread.join()


def copy_one(w):
    thing = w.ours()
    choice = w.rng.randrange(4)
    if choice == 0:
        return copy.copy(thing)
    if choice == 1:
        return copy.deepcopy(thing)
    if choice == 2:
        return pickle.loads(pickle.dumps(thing))
    return thing.__reduce_ex__(w.rng.randrange(5))


def ask(w):
    thing = w.ours()
    question = w.rng.choice(QUESTIONS)
    return question(thing, w)


def drive(w):
    """Drive an awaitable by hand."""
    thing = w.ours()
    if w.rng.random() < 0.5:
        thing = thing.__await__()
    for _ in range(w.rng.randrange(1, 4)):
        choice = w.rng.randrange(5)
        if choice == 0:
            w.add(thing.send(w.pick()))
        elif choice == 1:
            w.add(thing.throw(*w.several()))
        elif choice == 2:
            w.add(thing.throw(w.rng.choice(EXCEPTIONS)(w)))
        elif choice == 3:
            w.add(next(thing))
        else:
            thing.close()
    return thing


def forget(w):
    if w.pool:
        del w.pool[w.rng.randrange(len(w.pool))]


def refer_weakly(w):
    return weakref.ref(w.ours(), w.method())


def cancel(w):
    return w.ours().cancel()


def in_a_context(w):
    return contextvars.copy_context().run(w.step)


def send(w):
    if w.sockets:
        w.rng.choice(w.sockets).send(b"more\nlines\n" * w.rng.choice([1, 1000]))


def close_a_socket(w):
    if w.sockets:
        w.rng.choice(w.sockets).close()


def debug(w):
    w.loop.set_debug(w.rng.random() < 0.5)


def new_loop(w):
    old, w.loop = w.loop, greenloop.new_event_loop()
    w.loop.set_exception_handler(w.handle_exception)
    if not w.running:
        type(old).close(old)
    return old


def kind(value):
    return type(value).__name__


QUESTIONS = [
    lambda thing, w: repr(thing),
    lambda thing, w: str(thing),
    lambda thing, w: hash(thing),
    lambda thing, w: bool(thing),
    lambda thing, w: len(thing),
    lambda thing, w: thing == w.pick(),
    lambda thing, w: thing < w.ours(),
    lambda thing, w: iter(thing),
    lambda thing, w: next(thing),
    lambda thing, w: w.pick() in thing,
    lambda thing, w: thing[w.pick()],
    lambda thing, w: dir(thing),
    lambda thing, w: vars(thing),
    lambda thing, w: format(thing, ""),
    lambda thing, w: thing(),
    lambda thing, w: memoryview(thing),
    lambda thing, w: list(thing),
    lambda thing, w: gc.get_referents(thing),
    lambda thing, w: thing.__sizeof__(),
    lambda thing, w: isinstance(thing, w.pick()),
    lambda thing, w: thing | w.pick(),
    lambda thing, w: delattr(thing, "__dict__"),
    lambda thing, w: setattr(thing, "__class__", w.rng.choice(CLASSES)),
    lambda thing, w: thing.__setstate__(w.pick()),
]
WEIGHTS = {
    call_method: 30,
    make_in_order: 12,
    call_unbound: 3,
    call_on_another: 5,
    use_descriptor: 5,
    make_without_init: 4,
    make_with_garbage: 6,
    make_subclass: 1,
    initialise_again: 8,
    get_attribute: 6,
    set_attribute: 6,
    delete_attribute: 2,
    call_function: 6,
    run_for_a_while: 6,
    run_until_complete: 2,
    schedule: 3,
    schedule_task: 4,
    start_task_of_ours: 5,
    collect: 2,
    in_a_thread: 1,
    copy_one: 3,
    ask: 10,
    drive: 8,
    forget: 5,
    refer_weakly: 2,
    cancel: 4,
    in_a_context: 1,
    send: 3,
    close_a_socket: 1,
    debug: 1,
    new_loop: 1,
}
OPERATIONS_AND_WEIGHTS = (list(WEIGHTS), list(WEIGHTS.values()))
