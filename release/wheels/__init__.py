"""Builds what is published: `make wheels`, or `python -m release.wheels`.

The order is that of `__main__`. First comes the source distribution, with the crates it needs
inside (`sources`, of what `dependencies` finds). Each wheel is then built from the unpacked source
distribution, without a network and with the compiler that `toolchain` finds (`building`): every
build of ours proves that the source distribution is complete. `stripping` makes it lighter,
`symbols` looks at what came out, `bill` lists what is inside, and `sums` seals it. `trying`
installs the wheels and runs the tests on them; it is a command of its own, `make test-wheels`.

No step writes what it reads from a clock, a path or the order of a folder: two builds with the same
compilers are equal byte by byte.
"""
