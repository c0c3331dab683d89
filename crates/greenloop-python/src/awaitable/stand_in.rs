//! The frame of an awaitable, for tools that show where a task waits: that of a stand-in.
//!
//! Native code has no frame. A tool that reads `cr_frame` is given that of a coroutine which the
//! package makes for it (`greenloop.stand_ins`): it bears the name of asyncio's function and stands
//! at its `await`. Where asyncio's function awaits others of its own, an operation says which
//! ([`Operation::inside`](super::Operation)), and the stand-in awaits a stand-in for the next:
//!
//! ```text
//!   awaitable ── cr_frame ──► frame of `Barrier.wait` ◄── stand-in
//!       │                                                  │ cr_await
//!       └── cr_await ─────► stand-in for `Barrier._wait` ◄─┘ ── cr_await ──► …
//! ```
//! Nothing is done for it until somebody asks. The stand-in is then kept with the awaitable, as a
//! frame is only as long that of a coroutine as the coroutine lives.

use std::ffi::CStr;
use std::mem::offset_of;
use std::sync::OnceLock;

use greenloop_cpython::making::{self, ByName as _};
use greenloop_cpython::{Native, Object, Result, attached};
use pyo3::prelude::*;

use super::asides::{self, Path, StandIn};
use super::{Awaitable, Stage};
use crate::asyncio::globals;

/// The functions of the package: the code of a name, and the stand-in for a path.
///
/// Handed in, since the extension looks nothing up there.
static FUNCTIONS: OnceLock<(Py<PyAny>, Py<PyAny>)> = OnceLock::new();

/// Hand in the functions by which awaitables show a frame. Called once, by the package's import.
#[pyfunction]
#[pyo3(name = "_set_stand_ins")]
pub fn set_stand_ins(code_of: Py<PyAny>, stand_in: Py<PyAny>) {
    let _ = FUNCTIONS.set((code_of, stand_in));
}

/// Where a coroutine has its code, for those who look at the memory of another process.
///
/// `python -m asyncio ps` (3.14+) takes the coroutine of every task for one of `async def`. If it
/// finds no code there, it shows the task without frames; what else it found would have it fail for
/// the whole process.
const CODE_OF_A_COROUTINE: usize = 72;

const _: () = assert!(offset_of!(Awaitable, message) == CODE_OF_A_COROUTINE);

/// The path of an awaitable that is not finished, and what is beyond it.
struct Whereabouts {
    path: Path,
    /// The object that the awaitable delegates to, unless the path leads through it.
    delegate: Option<Object>,
}

impl Whereabouts {
    /// Asks a delegate for its name, which may run code of the program.
    fn of(this: &Native<Awaitable>) -> Result<Option<Self>> {
        let awaitable = this.get();
        let operation = awaitable.operation();
        let mut path = Path {
            names: vec![operation.name],
            awaited: Some(String::new()),
        };
        let mut delegate = None;
        match awaitable.stage.get() {
            Stage::Finished => return Ok(None),
            Stage::Fresh => path.awaited = None,
            Stage::Running => {}
            Stage::Blocked | Stage::Delegating => {
                delegate = path.lead((operation.inside)(awaitable), awaitable.delegate())?;
            }
        }
        Ok(Some(Self { path, delegate }))
    }
}

impl Path {
    /// Goes on through the functions inside. Returns the delegate, if the path ends before it.
    ///
    /// Where functions are between the awaitable and its delegate, the path goes on through the
    /// delegate as well: only so a stand-in can be at its end. Without them it need not.
    fn lead(
        &mut self,
        inside: &'static [&'static CStr],
        delegate: Option<Object>,
    ) -> Result<Option<Object>> {
        let Some(delegate) = delegate else {
            self.names.extend(inside);
            return Ok(None);
        };
        if let Some(native) = Awaitable::native(&delegate).filter(|_| !inside.is_empty()) {
            if let Some(further) = Whereabouts::of(native)? {
                if further.delegate.is_none() {
                    self.names.extend(inside);
                    self.names.extend(further.path.names);
                    self.awaited = further.path.awaited;
                    return Ok(None);
                }
            }
        }
        self.awaited = Some(name_of(&delegate)?);
        Ok(Some(delegate))
    }
}

/// What a coroutine is called, or else the name of its class, which no function bears.
fn name_of(awaited: &Object) -> Result<String> {
    let name = awaited.bound(attached()).look_up_optional(c"__name__")?;
    match name.and_then(|name| name.extract().ok()) {
        Some(name) => Ok(name),
        None => making::class_name(awaited),
    }
}

/// The stand-in for an awaitable on this path; None where asyncio has no such function.
///
/// The same as before if the awaitable is where it was. Runs Python code.
fn stand_in(this: &Native<Awaitable>, path: Path) -> Result<Object> {
    let known = asides::look(this, |asides| {
        let known = asides.stand_in.as_ref()?;
        (known.path == path).then(|| known.coroutine.clone())
    });
    if let Some(coroutine) = known.flatten() {
        return Ok(coroutine);
    }
    let Some((_, make_stand_in)) = FUNCTIONS.get() else {
        return Ok(Object::none());
    };
    let names = path.names.iter().map(|name| making::interned(name));
    let names = making::list(names.collect::<Result<_>>()?)?;
    let awaited = match &path.awaited {
        Some(name) => making::text(name)?,
        None => Object::none(),
    };
    let made: Object = make_stand_in
        .bind(attached())
        .invoke((&names, &awaited))?
        .into();
    if !made.is_none() {
        let stand_in = StandIn {
            path,
            coroutine: made.clone(),
        };
        drop(asides::change(this, |asides| {
            asides.stand_in.replace(stand_in)
        }));
    }
    Ok(made)
}

/// `cr_frame`: None once the awaitable is done, and for one that does what asyncio does not have.
pub fn frame(this: &Native<Awaitable>) -> Result<Object> {
    match Whereabouts::of(this)? {
        None => Ok(Object::none()),
        Some(Whereabouts { path, .. }) => {
            attribute_of(&stand_in(this, path)?, &globals().names.cr_frame)
        }
    }
}

/// `stand_in.name`; None where there is none.
fn attribute_of(stand_in: &Object, name: &Object) -> Result<Object> {
    if stand_in.is_none() {
        return Ok(Object::none());
    }
    stand_in.attribute(name)
}

/// `cr_await`: the object that it awaits, or the stand-in for the next function of asyncio's.
pub fn awaited(this: &Native<Awaitable>) -> Result<Object> {
    if matches!(this.get().stage.get(), Stage::Fresh | Stage::Running) {
        return Ok(Object::none());
    }
    match Whereabouts::of(this)? {
        None => Ok(Object::none()),
        Some(Whereabouts {
            delegate: Some(delegate),
            ..
        }) => Ok(delegate),
        Some(Whereabouts { path, .. }) => {
            attribute_of(&stand_in(this, path)?, &globals().names.cr_await)
        }
    }
}

/// `cr_code`: that of asyncio's function, or None.
pub fn code(this: &Native<Awaitable>) -> Result<Object> {
    let Some((code_of, _)) = FUNCTIONS.get() else {
        return Ok(Object::none());
    };
    let name = making::interned(this.get().operation().name)?;
    Ok(code_of.bind(attached()).invoke((&name,))?.into())
}
