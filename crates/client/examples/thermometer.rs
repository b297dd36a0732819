//! A thermometer over UDP: `cargo run -p dunlin-client --example thermometer 127.0.0.1:5683`.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use dunlin_client::objects::Device;
use dunlin_client::{Client, Config, Input, Instances, Instant, Output, Rng, Single, object};
use dunlin_lwm2m::definition::objects::TEMPERATURE;

#[derive(Clone, Default)]
struct Thermometer {
    celsius: f64,
    low: f64,
    high: f64,
}

object! {                                   // checked against the definition when it is compiled
    impl TEMPERATURE for Thermometer {
        5601 => read low;
        5602 => read high;
        5605 => execute |this, _arguments| {
            (this.low, this.high) = (this.celsius, this.celsius);
            Ok(())
        };
        5700 => read celsius;
    }
}

/// Not random: a device has better.
struct Dice(u32);

impl Rng for Dice {
    fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0.rotate_left(16)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1);
    let server: SocketAddr = server.as_deref().unwrap_or("127.0.0.1:5683").parse()?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let start = std::time::Instant::now();
    let now = || Instant::ZERO + start.elapsed();
    let mut dice = Dice(std::process::id());

    let thermometer = Thermometer {
        celsius: 20.0,
        low: 20.0,
        high: 20.0,
    };
    let objects = (
        Single::new(Device::default()),
        Instances::<_, 1>::new().with(0, thermometer),
    );
    let mut client: Client<_> = Client::new(Config::new("thermometer"), objects, &mut dice);
    client.connect(now(), server);
    let mut buffer = [0; 1500];
    let mut received = None;
    loop {
        let input = match received {
            Some((length, from)) => Input::Datagram {
                from,
                bytes: &buffer[..length],
            },
            None => Input::Timer,
        };
        let mut outputs = client.handle(now(), &mut dice, input);
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { to, bytes } => drop(socket.send_to(bytes, to)),
                Output::Event(event) => println!("{event:?}"),
            }
        }
        // Taking an instance mutably marks it as changed: only when there is something new.
        let celsius = 20.0 + f64::from(start.elapsed().as_secs() as u32 % 10);
        let things = &mut client.objects_mut().1;
        if things.get(0).is_some_and(|thing| thing.celsius != celsius)
            && let Some(thing) = things.get_mut(0)
        {
            thing.celsius = celsius;
            thing.low = thing.low.min(celsius);
            thing.high = thing.high.max(celsius);
        }
        let second = now() + Duration::from_secs(1);
        let next = client
            .next_timeout()
            .map_or(second, |next| next.min(second));
        let wait = next.saturating_since(now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(wait))?;
        received = socket.recv_from(&mut buffer).ok();
    }
}
