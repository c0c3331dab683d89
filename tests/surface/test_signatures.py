"""Every public function and method takes what asyncio's takes, and says so to whoever asks."""

import asyncio
import inspect

import pytest

import greenloop
from greenloop import _native

PUBLIC = {
    name: (getattr(greenloop, name), getattr(asyncio, name))
    for name in sorted(greenloop.native_names())
    if isinstance(getattr(asyncio, name), type) and name != "EventLoop"
}
# What no program makes itself has public methods all the same.
INTERNAL = {
    "loop": (greenloop.EventLoop, asyncio.SelectorEventLoop),
    "transport": (_native.SocketTransport, asyncio.selector_events._SelectorSocketTransport),
    "TLS transport": (_native.SSLTransport, asyncio.sslproto._SSLProtocolTransport),
    "TLS protocol": (_native.SSLProtocol, asyncio.sslproto.SSLProtocol),
    "flow control": (_native.FlowControlMixin, asyncio.streams.FlowControlMixin),
    "gathering": (_native._GatheringFuture, asyncio.tasks._GatheringFuture),
}
CLASSES = PUBLIC | INTERNAL
SPECIAL = ["__aenter__", "__aexit__", "__anext__", "__init__"]


def signature(function):
    try:
        return inspect.signature(function)
    except ValueError:
        # asyncio's own are built in as well, some of them, and a few do not say what they take.
        return None


METHODS = [
    (name, method)
    for name, (_, asyncios) in CLASSES.items()
    for method in dir(asyncios)
    if not method.startswith("_") or (method in SPECIAL and name in PUBLIC)
    if callable(getattr(asyncios, method))
    if signature(getattr(asyncios, method)) is not None
]


def parameters(signature):
    """Names, kinds and defaults. Whether a method's instance can be given by name says nothing."""
    found = [(one.name, one.kind, one.default) for one in signature.parameters.values()]
    return found[1:] if found and found[0][0] == "self" else found


def test_there_are_methods_to_compare():
    assert len(METHODS) > 200


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_a_method_takes_what_asyncios_takes(name, method):
    ours, asyncios = (signature(getattr(owner, method)) for owner in CLASSES[name])
    assert ours is not None
    assert parameters(ours) == parameters(asyncios)
    is_bound = next(iter(asyncios.parameters), None) != "self"
    assert (next(iter(ours.parameters), None) != "self") == is_bound


@pytest.mark.parametrize("name", PUBLIC)
def test_a_class_takes_what_asyncios_takes(name):
    ours, asyncios = map(signature, PUBLIC[name])
    if asyncios is not None:
        assert parameters(ours) == parameters(asyncios)


# Our loop is not made of a selector: its poller is native.
@pytest.mark.parametrize("name", sorted(greenloop.native_names() - {*PUBLIC, "EventLoop"}))
def test_a_function_takes_what_asyncios_takes(name):
    ours, asyncios = (signature(getattr(module, name)) for module in (greenloop, asyncio))
    assert parameters(ours) == parameters(asyncios)


def test_arguments_of_transports_and_protocols_can_be_given_by_name(loop, peer):
    transport, protocol = peer
    transport.write(data=b"one")
    transport.writelines(list_of_data=[b"two", b"three"])
    transport.set_protocol(protocol=protocol)
    assert transport.get_protocol() is protocol
    with pytest.raises(TypeError):
        transport.write(bytes=b"one")


@pytest.fixture
def loop():
    loop = greenloop.EventLoop()
    yield loop
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture
def peer(loop):
    near, far = asyncio.trsock.socket.socketpair()
    opening = loop.create_connection(asyncio.Protocol, sock=near)
    transport, protocol = loop.run_until_complete(opening)
    yield transport, protocol
    transport.abort()
    far.close()
