"""`make wheels` refuses what is wrong, and writes the same bytes each time."""

import base64
import gzip
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile

import pytest

import greenloop._native

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from release.wheels import (  # noqa: E402
    bill,
    building,
    dependencies,
    sources,
    stripping,
    sums,
    symbols,
    targets,
    toolchain,
    trying,
)
from release.wheels.elf import Elf, NotElfError  # noqa: E402

EXTENSION = pathlib.Path(greenloop._native.__file__).read_bytes()
MACHINE = {62: "x86_64", 183: "aarch64"}[Elf(EXTENSION).machine]
NAME = "greenloop-0.1.0-cp313-cp313-manylinux2014_{0}.manylinux_2_17_{0}.whl"


# Symbols


def of_old_glibc(extension):
    """Let an extension that was built for this machine's glibc ask for nothing new."""
    for _, version in Elf(extension).versions:
        if not symbols._is_old_enough(version):
            assert re.fullmatch(r"GLIBC_2\.\d\d", version)
            extension = extension.replace(f"\0{version}\0".encode(), b"\0GLIBC_2.17\0")
    return extension


OLD = of_old_glibc(EXTENSION)


def test_an_extension_that_asks_for_nothing_new_is_not_refused():
    assert list(symbols.of_extension(OLD, MACHINE)) == []


@pytest.mark.parametrize(
    ("found", "planted", "refusal"),
    [
        (b"\0GLIBC_2.2.5\0", b"\0GLIBC_2.18\0\0", "needs GLIBC_2.18 of libc.so.6"),
        (b"\0GLIBC_2.2.5\0", b"\0GLIBC_3.0\0\0\0", "needs GLIBC_3.0 of"),
        (b"\0GLIBC_2.2.5\0", b"\0GLIBC_ABI_A\0", "needs GLIBC_ABI_A of"),
        (b"\0libc.so.6\0", b"\0libz.so.1\0", "needs libz.so.1, which the tag does not promise"),
    ],
)
@pytest.mark.skipif(MACHINE != "x86_64", reason="other machines began with a newer glibc")
def test_what_the_oldest_system_does_not_have_is_refused(found, planted, refusal):
    assert found in OLD
    refusals = "\n".join(symbols.of_extension(OLD.replace(found, planted), MACHINE))
    assert refusal in refusals


def test_an_extension_of_another_machine_is_refused():
    other = bytearray(OLD)
    struct.pack_into("<H", other, 18, 243)
    (refusal,) = symbols.of_extension(bytes(other), MACHINE)
    assert refusal == f"is for the machine 243, and not for {MACHINE}"


@pytest.mark.parametrize("data", [b"", b"\x7fELF\x01\x01" + bytes(100), b"MZ" + bytes(100)])
def test_what_is_no_elf_file_is_refused(data):
    with pytest.raises(NotElfError):
        Elf(data)
    assert len(list(symbols.of_extension(data, MACHINE))) == 1


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("GLIBC_2.17", True),
        ("GLIBC_2.2.5", True),
        ("GLIBC_2.17.1", False),
        ("GLIBC_2.18", False),
        ("GLIBC_2.100", False),
        ("GLIBC_PRIVATE", False),
        ("GCC_3.0", True),
        ("GCC_4.2.0", True),
        ("GCC_7.0.0", False),
        ("CXXABI_1.3", False),
    ],
)
def test_which_versions_are_old_enough(version, old):
    assert symbols._is_old_enough(version) is old


def wheel_of(folder, extension, name=NAME.format(MACHINE), copies=1):
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(copies):
            archive.writestr(f"greenloop/_native{number}.so", extension)
    return path


@pytest.mark.slow
def test_a_wheel_is_refused_for_what_is_inside_for_its_name_and_for_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(symbols, "LARGEST", 2 * len(OLD) + 1000)
    assert list(symbols.refusals(wheel_of(tmp_path, OLD))) == []
    assert "2 extensions" in "".join(symbols.refusals(wheel_of(tmp_path, OLD, copies=2)))
    monkeypatch.setattr(symbols, "LARGEST", 1000)
    assert "more than 1000" in "".join(symbols.refusals(wheel_of(tmp_path, OLD)))
    for name in ("greenloop-0.1.0-cp313-cp313-linux_x86_64.whl", NAME.format("riscv64")):
        assert "no tag" in "".join(symbols.refusals(wheel_of(tmp_path, OLD, name)))
    misnamed = NAME.format({"x86_64": "aarch64", "aarch64": "x86_64"}[MACHINE])
    assert "is for the machine" in "".join(symbols.refusals(wheel_of(tmp_path, OLD, misnamed)))


