//! The engine of one shard: it owns its share of the devices outright.

mod io;

pub use io::{
    Command, Input, Output, Persist, Reply, StoredRegistration, StoredValues, StoredWish,
};
