//! Two endpoints, a virtual clock and a bad network: the message layer and block-wise transfer as
//! a whole, one file for each behaviour.

mod blockwise;
mod duplicates;
mod harness;
mod nstart;
mod observe;
mod ping;
mod random;
mod rebinding;
mod requests;
mod retransmission;
mod separate;
mod storm;
