use dunlin_coap::Code;
use dunlin_lwm2m::definition::objects::SERVER;
use dunlin_lwm2m::{ObjectLink, Version};
use heapless::String;

use crate::object;
use crate::object::Multiple;
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
    /// The Access Point Name to use, an instance of object 11 (1.1). Data only.
    pub apn_link: Option<ObjectLink>,
    /// The last (D)TLS alert from this server (1.1). Data only.
    pub tls_alert_code: Option<u8>,
    /// When a bootstrap-server last touched the account, in seconds since 1970 (1.1). Data only.
    pub last_bootstrapped: Option<i64>,
    /// The place in the registration order, ascending; a server without one is independent (1.1).
    pub priority: Option<u32>,
    /// Seconds before the first attempt, counted from when the server before it in the order is
    /// done; until the first success (1.1). 0 when absent.
    pub initial_delay: Option<u32>,
    /// Whether servers behind this one in the order wait when it fails for good (1.1); `false`
    /// when absent.
    pub failure_block: Option<bool>,
    /// Whether the device wants to bootstrap anew when registration is refused or fails for good
    /// (1.1); `true` when absent. [`Event::RegistrationFailed`](crate::Event::RegistrationFailed)
    /// tells.
    pub bootstrap_on_failure: Option<bool>,
    /// Attempts in a registration sequence; 5 when absent.
    pub retry_count: Option<u32>,
    /// Seconds before the second attempt, doubled each time; 60 when absent.
    pub retry_timer: Option<u32>,
    /// Seconds between sequences; 86400 when absent. The largest value of 32 bits or more means
    /// that no sequence follows.
    pub sequence_delay: Option<u64>,
    /// Number of sequences; 1 when absent.
    pub sequence_count: Option<u32>,
    /// Whether triggers may come by SMS although `S` is no binding (1.1). Data only.
    pub sms_trigger: Option<bool>,
    /// The binding to begin a session with, one letter (1.1). Data only: there is UDP.
    pub preferred_transport: Option<String<1>>,
    /// Whether Send is not allowed (1.1); `true` when absent.
    pub mute_send: Option<bool>,
    /// Further Access Point Names, instances of object 11 (1.2). Data only.
    pub alternate_apn_links: Option<Multiple<ObjectLink, 2>>,
    /// Versions the server supports, as in `1.1` or `1.1.1` (1.2): the client registers with the
    /// highest that it has too.
    pub supported_versions: Option<Multiple<String<5>, 3>>,
    /// Whether notifications are Confirmable where no `con` says so: 0 no, 1 yes (1.2).
    pub notification_mode: Option<u8>,
    /// The hash the server prefers in Profile IDs, a suite id of RFC 6920 (1.2). Data only.
    pub profile_id_hash: Option<u8>,
    /// Silent after Disable; the engine says so.
    pub(crate) is_disabled: bool,
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
            apn_link: None,
            tls_alert_code: None,
            last_bootstrapped: None,
            priority: None,
            initial_delay: None,
            failure_block: None,
            bootstrap_on_failure: None,
            retry_count: None,
            retry_timer: None,
            sequence_delay: None,
            sequence_count: None,
            sms_trigger: None,
            preferred_transport: None,
            // Devices that support Send allow it.
            mute_send: Some(false),
            alternate_apn_links: None,
            supported_versions: None,
            notification_mode: None,
            profile_id_hash: None,
            is_disabled: false,
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
            sequence_delay: match self.sequence_delay {
                Some(delay) => Some(delay).filter(|delay| *delay < u64::from(u32::MAX)),
                None => default.sequence_delay,
            },
            sequence_count: self.sequence_count.unwrap_or(default.sequence_count),
        }
    }

    /// The highest version that the server supports and the client has, as far as it is known.
    pub(crate) fn best_version(&self, highest: Version) -> Version {
        let supports = |version: Version| {
            self.supported_versions.as_ref().is_none_or(|versions| {
                versions
                    .iter()
                    .any(|(_, text)| text.get(..3) == Some(version.as_str()))
            })
        };
        [Version::V1_2, Version::V1_1, Version::V1_0]
            .into_iter()
            .find(|version| *version <= highest && supports(*version))
            .unwrap_or(highest)
    }

    fn check(&self, resource: u16) -> Result<(), Code> {
        let legal = match resource {
            // Letters of any version; UDP itself cannot be given up, but the text says the client
            // assumes it anyway (Core 1.2 §6.2.1.2).
            7 => {
                !self.binding.is_empty()
                    && self.binding.bytes().all(|byte| b"UQTSNMH".contains(&byte))
            }
            22 => self
                .preferred_transport
                .as_ref()
                .is_none_or(|letter| matches!(letter.as_str(), "U" | "T" | "S" | "N" | "M" | "H")),
            25 => self
                .supported_versions
                .iter()
                .flat_map(Multiple::iter)
                .all(|(_, text)| is_version(text)),
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
        if self.is_disabled {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        if !matches!(arguments.get(0), None | Some(Some("U"))) {
            return Err(Code::BAD_REQUEST);
        }
        self.trigger = Some(Trigger::Update);
        Ok(())
    }
}

/// `d.d` or `d.d.d`.
fn is_version(text: &str) -> bool {
    let mut parts = 0;
    text.split('.').all(|part| {
        parts += 1;
        part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit())
    }) && matches!(parts, 2 | 3)
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
        // There is no bootstrap-server account to ask.
        9 => execute |_this, _arguments| Err(Code::METHOD_NOT_ALLOWED);
        10 => read_write apn_link;
        11 => read tls_alert_code;
        12 => read last_bootstrapped;
        13 => read priority;
        14 => read_write initial_delay;
        15 => read failure_block;
        16 => read bootstrap_on_failure;
        17 => read_write retry_count;
        18 => read_write retry_timer;
        19 => read_write sequence_delay;
        20 => read_write sequence_count;
        21 => read_write sms_trigger;
        22 => read_write preferred_transport;
        23 => read_write mute_send;
        24 => read_write alternate_apn_links;
        25 => read_write supported_versions;
        26 => read_write notification_mode;
        27 => read_write profile_id_hash;
        written => |this, resource| this.check(resource);
    }
}
