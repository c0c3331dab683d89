//! Structs that begin as those of their base class: [`extends!`](crate::extends).

/// `extends!(Derived { field: Base })`: the struct of a class below another one of ours, whose
/// first field is the base's struct. Both are held by instances, or both have a layout of their
/// own.
#[macro_export]
macro_rules! extends {
    ($derived:ty { $field:ident : $base:ty }) => {
        const _: () = {
            assert!(std::mem::offset_of!($derived, $field) == 0);
            assert!(
                <$derived as $crate::Layout>::OFFSET == <$base as $crate::Layout>::OFFSET,
                "the field has the base's alignment"
            );
            // A pointer, because a reference to what the field refers to would be coerced.
            const fn _is_of_that_type(derived: &$derived) -> *const $base {
                &raw const derived.$field
            }
        };
        // SAFETY: the first field is the base's value, at the offset that was asserted.
        unsafe impl $crate::Extends<$base> for $derived {}
    };
}
