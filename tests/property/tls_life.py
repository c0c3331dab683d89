"""One run of a random script: a TLS protocol between a peer, a transport, a loop, an application.

These do nothing by themselves, and write down what they are told.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass, field

from tls_scripts import EVENTS, VERSIONS, Script

from tls_contexts import client_context, server_context


class SSLObject(ssl.SSLObject):
    """An ssl object that does something else than asyncio's, for all that is known of its class."""


def contexts(version, subclass):
    made = server_context(), client_context()
    for context in made:
        context.maximum_version = version
        if subclass:
            context.sslobject_class = SSLObject
    return made


CONTEXTS = {
    (version, subclass): contexts(version, subclass)
    for version in VERSIONS
    for subclass in (False, True)
}

# What nobody does from within a call of the connection's.
OF_TRANSPORT = {
    *("peer sends", "deliver", "deliver all", "eof", "end", "turn", "timers"),
    "transport has room",
}


class Loop:
    """A loop that the script turns by hand."""

    def __init__(self, trace, debug):
        self.trace = trace
        self.debug = debug
        self.soon = []
        self.timers = []

    def get_debug(self):
        return self.debug

    def time(self):
        return 0.0

    def call_soon(self, callback, *arguments, context=None):
        self.soon.append((callback, arguments))

    def call_later(self, seconds, callback, *arguments):
        timer = Timer(callback, arguments)
        self.trace.append(("call_later", seconds))
        self.timers.append(timer)
        return timer

    def call_exception_handler(self, context):
        exception = context["exception"]
        self.trace.append(("reported", context["message"], type(exception), str(exception)))
        assert {"message", "exception", "transport", "protocol"} == set(context)


@dataclass
class Timer:
    callback: object
    arguments: tuple
    cancelled: bool = False

    def cancel(self):
        self.cancelled = True


class Transport:
    """A transport that keeps what is written for the peer."""

    def __init__(self, trace, sent):
        self.trace = trace
        self.sent = sent
        self.closing = False
        # With what `connection_lost` is to be called, once it was closed.
        self.ends_with = []

    def write(self, data):
        self.trace.append(("sent", len(data)))
        self.sent += data

    def is_closing(self):
        return self.closing

    def get_extra_info(self, name, default=None):
        return f"extra {name}"

    def pause_reading(self):
        self.trace.append(("below", "pause_reading"))

    def resume_reading(self):
        self.trace.append(("below", "resume_reading"))

    def close(self):
        self.trace.append(("below", "close"))
        self.closing = True
        self.ends_with.append(None)

    def _force_close(self, exception):
        self.trace.append(("below", "_force_close", type(exception)))
        self.closing = True
        self.ends_with.append(exception)

    def abort(self):
        self._force_close(None)


@dataclass
class Waiter:
    trace: list
    done: bool = False

    def cancelled(self):
        return False

    def set_result(self, result):
        self.trace.append(("waiter", result))

    def set_exception(self, exception):
        self.trace.append(("waiter", type(exception), str(exception)))


class Application:
    """The application's protocol."""

    def __init__(self, life):
        self.life = life
        self.counts = dict.fromkeys(EVENTS, 0)

    def told(self, event, *what):
        self.life.trace.append((event, *what))
        count = self.counts[event]
        self.counts[event] += 1
        return self.life.react(event, count)

    def connection_made(self, transport):
        return self.told("connection_made", transport is self.life.transport)

    def eof_received(self):
        return self.told("eof_received")

    def connection_lost(self, exception):
        return self.told("connection_lost", type(exception))

    def pause_writing(self):
        return self.told("pause_writing")

    def resume_writing(self):
        return self.told("resume_writing")


class Plain(Application, asyncio.Protocol):
    def data_received(self, data):
        assert type(data) is bytes
        return self.told("data_received", len(data), data[:8], data[-8:])


