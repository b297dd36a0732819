//! Links the crates of the device side behind a panic handler of its own. If any crate below
//! pulled in std, this would not compile: std brings a second panic handler (E0152).
#![no_std]

pub use {dunlin_client as client, dunlin_coap as coap, dunlin_lwm2m as lwm2m};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
