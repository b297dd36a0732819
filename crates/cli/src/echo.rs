//! `dunlin echo`: the server's socket loop without a protocol, the yardstick of `dunlin bench`.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use dunlin_net::EchoServer;

#[derive(Args, Debug)]
pub(crate) struct EchoArgs {
    /// Where to echo; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    coap: SocketAddr,
    /// Threads with a socket each
    #[arg(long, value_name = "N", default_value_t = 1)]
    shards: u16,
}

pub(crate) fn run(args: &EchoArgs) -> anyhow::Result<()> {
    let server = EchoServer::start(args.coap, usize::from(args.shards))
        .with_context(|| format!("cannot listen at {}", args.coap))?;
    // As `dunlin serve` tells it.
    let mut output = std::io::stdout().lock();
    writeln!(output, "CoAP     coap://{}", server.address())?;
    output.flush()?;
    drop(output);
    loop {
        std::thread::park();
    }
}
