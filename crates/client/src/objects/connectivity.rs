use dunlin_lwm2m::definition::objects::{CONNECTIVITY_MONITORING, CONNECTIVITY_STATISTICS};
use heapless::String;

use crate::object;
use crate::object::Multiple;

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
    }
}

/// Object 7, Connectivity Statistics. The application counts while [`is_collecting`] is set.
///
/// [`is_collecting`]: ConnectivityStatistics::is_collecting
#[derive(Clone, Debug, Default)]
pub struct ConnectivityStatistics {
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
    /// Between Start and Stop.
    pub is_collecting: bool,
}

impl ConnectivityStatistics {
    /// Start: counters begin at zero.
    fn start(&mut self) {
        for counter in [
            &mut self.tx_data,
            &mut self.rx_data,
            &mut self.max_message_size,
            &mut self.average_message_size,
        ] {
            *counter = counter.map(|_| 0);
        }
        self.is_collecting = true;
    }
}

object! {
    impl CONNECTIVITY_STATISTICS for ConnectivityStatistics {
        2 => read tx_data;
        3 => read rx_data;
        4 => read max_message_size;
        5 => read average_message_size;
        6 => execute |this, _arguments| { this.start(); Ok(()) };
        7 => execute |this, _arguments| { this.is_collecting = false; Ok(()) };
        8 => read_write collection_period;
    }
}
