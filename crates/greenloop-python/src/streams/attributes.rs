//! The attributes of the streams' classes that are fields, which Python reads, sets and deletes.

/// `plain!(kind Class::field, getter, setter)`: the functions that `attribute!` takes.
///
/// - `slot`: None represents an empty one, both ways, and a deleted attribute is None;
/// - `setter`: only the setter of such a one;
/// - `required`: `__init__` sets it; reading an empty one is an `AttributeError` with the name that
///   follows;
/// - `getter`: only the getter of such a one;
/// - `flag`: a `Cell<bool>`, which cannot be deleted.
macro_rules! plain {
    (slot $class:ident :: $field:ident, $get:ident, $set:ident) => {
        fn $get(
            this: &greenloop_cpython::Object,
        ) -> greenloop_cpython::Result<greenloop_cpython::Object> {
            Ok($class::of(this).$field.get_or_none())
        }
        $crate::streams::attributes::plain!(setter $class::$field, $set);
    };
    (setter $class:ident :: $field:ident, $set:ident) => {
        fn $set(
            this: &greenloop_cpython::Object,
            value: Option<&greenloop_cpython::Object>,
        ) -> greenloop_cpython::Result<()> {
            let value = value.filter(|value| !value.is_none());
            $class::of(this).$field.set_optional(value.cloned());
            Ok(())
        }
    };
    (required $class:ident :: $field:ident, $get:ident, $set:ident, $name:literal) => {
        $crate::streams::attributes::plain!(getter $class::$field, $get, $name);
        fn $set(
            this: &greenloop_cpython::Object,
            value: Option<&greenloop_cpython::Object>,
        ) -> greenloop_cpython::Result<()> {
            $class::of(this).$field.set_optional(value.cloned());
            Ok(())
        }
    };
    (getter $class:ident :: $field:ident, $get:ident, $name:literal) => {
        fn $get(
            this: &greenloop_cpython::Object,
        ) -> greenloop_cpython::Result<greenloop_cpython::Object> {
            let value = $class::of(this).$field.get();
            value.ok_or_else(|| greenloop_cpython::no_attribute(this, $name))
        }
    };
    (flag $class:ident :: $field:ident, $get:ident, $set:ident) => {
        fn $get(
            this: &greenloop_cpython::Object,
        ) -> greenloop_cpython::Result<greenloop_cpython::Object> {
            Ok(greenloop_cpython::Object::boolean($class::of(this).$field.get()))
        }
        fn $set(
            this: &greenloop_cpython::Object,
            value: Option<&greenloop_cpython::Object>,
        ) -> greenloop_cpython::Result<()> {
            let value = value.ok_or_else($crate::future::cannot_delete)?;
            $class::of(this).$field.set(value.is_true()?);
            Ok(())
        }
    };
}

pub(super) use plain;
