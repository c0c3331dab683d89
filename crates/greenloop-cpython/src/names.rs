//! The objects that the edge itself looks up once: a few names, and the empty tuple.

use std::sync::OnceLock;

use super::error::Result;
use super::making;
use super::object::Object;

/// Interned names, and the empty tuple.
pub struct Names {
    pub initialise: Object,
    pub run: Object,
    pub throw: Object,
    pub value: Object,
    /// The frame of a coroutine, and what it awaits.
    pub of_coroutine: [Object; 2],
    /// The same of a generator.
    pub of_generator: [Object; 2],
    pub file: Object,
    pub no_arguments: Object,
}

// SAFETY: written once at import, and the objects are touched with the GIL held only.
unsafe impl Send for Names {}
// SAFETY: as above.
unsafe impl Sync for Names {}

static NAMES: OnceLock<Names> = OnceLock::new();

/// The names that [`initialise`] has made.
///
/// # Panics
/// Before [`initialise`], which module import runs before anything of this crate can be reached.
#[inline]
pub fn names() -> &'static Names {
    NAMES
        .get()
        .expect("the module's import fills this before anything else can run")
}

/// Makes them. Called once, by the module's import.
pub fn initialise() -> Result<()> {
    let names = Names {
        initialise: making::interned(c"__init__")?,
        run: making::interned(c"run")?,
        throw: making::interned(c"throw")?,
        value: making::interned(c"value")?,
        of_coroutine: [
            making::interned(c"cr_frame")?,
            making::interned(c"cr_await")?,
        ],
        of_generator: [
            making::interned(c"gi_frame")?,
            making::interned(c"gi_yieldfrom")?,
        ],
        file: making::interned(c"co_filename")?,
        no_arguments: making::tuple(Vec::new())?,
    };
    // A second import of the module finds them made.
    let _ = NAMES.set(names);
    Ok(())
}
