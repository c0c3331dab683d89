//! Equal arguments of `gather`, of which a future is made only once.
//!
//! asyncio uses a dictionary. Nearly all arguments are equal only to themselves, and for those a
//! comparison of addresses gives the same answer.

use std::ptr;

use greenloop_cpython::{Object, Raised, Result, is_raised};
use pyo3::ffi;

/// Up to so many arguments are compared one by one.
const FEW: usize = 8;

/// The first places of equal arguments.
pub enum Places<'a> {
    /// Compares each with all before it.
    Few(&'a [Object]),
    /// A table of hashed addresses: places counted from 1, or 0.
    Addresses(&'a [Object], Vec<u32>),
    /// A dictionary from arguments to places, for those that define their own equality.
    Equality(&'a [Object], Object),
}

impl<'a> Places<'a> {
    /// Chooses how equal arguments are found. Only objects that are equal to nothing but themselves
    /// can be told apart by their addresses.
    pub fn new(arguments: &'a [Object]) -> Result<Self> {
        if !arguments.iter().all(is_only_itself) {
            // SAFETY: returns a new reference or NULL with an exception set.
            let dictionary = unsafe { Object::from_returned(ffi::PyDict_New())? };
            return Ok(Self::Equality(arguments, dictionary));
        }
        if arguments.len() <= FEW {
            return Ok(Self::Few(arguments));
        }
        let size = (arguments.len() * 2).next_power_of_two();
        Ok(Self::Addresses(arguments, vec![0; size]))
    }

    /// The place of the first argument equal to the one at `place`, or `None` if that is the first.
    /// Called for each place in order.
    #[inline]
    pub fn first_equal(&mut self, place: usize) -> Result<Option<usize>> {
        match self {
            Self::Few(arguments) => {
                let object = arguments[place].as_ptr();
                Ok(arguments[..place].iter().position(|one| one.is(object)))
            }
            Self::Addresses(arguments, table) => {
                let object = arguments[place].as_ptr();
                let mask = table.len() - 1;
                let mut index = hash(object) & mask;
                loop {
                    match table[index] {
                        0 => break,
                        found if arguments[found as usize - 1].is(object) => {
                            return Ok(Some(found as usize - 1));
                        }
                        _ => index = (index + 1) & mask,
                    }
                }
                // More arguments than a u32 counts do not fit into memory.
                table[index] = u32::try_from(place + 1).unwrap_or(u32::MAX);
                Ok(None)
            }
            Self::Equality(arguments, dictionary) => {
                let object = arguments[place].as_ptr();
                // SAFETY: all objects are valid; the found place is borrowed from the dictionary.
                unsafe {
                    match ffi::PyDict_Contains(dictionary.as_ptr(), object) {
                        -1 => return Err(Raised),
                        0 => return Ok(None),
                        _ => {}
                    }
                    let found = ffi::PyDict_GetItemWithError(dictionary.as_ptr(), object);
                    if !found.is_null() {
                        return Ok(Some(ffi::PyLong_AsSize_t(found)));
                    }
                    if is_raised() { Err(Raised) } else { Ok(None) }
                }
            }
        }
    }

    /// Remembers the argument at `place`, whose future was made.
    #[inline]
    pub fn remember(&mut self, place: usize) -> Result<()> {
        if let Self::Equality(arguments, dictionary) = self {
            // SAFETY: all objects are valid.
            unsafe {
                let number = Object::from_returned(ffi::PyLong_FromSize_t(place))?;
                let object = arguments[place].as_ptr();
                if ffi::PyDict_SetItem(dictionary.as_ptr(), object, number.as_ptr()) < 0 {
                    return Err(Raised);
                }
            }
        }
        Ok(())
    }
}

/// Whether an object is hashed and compared as `object` does it.
#[inline]
fn is_only_itself(object: &Object) -> bool {
    // SAFETY: both classes are valid.
    unsafe {
        let plain = &raw const ffi::PyBaseObject_Type;
        let (class, plain) = (&*object.class(), &*plain);
        let hashes = (class.tp_hash, plain.tp_hash);
        let comparisons = (class.tp_richcompare, plain.tp_richcompare);
        matches!(hashes, (Some(one), Some(other)) if ptr::fn_addr_eq(one, other))
            && matches!(comparisons, (Some(one), Some(other)) if ptr::fn_addr_eq(one, other))
    }
}

/// Spreads addresses, whose lowest bits are all alike, by the golden ratio.
#[inline]
fn hash(object: *mut ffi::PyObject) -> usize {
    ((object as usize >> 4) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) as usize >> 32
}
