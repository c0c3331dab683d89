//! The messages of a `TypeError` about a call's arguments, worded as the interpreter does for
//! functions written in Python, as most of asyncio's are.

use std::ffi::CStr;

use pyo3::prelude::*;

use super::attached::attached;
use super::call::type_error;
use super::error::Raised;
use super::making::{self, ByName as _};
use super::object::Object;

/// The parameters of a function. If its name has a class in it, it is a method and has `self`.
pub struct Signature<'a> {
    /// The function's name, with the class before a method's.
    pub name: &'a CStr,
    /// The names of the parameters, in their order.
    pub parameters: &'a [&'a Object],
    /// How many may be given by place.
    pub positional: usize,
    /// How many have to be given.
    pub required: usize,
}

impl Signature<'_> {
    fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    /// How many arguments are not among the parameters: `self`, or none.
    fn receiver(&self) -> usize {
        usize::from(self.name.to_bytes().contains(&b'.'))
    }

    /// More were given by place than can be, and `by_name` of those that can be given by name only.
    #[cold]
    pub fn too_many(&self, given: usize, by_name: usize) -> Raised {
        let takes = self.positional + self.receiver();
        let given = given + self.receiver();
        let optional = self.positional.saturating_sub(self.required);
        let range = match optional {
            0 => takes.to_string(),
            optional => format!("from {} to {takes}", takes - optional),
        };
        let plural = plural(takes == 1 && optional == 0);
        let also = match by_name {
            0 => String::new(),
            number => format!(
                " positional argument{} (and {number} keyword-only argument{})",
                self::plural(given == 1),
                self::plural(number == 1)
            ),
        };
        let were = if given == 1 && by_name == 0 {
            "was"
        } else {
            "were"
        };
        type_error(&format!(
            "{}() takes {range} positional argument{plural} but {given}{also} {were} given",
            self.name()
        ))
    }

    /// Some that have to be given were not.
    #[cold]
    pub fn missing(&self, missing: &[usize]) -> Raised {
        let names: Vec<_> = missing
            .iter()
            .filter_map(|&index| self.parameters.get(index))
            .map(|name| format!("'{}'", text(name)))
            .collect();
        let listed = match names.as_slice() {
            [one] => one.clone(),
            [one, other] => format!("{one} and {other}"),
            [most @ .., last] => format!("{}, and {last}", most.join(", ")),
            [] => String::new(),
        };
        type_error(&format!(
            "{}() missing {} required positional argument{}: {listed}",
            self.name(),
            names.len(),
            plural(names.len() == 1)
        ))
    }

    /// One was given by place and by name.
    #[cold]
    pub fn twice(&self, name: &Object) -> Raised {
        let name = text(name);
        type_error(&format!(
            "{}() got multiple values for argument '{name}'",
            self.name()
        ))
    }

    /// One was given by a name that there is not. From 3.13 on a similar one is suggested.
    #[cold]
    pub fn unexpected(&self, name: &Object) -> Raised {
        let suggestion = if cfg!(Py_3_13) {
            self.similar_to(name).unwrap_or_default()
        } else {
            String::new()
        };
        type_error(&format!(
            "{}() got an unexpected keyword argument '{}'{suggestion}",
            self.name(),
            text(name)
        ))
    }

    /// The interpreter's suggestion, by its own function for that purpose, if it has one.
    fn similar_to(&self, name: &Object) -> Option<String> {
        let py = attached();
        let similar = || -> PyResult<Option<String>> {
            let mut names = Vec::new();
            if self.receiver() == 1 {
                names.push(making::text("self")?);
            }
            names.extend(self.parameters.iter().map(|&name| name.clone()));
            making::import(py, c"_suggestions")?
                .invoke_method("_generate_suggestions", (making::list(names)?, name))?
                .extract()
        };
        // It is a private function, and its suggestion is an extra.
        let similar = similar().ok().flatten()?;
        Some(format!(". Did you mean '{similar}'?"))
    }
}

fn plural(is_one: bool) -> &'static str {
    if is_one { "" } else { "s" }
}

fn text(name: &Object) -> String {
    name.bound(attached()).to_string()
}
