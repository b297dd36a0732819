//! How many reads per second a shard carries towards devices, asked for through its control plane
//! as REST does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use dunlin_lwm2m::Path;
use dunlin_lwm2m::operation::Operation;
use dunlin_net::pin_to_cpu;
use dunlin_server::api::OperateOptions;
use dunlin_server::control::Control;
use dunlin_server::{Server, ServerConfig};
use dunlin_sim::storm::{Measured, Phase, Storm, StormOptions};

/// Reads under way at once.
const WINDOW: usize = 256;
/// Source ports the devices share: few, because each is asked in turn for what arrived.
const PORTS: u32 = 16;

/// Reads one resource of each device once, after all have registered.
pub(crate) fn measure(
    server_cpu: usize,
    load_cpu: usize,
    devices: u32,
) -> anyhow::Result<Measured> {
    // Threads inherit the CPU of the one that starts them.
    pin_to_cpu(server_cpu)?;
    let server = Server::start(ServerConfig {
        coap: Some("127.0.0.1:0".parse()?),
        shards: 1,
        data: None,
        ..ServerConfig::default()
    });
    pin_to_cpu(load_cpu)?;
    let server = server?;
    let mut storm = Storm::new(StormOptions {
        target: server.coap_address().context("it listens")?,
        devices,
        ports: PORTS,
        ..StormOptions::default()
    })
    .context("opening sockets")?;
    storm.run(Phase::Register, |_| {});
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| storm.respond(|| stop.load(Ordering::Relaxed)));
        let result = read_all(&server.control(), devices);
        stop.store(true, Ordering::Relaxed);
        result
    })
}

fn read_all(control: &Control, devices: u32) -> anyhow::Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let next = Rc::new(Cell::new(0));
    let measured = Rc::new(RefCell::new(Measured::default()));
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(devices as usize)));
    let start = Instant::now();
    let tasks = tokio::task::LocalSet::new();
    for _ in 0..WINDOW {
        let control = control.clone();
        let (next, measured, latencies) = (
            Rc::clone(&next),
            Rc::clone(&measured),
            Rc::clone(&latencies),
        );
        tasks.spawn_local(async move {
            while next.get() < devices {
                let device = next.replace(next.get() + 1);
                let asked = Instant::now();
                let endpoint = format!("{}{device:07}", StormOptions::default().prefix);
                let path = Path::resource(3, 0, 9);
                let options = OperateOptions {
                    format: None,
                    timeout: Duration::from_secs(10),
                    confirmable: true,
                };
                let operation = Operation::Read { path, accept: None };
                let mut measured = match control.operate(&endpoint, operation, options).await {
                    Ok(_) => {
                        latencies
                            .borrow_mut()
                            .push(asked.elapsed().as_micros() as u32);
                        let mut measured = measured.borrow_mut();
                        measured.operations += 1;
                        continue;
                    }
                    Err(error) => {
                        let mut measured = measured.borrow_mut();
                        measured
                            .first_error
                            .get_or_insert_with(|| error.to_string());
                        measured
                    }
                };
                measured.errors += 1;
            }
        });
    }
    runtime.block_on(tasks);
    let mut measured = measured.take();
    measured.seconds = start.elapsed().as_secs_f64();
    measured.per_second = measured.operations as f64 / measured.seconds;
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    let at = |share: usize| {
        latencies
            .get(latencies.len() * share / 1000)
            .copied()
            .unwrap_or(0)
    };
    (measured.p50_us, measured.p99_us, measured.p999_us) = (at(500), at(990), at(999));
    Ok(measured)
}
