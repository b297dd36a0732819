use dunlin_coap::Code;
use dunlin_lwm2m::Arguments;
use dunlin_lwm2m::definition::objects::PORTFOLIO;
use heapless::{String, Vec};

use crate::object;
use crate::object::Multiple;

/// Object 16, Portfolio: identities of the device that a module sits in, and authentication of it.
///
/// GetAuthData (`/16/x/1`) sets [`Portfolio::request`] for the application, which answers with
/// [`Portfolio::answer`] or [`Portfolio::refuse`], and tells with [`Portfolio::delivered`] that
/// the server has the data.
#[derive(Clone, Debug, Default)]
pub struct Portfolio {
    /// As the GSMA uses it: 0 host device, 1 manufacturer, 2 model, 3 software version.
    pub identity: Multiple<String<64>, 4>,
    auth_data: Multiple<Vec<u8, 64>, 4>,
    /// 0 idle, 1 data available, 2 error.
    auth_status: u8,
    /// The argument 0 of GetAuthData, empty when there is none; until it is answered.
    pub request: Option<String<64>>,
}

impl Portfolio {
    /// A portfolio of these identities, under the ids 0 and up; at most four.
    pub fn new<'a>(identities: impl IntoIterator<Item = &'a str>) -> Self {
        let identities = identities.into_iter().map(super::text);
        Self {
            identity: (0..).zip(identities).collect(),
            ..Self::default()
        }
    }

    /// AuthStatus: 0 idle, 1 data available, 2 error.
    pub const fn auth_status(&self) -> u8 {
        self.auth_status
    }

    /// The authentication has given this data.
    pub fn answer(&mut self, data: Multiple<Vec<u8, 64>, 4>) {
        self.request = None;
        self.auth_data = data;
        self.auth_status = 1;
    }

    /// The authentication has failed.
    pub fn refuse(&mut self) {
        self.request = None;
        self.auth_data.clear();
        self.auth_status = 2;
    }

    /// The server has the data: idle again.
    pub fn delivered(&mut self) {
        if self.auth_status == 1 {
            self.auth_status = 0;
        }
    }

    fn get_auth_data(&mut self, arguments: Arguments<'_>) -> Result<(), Code> {
        let argument = arguments.get(0).flatten().unwrap_or_default();
        self.request = Some(String::try_from(argument).map_err(|_| Code::BAD_REQUEST)?);
        self.auth_data.clear();
        self.auth_status = 0;
        Ok(())
    }
}

object! {
    impl PORTFOLIO for Portfolio {
        0 => read_write identity;
        1 => execute |this, arguments| this.get_auth_data(arguments);
        2 => read auth_data;
        3 => read auth_status;
    }
}
