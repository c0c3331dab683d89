"""Protocols of tests for any transport, which write down their calls."""


class Recording:
    """Writes down the calls of a protocol, and does what the test has put into `reactions`."""

    def __init__(self, **reactions):
        self.calls = []
        self.reactions = reactions
        self.transport = None

    def note(self, name, *arguments):
        self.calls.append((name, *arguments))
        reaction = self.reactions.get(name)
        return reaction(self, *arguments) if reaction else None

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")

    def connection_lost(self, exception):
        self.note("lost", exception)

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")

    @property
    def names(self):
        return [name for name, *_ in self.calls]