class Buffered(Application, asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        self.memory = memoryview(bytearray(self.life.script.room))
        self.told("get_buffer", hint)
        return self.memory

    def buffer_updated(self, count):
        return self.told("buffer_updated", count, bytes(self.memory[: min(count, 8)]))


class Listener(logging.Handler):
    """Writes down what is logged."""

    def __init__(self, trace):
        super().__init__()
        self.trace = trace

    def emit(self, record):
        self.trace.append(("logged", record.levelname, record.msg))


@dataclass
class Life:
    """One run of a script."""

    script: Script
    trace: list = field(default_factory=list)
    under_way: bytearray = field(default_factory=bytearray)
    sent: bytearray = field(default_factory=bytearray)
    full: bool = False
    written: int = 0
    # How deep reactions are in each other, and when they end.
    depth: int = 0

    def begin(self, constructor):
        script = self.script
        self.loop = Loop(self.trace, script.debug)
        self.below = Transport(self.trace, self.sent)
        self.lost = False
        self.application = (Buffered if script.buffered else Plain)(self)
        server, client = CONTEXTS[script.version, script.subclass]
        context, others = (server, client) if script.server_side else (client, server)
        name = None if script.server_side else "localhost"
        waiter = Waiter(self.trace)
        self.protocol = constructor(
            self.loop, self.application, context, waiter, script.server_side, name
        )
        self.transport = self.protocol._app_transport
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.peer = others.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=not script.server_side,
            server_hostname="localhost" if script.server_side else None,
        )
        self.peer_is_ready = False
        self.attempt(self.protocol.connection_made, self.below)
        if script.connected:
            for _ in range(4):
                self.step("deliver all")

    def run(self, constructor):
        logger = logging.getLogger("asyncio")
        handler = Listener(self.trace)
        logger.addHandler(handler)
        logger.propagate = False
        level = logger.level
        logger.setLevel(logging.DEBUG)
        try:
            return self.live(constructor)
        finally:
            logger.setLevel(level)
            logger.propagate = True
            logger.removeHandler(handler)

    def live(self, constructor):
        self.begin(constructor)
        for step in self.script.steps:
            self.step(*step)
        for _ in range(6):
            self.step("deliver all")
            self.step("turn")
        self.step("timers")
        self.step("turn")
        if not self.lost:
            self.step("end", None)
            self.step("turn")
        self.transport._closed = True
        return self.trace

    def react(self, event, count):
        reaction = self.script.reactions.get((event, count))
        if reaction is None or self.depth > 3:
            return None
        match reaction:
            case "raise", exception:
                raise exception("expected")
            case "return", value:
                return value
        self.depth += 1
        try:
            # A transport calls nobody from within a call.
            if reaction[0] not in OF_TRANSPORT:
                self.step(*reaction)
        finally:
            self.depth -= 1

    def attempt(self, function, *arguments, **keywords):
        """Call something, and what it raises is written down, and told to the transport."""
        try:
            return function(*arguments, **keywords)
        except BaseException as exception:
            text = str(exception)
            # Of None has no attribute, asyncio's own names.
            if not isinstance(exception, AttributeError):
                self.trace.append(("raised", type(exception), text))
            else:
                self.trace.append(("raised", type(exception)))

    def step(self, action, *arguments):
        self.trace.append((action, *arguments))
        getattr(self, action.replace(" ", "_"))(*arguments)
        self.trace.append(
            (self.protocol._state, self.protocol._app_state, self.transport.is_closing())
            if self.transport._ssl_protocol is not None
            else ()
        )

    # The peer.

    def peer_moves(self):
        """The peer reads what was sent, and what it answers is under way."""
        if self.sent:
            self.incoming.write(self.sent)
            self.sent.clear()
        try:
            if not self.peer_is_ready:
                self.peer.do_handshake()
                self.peer_is_ready = True
            while data := self.peer.read(1 << 16):
                self.trace.append(("peer reads", len(data)))
            self.trace.append("peer reads the end")
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        except ssl.SSLError as error:
            self.trace.append(("peer fails", error.reason))
        self.under_way += self.outgoing.read()

    def peer_writes(self, size):
        self.peer_moves()
        if self.peer_is_ready:
            try:
                rest = b"%08d" % size * (size // 8 + 1)
                while rest:
                    rest = rest[self.peer.write(rest) :]
            except ssl.SSLError as error:
                self.trace.append(("peer cannot write", error.reason))
        self.under_way += self.outgoing.read()

    def peer_sends(self, size, piece):
        self.peer_writes(size)
        self.deliver(piece)
        self.deliver_all()

    def peer_closes(self):
        self.peer_moves()
        try:
            self.peer.unwrap()
        except (ssl.SSLError, ValueError):
            pass
        self.under_way += self.outgoing.read()

    def garbage(self):
        self.under_way += b"\x17\x03\x03\x00\x05abcde"

    # The transport below.

    def deliver(self, size):
        self.peer_moves()
        if self.lost or self.below.closing and self.below.ends_with != [None]:
            return
        piece = bytes(self.under_way[:size])
        del self.under_way[:size]
        while piece and not self.lost:
            buffer = self.protocol.get_buffer(-1)
            count = min(len(buffer), len(piece))
            buffer[:count] = piece[:count]
            self.attempt(self.protocol.buffer_updated, count)
            piece = piece[count:]

    def deliver_all(self):
        self.deliver(1 << 30)

    def eof(self):
        if not self.lost:
            self.trace.append(("keeps open", self.attempt(self.protocol.eof_received)))

    def transport_is_full(self):
        if not self.full and not self.lost:
            self.full = True
            self.protocol.pause_writing()

    def transport_has_room(self):
        if self.full and not self.lost:
            self.full = False
            self.attempt(self.protocol.resume_writing)

    def loses(self, exception):
        if not self.lost:
            self.lost = True
            self.attempt(self.protocol.connection_lost, exception)

    def end(self, kind):
        self.loses(kind and kind("expected"))

    # The loop.

    def turn(self):
        soon, self.loop.soon[:] = list(self.loop.soon), []
        for callback, arguments in soon:
            self.attempt(callback, *arguments)
        if self.below.ends_with:
            self.loses(self.below.ends_with[0])

    def timers(self):
        timers, self.loop.timers[:] = list(self.loop.timers), []
        for timer in timers:
            if not timer.cancelled:
                self.attempt(timer.callback, *timer.arguments)

    # The application.

    def write(self, size):
        self.written += 1
        self.attempt(self.transport.write, b"%d" % self.written * size)

    def writelines(self, sizes):
        self.attempt(self.transport.writelines, [b"x" * size for size in sizes])

    def pause_reading(self):
        self.attempt(self.transport.pause_reading)

    def resume_reading(self):
        self.attempt(self.transport.resume_reading)

    def close(self):
        self.attempt(self.transport.close)

    def abort(self):
        self.attempt(self.transport.abort)

    def write_limits(self, high, low):
        self.attempt(self.transport.set_write_buffer_limits, high, low)
        self.trace.append(self.attempt(self.transport.get_write_buffer_limits))

    def read_limits(self, high, low):
        self.attempt(self.transport.set_read_buffer_limits, high, low)
        self.trace.append(self.attempt(self.transport.get_read_buffer_limits))

    def set_protocol(self, buffered):
        if not self.lost:
            self.application = (Buffered if buffered else Plain)(self)
            self.attempt(self.transport.set_protocol, self.application)

    def sizes(self):
        transport = self.transport
        for ask in (
            transport.get_write_buffer_size,
            transport.get_read_buffer_size,
            transport.is_reading,
            lambda: transport._protocol_paused,
            lambda: transport.get_extra_info("cipher"),
            lambda: transport.get_extra_info("peername", 3),
        ):
            self.trace.append(self.attempt(ask))
