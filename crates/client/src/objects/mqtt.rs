use core::fmt;

use dunlin_lwm2m::definition::objects::MQTT_SERVER;
use heapless::{String, Vec};

use crate::object;

/// Object 24, MQTT Server: what the CONNECT to a broker says. Data only.
#[derive(Clone, Default)]
pub struct MqttServer {
    /// Will Retain.
    pub will_retain: Option<bool>,
    /// Will Topic.
    pub will_topic: Option<String<64>>,
    /// Will Message.
    pub will_message: Option<String<64>>,
    /// Clean Session.
    pub clean_session: Option<bool>,
    /// 0 to 3.
    pub will_qos: Option<u8>,
    /// Seconds.
    pub keep_alive: Option<u16>,
    /// Brokers take 1 to 23 of 0-9, a-z, A-Z.
    pub client_identifier: String<23>,
    /// User Name.
    pub user_name: Option<String<64>>,
    /// Password.
    pub password: Option<Vec<u8, 64>>,
}

impl fmt::Debug for MqttServer {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttServer")
            .field("client_identifier", &self.client_identifier)
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

object! {
    impl MQTT_SERVER for MqttServer {
        0 => read_write will_retain;
        1 => read_write will_topic;
        2 => read_write will_message;
        3 => read_write clean_session;
        4 => read_write will_qos;
        5 => read_write keep_alive;
        6 => read_write client_identifier;
        7 => read_write user_name;
        8 => read_write password;
    }
}