# Stripping


@pytest.mark.slow
def test_a_stripped_extension_is_smaller_and_works(tmp_path):
    stripped = stripping.without_debugging(EXTENSION)
    before, after = Elf(EXTENSION), Elf(stripped)
    assert len(stripped) < len(EXTENSION)
    assert not [each.name for each in after.sections if each.name.startswith(".debug_")]
    assert (after.libraries, after.versions) == (before.libraries, before.versions)
    assert after.has_symbols
    assert stripping.without_debugging(stripped) == stripped
    package = tmp_path / "greenloop"
    shutil.copytree(pathlib.Path(greenloop.__file__).parent, package)
    (package / pathlib.Path(greenloop._native.__file__).name).write_bytes(stripped)
    program = "import greenloop; greenloop.run(greenloop.sleep(0)); print(greenloop.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.stdout.strip() == str(package / "__init__.py"), result.stderr


def symbols_of(extension):
    (section,) = (each for each in Elf(extension).sections if each.is_symbols)
    return section, section.size // 24, section.header[7]


@pytest.mark.slow
def test_a_symbol_of_a_section_for_debuggers_goes_with_it():
    # As on aarch64, where marks say what of a section is data; local symbols come first.
    names = [each.name for each in Elf(EXTENSION).sections]
    section, count, local = symbols_of(EXTENSION)
    planted = bytearray(EXTENSION)
    struct.pack_into("<H", planted, section.start + 24 + 6, names.index(".debug_info"))
    _, after, local_after = symbols_of(stripping.without_debugging(bytes(planted)))
    assert (after, local_after) == (count - 1, local - 1)
    struct.pack_into("<BBH", planted, section.start + 24 + 4, 0x10, 0, names.index(".debug_info"))
    with pytest.raises(ValueError, match="is not local"):
        stripping.without_debugging(bytes(planted))


@pytest.mark.slow
def test_a_stripped_wheel_has_the_checksums_of_what_is_inside(tmp_path):
    wheel = wheel_of(tmp_path, EXTENSION)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("greenloop-0.1.0.dist-info/RECORD", "greenloop/_native0.so,x,1\na,b,2\n")
    copy = pathlib.Path(shutil.copy(wheel, tmp_path / "copy.whl"))
    for each in (wheel, copy):
        stripping.strip(each)
    assert wheel.read_bytes() == copy.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        extension = archive.read("greenloop/_native0.so")
        record = archive.read("greenloop-0.1.0.dist-info/RECORD").decode().splitlines()
    digest = base64.urlsafe_b64encode(hashlib.sha256(extension).digest()).decode().rstrip("=")
    assert record == [f"greenloop/_native0.so,sha256={digest},{len(extension)}", "a,b,2"]


# Sums


def test_sums_find_what_was_changed_added_and_removed(tmp_path):
    for name in ("b.whl", "a.tar.gz", "c.json"):
        (tmp_path / name).write_text(name)
    path = sums.write(tmp_path)
    lines = path.read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["a.tar.gz", "b.whl", "c.json"]
    assert lines[1].split()[0] == hashlib.sha256(b"b.whl").hexdigest()
    assert list(sums.refusals(tmp_path)) == []
    (tmp_path / "a.tar.gz").write_text("changed")
    (tmp_path / "c.json").rename(tmp_path / "d.json")
    assert list(sums.refusals(tmp_path)) == [
        "a.tar.gz is not the file that was listed",
        "c.json is listed and not there",
        "d.json is there and not listed",
    ]


# The source distribution


def tree_in(folder, order):
    source = folder / "greenloop-0.1.0"
    for name in order:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "run").chmod(0o700)
    return source


