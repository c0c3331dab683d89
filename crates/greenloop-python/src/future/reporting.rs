//! What a future has to report when it is deallocated: an exception that nobody has seen, or a task
//! that never ended.

use greenloop_cpython::making::{self, Enter as _};
use greenloop_cpython::{Native, Object, Result, attached, report_unraisable};
use pyo3::prelude::*;

use super::{Future, event_loop_of};
use crate::asyncio::globals;

/// Reports a future that is deallocated to the loop's exception handler. Runs in a finaliser: an
/// exception that is set stays set, and one that is raised here goes to `sys.unraisablehook`.
pub fn report(this: &Native<Future>, message: &str, details: &[(&Object, &Object)]) {
    let py = attached();
    let pending = PyErr::take(py);
    let names = &globals().names;
    let tell = || -> Result<()> {
        let context = making::dict(py)?;
        context.enter(&names.message, message)?;
        for &(name, value) in details {
            context.enter(name, value)?;
        }
        if let Some(traceback) = this.get().source_traceback.get() {
            context.enter(&names.source_traceback, traceback.bound(py))?;
        }
        let event_loop = event_loop_of(this);
        event_loop.invoke(&names.call_exception_handler, [&context.into_any().into()])?;
        Ok(())
    };
    if let Err(raised) = tell() {
        report_unraisable(raised, this);
    }
    if let Some(pending) = pending {
        pending.restore(py);
    }
}
