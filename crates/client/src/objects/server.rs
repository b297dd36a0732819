use dunlin_coap::Code;
use dunlin_lwm2m::definition::objects::SERVER;
use heapless::String;

use crate::object;
use crate::registration::Retry;

/// Object 1, LwM2M Server: the account that says how to register and report.
#[derive(Clone, Debug)]
pub struct Server {
    /// 1 to 65534.
    pub short_server_id: u16,
    /// Lifetime of the registration in seconds; 0 for infinite. A write triggers an Update.
    pub lifetime: u32,
    /// pmin where none is attached, in seconds.
    pub default_pmin: Option<u32>,
    /// pmax where none is attached, in seconds; 0 for none.
    pub default_pmax: Option<u32>,
    /// Seconds of silence after Disable; 86400 when absent.
    pub disable_timeout: Option<u32>,
    /// Whether notifications that fall due while offline are sent later.
    pub notification_storing: bool,
    /// The bindings: letters in 1.1 and 1.2, `U`, `UQ` and so on in 1.0.
    pub binding: String<8>,
    /// Attempts in a registration sequence; 5 when absent.
    pub retry_count: Option<u32>,
    /// Seconds before the second attempt, doubled each time; 60 when absent.
    pub retry_timer: Option<u32>,
    /// Seconds between sequences; 86400 when absent.
    pub sequence_delay: Option<u32>,
    /// Number of sequences; 1 when absent.
    pub sequence_count: Option<u32>,
    /// Set by Execute of Disable or of Registration Update Trigger; the engine takes it.
    pub(crate) trigger: Option<Trigger>,
}

/// What an Execute on the Server object asked for; done once the response is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    Update,
    Disable,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            short_server_id: 1,
            lifetime: 86_400,
            default_pmin: None,
            default_pmax: None,
            disable_timeout: None,
            notification_storing: true,
            binding: super::text("U"),
            retry_count: None,
            retry_timer: None,
            sequence_delay: None,
            sequence_count: None,
            trigger: None,
        }
    }
}

impl Server {
    /// The account of the server with this Short Server ID, 1 to 65534.
    pub fn new(short_server_id: u16) -> Self {
        Self {
            short_server_id,
            ..Self::default()
        }
    }

    /// How registration attempts follow one another.
    pub(crate) fn retry(&self) -> Retry {
        let default = Retry::default();
        Retry {
            count: self.retry_count.unwrap_or(default.count),
            timer: self.retry_timer.unwrap_or(default.timer),
            sequence_delay: self.sequence_delay.unwrap_or(default.sequence_delay),
            sequence_count: self.sequence_count.unwrap_or(default.sequence_count),
        }
    }

    fn check(&self, resource: u16) -> Result<(), Code> {
        let legal = match resource {
            // Letters of any version; UDP itself cannot be given up, but the text says the client
            // assumes it anyway (Core 1.2 §6.2.1.2).
            7 => {
                !self.binding.is_empty()
                    && self.binding.bytes().all(|byte| b"UQTSNMH".contains(&byte))
            }
            17 => self.retry_count != Some(0),
            20 => self.sequence_count != Some(0),
            _ => true,
        };
        if legal {
            Ok(())
        } else {
            Err(Code::BAD_REQUEST)
        }
    }

    /// Registration Update Trigger; its argument 0 names a binding, of which only UDP is there.
    fn trigger_update(&mut self, arguments: dunlin_lwm2m::Arguments<'_>) -> Result<(), Code> {
        if !matches!(arguments.get(0), None | Some(Some("U"))) {
            return Err(Code::BAD_REQUEST);
        }
        self.trigger = Some(Trigger::Update);
        Ok(())
    }
}

object! {
    impl SERVER for Server {
        0 => read short_server_id;
        1 => read_write lifetime;
        2 => read_write default_pmin;
        3 => read_write default_pmax;
        4 => execute |this, _arguments| { this.trigger = Some(Trigger::Disable); Ok(()) };
        5 => read_write disable_timeout;
        6 => read_write notification_storing;
        7 => read_write binding;
        8 => execute |this, arguments| this.trigger_update(arguments);
        17 => read_write retry_count;
        18 => read_write retry_timer;
        19 => read_write sequence_delay;
        20 => read_write sequence_count;
        written => |this, resource| this.check(resource);
    }
}
