//! Equal arguments of `gather`, of which a future is made only once.
//!
//! asyncio uses a dictionary. Nearly all arguments are equal only to themselves, and for those a
//! comparison of addresses gives the same answer.
//!
//! `gather(a, a)` has one child and two equal entries in its result. A user-defined `__eq__` or
//! `__hash__` has to be asked, as a dictionary would; so any argument whose class defines them
//! sends all arguments through a real dictionary.

use greenloop_cpython::making::IntoObject as _;
use greenloop_cpython::{Dict, Object, Result};

/// Up to so many arguments are compared one by one.
///
/// The comparisons are then at most 28, without an allocation.
const FEW: usize = 8;

/// The first places of equal arguments.
///
/// Each variant borrows the arguments, which the interpreter keeps alive during the call.
pub enum Places<'a> {
    /// Compares each with all before it.
    Few(&'a [Object]),
    /// A table of hashed addresses: places counted from 1, or 0.
    Addresses(&'a [Object], Vec<u32>),
    /// A dictionary from arguments to places, for those that define their own equality.
    Equality(&'a [Object], Dict),
}

impl<'a> Places<'a> {
    /// No place of an argument is known yet.
    ///
    /// The table has at least twice as many entries as arguments, so probing is short and always
    /// ends.
    pub fn new(arguments: &'a [Object]) -> Result<Self> {
        if !arguments.iter().all(Object::is_compared_by_identity) {
            return Ok(Self::Equality(arguments, Dict::new()?));
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
                let mut index = hash(object.addr()) & mask;
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
                let argument = &arguments[place];
                if !dictionary.contains(argument)? {
                    return Ok(None);
                }
                let place = dictionary.get(argument)?;
                let place = place.and_then(|place| place.exact_int());
                Ok(place.and_then(|place| usize::try_from(place).ok()))
            }
        }
    }

    /// Remembers the argument at `place`, whose future was made.
    #[inline]
    pub fn remember(&mut self, place: usize) -> Result<()> {
        if let Self::Equality(arguments, dictionary) = self {
            dictionary.set(&arguments[place], &place.into_object()?)?;
        }
        Ok(())
    }
}

/// Spreads addresses, whose lowest bits are all alike, by the golden ratio.
#[inline]
fn hash(address: usize) -> usize {
    ((address >> 4) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) as usize >> 32
}
