use core::time::Duration;

use dunlin_coap::Instant;
use dunlin_lwm2m::definition::objects::{CONNECTIVITY_MONITORING, CONNECTIVITY_STATISTICS};
use heapless::String;

use crate::object;
use crate::object::{Multiple, Tick};

/// Object 4, Connectivity Monitoring.
#[derive(Clone, Debug, Default)]
pub struct ConnectivityMonitoring {
    /// Bearer in use: 5 LTE-TDD, 6 LTE-FDD, 7 NB-IoT, 21 WLAN, 23 IEEE 802.15.4, 41 Ethernet.
    pub bearer: u8,
    /// Bearers there are.
    pub available_bearers: Multiple<u8, 4>,
    /// dBm.
    pub signal_strength: i32,
    /// Meaning depends on the bearer.
    pub link_quality: Option<i32>,
    /// Addresses of the device.
    pub ip_addresses: Multiple<String<40>, 2>,
    /// Next hops.
    pub router_addresses: Multiple<String<40>, 2>,
    /// Percent.
    pub link_utilization: Option<u8>,
    /// Access point names.
    pub apn: Multiple<String<32>, 1>,
    /// Cell ID, up to 268435455.
    pub cell_id: Option<u32>,
    /// Mobile network code, 0 to 999.
    pub network_code: Option<u16>,
    /// Mobile country code, 0 to 999.
    pub country_code: Option<u16>,
    /// Signal to noise and interference, dB.
    pub signal_to_noise: Option<i32>,
    /// Location area code.
    pub area_code: Option<u16>,
    /// 0 none, 1 to 4 for the levels 0 to 3.
    pub coverage_enhancement: Option<u8>,
}

object! {
    impl CONNECTIVITY_MONITORING for ConnectivityMonitoring {
        0 => read bearer;
        1 => read available_bearers;
        2 => read signal_strength;
        3 => read link_quality;
        4 => read ip_addresses;
        5 => read router_addresses;
        6 => read link_utilization;
        7 => read apn;
        8 => read cell_id;
        9 => read network_code;
        10 => read country_code;
        11 => read signal_to_noise;
        12 => read area_code;
        13 => read coverage_enhancement;
    }
}

/// Object 7, Connectivity Statistics. The application counts while [`is_collecting`] is set; a
/// Collection Period ends by itself.
///
/// [`is_collecting`]: ConnectivityStatistics::is_collecting
#[derive(Clone, Debug, Default)]
pub struct ConnectivityStatistics {
    /// Short messages sent.
    pub sms_sent: Option<u32>,
    /// Short messages received.
    pub sms_received: Option<u32>,
    /// Kilobytes sent.
    pub tx_data: Option<u32>,
    /// Kilobytes received.
    pub rx_data: Option<u32>,
    /// Bytes of the largest message.
    pub max_message_size: Option<u32>,
    /// Bytes of a message on average.
    pub average_message_size: Option<u32>,
    /// Seconds a collection lasts; 0 until Stop.
    pub collection_period: Option<u32>,
    /// Between Start and Stop, or the end of the Collection Period.
    pub is_collecting: bool,
    /// When the collection began; `None` until time has passed once.
    pub since: Option<Instant>,
}

impl ConnectivityStatistics {
    /// Start: counters begin at zero.
    fn start(&mut self) {
        for counter in [
            &mut self.sms_sent,
            &mut self.sms_received,
            &mut self.tx_data,
            &mut self.rx_data,
            &mut self.max_message_size,
            &mut self.average_message_size,
        ] {
            *counter = counter.map(|_| 0);
        }
        self.is_collecting = true;
        self.since = None;
    }

    /// Stop: counters stay.
    fn stop(&mut self) {
        self.is_collecting = false;
        self.since = None;
    }

    /// The period may be changed while a collection runs; it counts from its beginning.
    fn tick(&mut self, now: Instant) -> Tick {
        if !self.is_collecting {
            return Tick::default();
        }
        let since = *self.since.get_or_insert(now);
        let period = self.collection_period.filter(|period| *period > 0);
        let end = period.map(|seconds| since + Duration::from_secs(u64::from(seconds)));
        if end.is_some_and(|end| end <= now) {
            self.stop();
            return Tick::default();
        }
        Tick {
            next: end,
            ..Tick::default()
        }
    }
}

object! {
    impl CONNECTIVITY_STATISTICS for ConnectivityStatistics {
        0 => read sms_sent;
        1 => read sms_received;
        2 => read tx_data;
        3 => read rx_data;
        4 => read max_message_size;
        5 => read average_message_size;
        6 => execute |this, _arguments| { this.start(); Ok(()) };
        7 => execute |this, _arguments| { this.stop(); Ok(()) };
        8 => read_write collection_period;
        tick => |this, now| this.tick(now);
    }
}
