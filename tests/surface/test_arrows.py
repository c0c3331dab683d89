"""Who may know whom: the arrows between the crates, and from the Python modules to the package."""

import ast
import pathlib
import re
import tomllib

import pytest

import greenloop

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRATES = ROOT / "crates"
PACKAGE = ROOT / "python/greenloop"
# An arrow that is not drawn here does not exist. Development dependencies count as well.
ALLOWED = {
    "greenloop-core": set(),
    "greenloop-os": {"greenloop-core"},
    # Of the load generator its benchmark has the other end, in processes of its own.
    "greenloop": {"greenloop-core", "greenloop-os", "greenloop-load"},
    "greenloop-bridge": set(),
    # Of the bridge it has the guard of calls that an interpreter may end in.
    "greenloop-cpython": {"greenloop-os", "greenloop-bridge"},
    # Of the bridge it has the layout of the table that it exports.
    "greenloop-python": {"greenloop-core", "greenloop-cpython", "greenloop-os", "greenloop-bridge"},
}
# The packages in the package, each with those that it knows: from the lowest to the highest.
PACKAGES = {
    "tracing": set(),
    "watching": {"tracing"},
    "monitoring": {"tracing", "watching"},
    "diagnosis": {"monitoring"},
    "testing": {"tracing", "watching"},
}
# Modules of the package that a user could have written: they use public names only.
PUBLIC_ONLY = ["launcher.py"]


def manifests():
    return {
        path.parent.name: tomllib.loads(path.read_text()) for path in CRATES.glob("*/Cargo.toml")
    }


def dependencies(manifest):
    sections = [manifest, *manifest.get("target", {}).values()]
    return {
        specification.get("package", name) if isinstance(specification, dict) else name
        for section in sections
        for kind in ("dependencies", "dev-dependencies", "build-dependencies")
        for name, specification in section.get(kind, {}).items()
    }


def rust_sources(crate):
    return {path: path.read_text() for path in (CRATES / crate).rglob("*.rs")}


def test_every_crate_has_its_arrows_drawn():
    assert manifests().keys() == ALLOWED.keys()
    assert {name: m["package"]["name"] for name, m in manifests().items()} == {
        name: name for name in manifests()
    }


@pytest.mark.parametrize("crate", sorted(manifests()))
def test_a_crate_depends_on_those_below_it_only(crate):
    of_ours = {name for name in dependencies(manifests()[crate]) if name.startswith("greenloop")}
    assert of_ours <= ALLOWED[crate]


def test_the_bridge_links_nothing_but_pyo3():
    assert dependencies(manifests()["greenloop-bridge"]) == {"pyo3"}


def test_only_the_extension_and_the_bridge_know_python():
    knowing = {
        crate
        for crate, manifest in manifests().items()
        if any(name.startswith("pyo3") for name in dependencies(manifest))
    }
    assert knowing == {"greenloop-python", "greenloop-cpython", "greenloop-bridge"}


def test_the_core_asks_no_operating_system_and_reads_no_clock():
    assert dependencies(manifests()["greenloop-core"]) <= {"fastrand", "memchr", "proptest"}
    forbidden = re.compile(r"\b(Instant|SystemTime)::now\b|\bstd::(net|fs|os|process|thread)\b")
    offences = [
        f"{path.name}: {match.group()}"
        for path, text in rust_sources("greenloop-core").items()
        for match in forbidden.finditer(code_of(text))
    ]
    assert offences == []


@pytest.mark.parametrize("crate", ["greenloop-core", "greenloop"])
def test_the_core_and_the_rust_face_have_no_unsafe_code(crate):
    assert "#![forbid(unsafe_code)]" in (CRATES / crate / "src/lib.rs").read_text()


def test_only_the_platforms_crate_asks_which_platform_it_is():
    asking = {
        crate
        for crate in manifests()
        for text in rust_sources(crate).values()
        if re.search(r"cfg!?\(.*\b(target_os|unix|windows)\b", code_of(text))
    }
    assert asking <= {"greenloop-os"}


def packages_known_to(package):
    return {
        match.group(1)
        for path in (PACKAGE / package).rglob("*.py")
        for match in re.finditer(r"^\s*(?:from|import) greenloop\.(\w+)", path.read_text(), re.M)
    } & PACKAGES.keys() - {package}


def test_every_package_in_the_package_has_its_arrows_drawn():
    assert PACKAGES.keys() == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_knows_those_below_it_only(package):
    assert packages_known_to(package) == PACKAGES[package]
    below = list(PACKAGES)[: list(PACKAGES).index(package)]
    assert PACKAGES[package] <= {*below}


@pytest.mark.parametrize("module", PUBLIC_ONLY)
def test_a_module_on_top_of_the_package_uses_public_names_only(module):
    tree = ast.parse((PACKAGE / module).read_text())
    imported, used = set(), set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                imported |= {alias.name for alias in names}
            case ast.ImportFrom(module=origin, level=level):
                imported.add("." * level + (origin or ""))
            case ast.Attribute(value=ast.Name(id="greenloop"), attr=name):
                used.add(name)
    assert "greenloop" in imported
    assert {name for name in imported if name.startswith((".", "greenloop."))} == set()
    assert used
    assert used <= {*greenloop.__all__, "__version__"}


def code_of(rust):
    """Rust source without its comments, which may speak of what the code must not do."""
    return re.sub(r"//[^\n]*", "", rust)
