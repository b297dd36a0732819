//! Must fail to build in the proof: shows that the proof can fail.
#![no_std]
extern crate alloc;

pub fn heap() -> alloc::boxed::Box<u8> {
    alloc::boxed::Box::new(1)
}
