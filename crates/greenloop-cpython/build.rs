//! Passes the interpreter's version to the crate as `cfg(Py_3_12)`, `cfg(Py_GIL_DISABLED)`, ….

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