def test_the_archive_follows_from_names_and_content_alone(tmp_path):
    first = tree_in(tmp_path / "one", ["b/x", "a", "run"])
    second = tree_in(tmp_path / "two", ["run", "a", "b/x"])
    (second / "a").chmod(0o600)
    os.utime(second / "a", (1, 1))
    packed = [sources.pack(source, source.parent, 1_700_000_000) for source in (first, second)]
    assert packed[0].name == "greenloop-0.1.0.tar.gz"
    assert packed[0].read_bytes() == packed[1].read_bytes()
    with tarfile.open(packed[0]) as archive:
        entries = archive.getmembers()
    assert [entry.name.partition("/")[2] for entry in entries] == ["a", "b/x", "run"]
    assert [entry.mode for entry in entries] == [0o644, 0o644, 0o755]
    assert {(entry.mtime, entry.uid, entry.uname) for entry in entries} == {(1_700_000_000, 0, "")}
    assert gzip.decompress(packed[0].read_bytes())


def test_of_a_crate_that_is_never_compiled_the_manifest_is_left(tmp_path):
    for name in ("needed", "other"):
        folder = tmp_path / f"{name}-1.0.0"
        (folder / "src").mkdir(parents=True)
        (folder / "src/lib.rs").write_text("pub fn much() {}")
        (folder / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "1.0.0"\n')
        (folder / ".cargo-checksum.json").write_text(
            '{"files": {"src/lib.rs": "0"}, "package": "1"}'
        )
    sources.empty_what_is_not_needed(tmp_path, [crate("needed")])
    assert (tmp_path / "needed-1.0.0/src/lib.rs").read_text() == "pub fn much() {}"
    other = tmp_path / "other-1.0.0"
    assert (other / "src/lib.rs").read_text() == ""
    assert json.loads((other / ".cargo-checksum.json").read_text()) == {"files": {}, "package": "1"}


# What is inside


def crate(name, needs=(), **fields):
    defaults = {
        "version": "1.0.0",
        "licence": "MIT/Apache-2.0",
        "description": "A crate.\n",
        "repository": "https://example.org/",
        "checksum": "0" * 64,
        "linked": True,
    }
    return dependencies.Crate(name=name, needs=tuple(needs), **{**defaults, **fields})


CRATES = [
    crate("greenloop-python", ["pkg:cargo/macros@1.0.0"], checksum=None, repository=None),
    crate("macros", linked=False),
]


def test_the_bill_tells_what_is_inside_from_what_built_it(tmp_path):
    found = bill.document("0.1.0", CRATES, {"maturin": "1.16.0"}, 1_700_000_000)
    assert found["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    extension, macros = found["components"]
    assert (extension["scope"], macros["scope"]) == ("required", "excluded")
    assert macros["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert macros["purl"] == "pkg:cargo/macros@1.0.0"
    assert "purl" not in extension
    assert found["dependencies"] == [
        {"ref": "pkg:pypi/greenloop@0.1.0", "dependsOn": ["pkg:cargo/greenloop-python@1.0.0"]},
        {"ref": "pkg:cargo/greenloop-python@1.0.0", "dependsOn": ["pkg:cargo/macros@1.0.0"]},
        {"ref": "pkg:cargo/macros@1.0.0", "dependsOn": []},
    ]


@pytest.mark.skipif(importlib.util.find_spec("cyclonedx") is None, reason="not installed")
def test_a_bill_that_is_not_well_formed_is_refused(tmp_path):
    found = bill.document("0.1.0", CRATES, {"maturin": "1.16.0"}, 1_700_000_000)
    bill.write(found, tmp_path / "bill.json")
    found["components"][0]["type"] = "thing"
    with pytest.raises(ValueError, match="is not CycloneDX"):
        bill.write(found, tmp_path / "bill.json")


@pytest.mark.slow
def test_the_crates_are_those_of_the_extension_and_of_linux():
    if shutil.which("cargo") is None:
        pytest.skip("Rust is absent")
    triples = [target.triple for target in targets.TARGETS.values()]
    found = {each.name: each for each in dependencies.crates_of(ROOT, triples)}
    assert {"greenloop-python", "greenloop-core", "pyo3", "libc", "syn"} <= found.keys()
    assert not {"windows-sys", "proptest", "tokio", "greenloop"} & found.keys()
    assert found["libc"].linked
    assert not found["syn"].linked
    assert not found["pyo3-build-config"].linked
    assert found["libc"].checksum
    assert found["greenloop-core"].checksum is None
    assert found["greenloop-python"].needs == tuple(sorted(found["greenloop-python"].needs))


# What builds


def test_the_pythons_are_those_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    supported = re.search(r"^SUPPORTED := (.*)$", makefile, re.MULTILINE)[1].split()
    assert targets.pythons(ROOT) == supported


def test_nothing_that_would_change_the_outcome_gets_into_a_build(tmp_path):
    given = {
        "PATH": "/bin",
        "HOME": "/home/x",
        "CARGO_HOME": "/home/x/cargo",
        "CARGO_PROFILE_RELEASE_DEBUG": "2",
        "RUSTFLAGS": "-C target-cpu=native",
        "RUSTUP_HOME": "/home/x/rustup",
        "MATURIN_STRIP": "true",
        "PYO3_PYTHON": "python3",
    }
    rust = toolchain.Toolchain("1.90.0", {"RUSTC": "/elsewhere/rustc"})
    source = tmp_path / "greenloop-0.1.0"
    found = building.environment_for(rust, source, tmp_path / "build", 17, given)
    changed = {name: value for name, value in found.items() if given.get(name) != value}
    assert changed.pop("PATH").endswith(":/bin")
    assert changed == {
        "CARGO_ENCODED_RUSTFLAGS": f"--remap-path-prefix={source}=greenloop-0.1.0"
        f"\x1f--remap-path-prefix={tmp_path}/build=target",
        "CARGO_INCREMENTAL": "0",
        "CARGO_TARGET_DIR": f"{tmp_path}/build",
        "RUSTC": "/elsewhere/rustc",
        "SOURCE_DATE_EPOCH": "17",
    }
    assert given.keys() - found.keys() == {
        "CARGO_PROFILE_RELEASE_DEBUG",
        "RUSTFLAGS",
        "MATURIN_STRIP",
        "PYO3_PYTHON",
    }


def test_what_is_missing_is_said_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain.shutil, "which", lambda program: None)
    with pytest.raises(targets.MissingError, match="cargo was not found: install Rust"):
        toolchain.toolchain_for(targets.TARGETS["x86_64"], tmp_path)


def test_without_a_standard_library_each_way_says_why_not(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise targets.MissingError("not in this test")

    monkeypatch.setattr(toolchain.shutil, "which", lambda program: f"/bin/{program}")
    for way in ("_present", "_from_rustup", "_from_debian"):
        monkeypatch.setattr(toolchain, way, refuse)
    with pytest.raises(targets.MissingError) as caught:
        toolchain.toolchain_for(targets.TARGETS["aarch64"], tmp_path)
    text = str(caught.value)
    assert text.count("- not in this test") == 3
    assert "rustup target add aarch64-unknown-linux-gnu" in text
    assert "MACHINES=" in text


# What tries, and what pip meets


def test_a_wheel_tells_its_python_and_its_machine():
    found = trying._TAG.search(NAME.format("aarch64"))
    assert (found["python"], found["machine"]) == ("313", "aarch64")
    assert trying._TAG.search("greenloop-0.1.0.tar.gz") is None


def test_nothing_to_try_is_a_failure(tmp_path, capsys):
    assert trying.main(["--dist", str(tmp_path)]) == 1
    assert "could be tried here" in capsys.readouterr().err


def test_a_build_without_compilers_ends_with_one_line_that_says_what_to_do(monkeypatch):
    pytest.importorskip("maturin")
    from release import from_source

    monkeypatch.setattr(from_source.shutil, "which", lambda program: None)
    with pytest.raises(SystemExit) as caught:
        from_source.get_requires_for_build_wheel()
    line = str(caught.value)
    assert "lacks Rust and a C compiler" in line
    assert "install Rust" in line
    assert "\n" not in line
    first, last = targets.pythons(ROOT)[0], targets.pythons(ROOT)[-1]
    assert f"CPython {first} to {last}" in line
    assert ".".join(map(str, targets.NEWEST_GLIBC)) in line
