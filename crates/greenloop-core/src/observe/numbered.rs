//! Enums whose variants have a number and a name in the format of a trace.

/// Defines such an enum: each variant with its number and its name.
macro_rules! numbered {
    (
        $(#[$attribute:meta])*
        pub enum $Type:ident {
            $($(#[$of_variant:meta])* $Variant:ident = $number:literal $name:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $Type {
            $($(#[$of_variant])* $Variant = $number,)+
        }

        impl $Type {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$Variant),+];

            /// Its number in the format.
            #[inline]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The one with this number, if the format has it.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$Variant),)+
                    _ => None,
                }
            }

            /// Its name in the format.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// The one with this name, if the format has it.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$Variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(super) use numbered;
