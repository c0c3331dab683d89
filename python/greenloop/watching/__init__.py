"""Live reports: what the tasks of a running process wait for, asked of it from another terminal.

`docs/report-format.md` defines a report. `place` says where a process listens and `client` asks it;
`report` gives an answer types and takes out what could harm a terminal; the modules beside it
turn one into texts for people, and `command` is what the command line calls.
"""
