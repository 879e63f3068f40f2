//! What all objects on the wire share: a data pointer, a table, and the `drop` slot.

/// Gives an object its constructor, its accessors and its `Drop`.
macro_rules! object {
    ($object:ident, $vtable:ident, $what:literal, $($auto:ident),+) => {
        impl $object {
            #[doc = concat!("Makes ", $what, " of a pointer and the slots for it.")]
            ///
            /// # Safety
            ///
            /// `data` must be valid for every slot of `vtable` until its `drop` slot was called, from any thread,
            /// under the rules that stand in the crate's documentation. The object calls `drop`, once.
            pub unsafe fn new(data: *mut (), vtable: $vtable) -> Self {
                Self { data, vtable }
            }

            /// The pointer that is the first argument of every slot.
            #[inline]
            pub fn data(&self) -> *mut () {
                self.data
            }

            /// The slots.
            #[inline]
            pub fn vtable(&self) -> $vtable {
                self.vtable
            }
        }

        impl Drop for $object {
            fn drop(&mut self) {
                // SAFETY: by the contract of `new`, `data` is valid for the slots until here.
                unsafe { self.vtable.drop()(self.data) }
            }
        }

        $(
            // SAFETY: by the contract of `new`, any thread may use the slots.
            unsafe impl $auto for $object {}
        )*
    };
}
