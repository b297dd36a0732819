//! The whole stack in one process and in virtual time: devices (client engines), a server of one
//! or two shards (server engines and their directory), a store that is slow and forgets what it
//! has not committed when the server dies, and a bad network between them. One file for each
//! behaviour; everything follows from a seed, which a failing test prints.

mod control;
mod device;
mod flash;
mod harness;
mod store;

mod blocks;
mod device_restart;
mod firmware;
mod life;
mod observation;
mod operations;
mod program;
mod protocol;
mod queue;
mod rebinding;
mod registration;
mod server_crash;
mod version;
