use dunlin_lwm2m::definition::objects::VIRTUAL_OBSERVE_NOTIFY;
use heapless::{String, Vec};

use crate::object;
use crate::object::Multiple;

/// Object 22, Virtual Observe Notify: the forerunner of Observe-Composite. Data only: the
/// application makes the reports.
#[derive(Clone, Debug)]
pub struct VirtualObserveNotify {
    /// Links with conditions, as `</3303/0/5700>;gt=30`; an empty text stops.
    pub observe_links: Multiple<String<64>, 4>,
    /// SenML JSON.
    pub report: String<256>,
    /// true: only what changed is reported.
    pub resource_filter: Option<bool>,
    /// Links that are reported instead of those observed.
    pub report_links: Multiple<String<64>, 4>,
    /// 0 any condition, 1 all of them.
    pub observe_relation: Option<u8>,
    /// A Content-Format; SenML JSON when absent.
    pub report_format: Option<u16>,
    /// The report in that format.
    pub formatted_report: Option<Vec<u8, 256>>,
}

impl Default for VirtualObserveNotify {
    /// Observes nothing.
    fn default() -> Self {
        Self {
            observe_links: core::iter::once((0, String::new())).collect(),
            report: String::new(),
            resource_filter: None,
            report_links: Multiple::new(),
            observe_relation: None,
            report_format: None,
            formatted_report: None,
        }
    }
}

object! {
    impl VIRTUAL_OBSERVE_NOTIFY for VirtualObserveNotify {
        0 => read_write observe_links;
        1 => read report;
        2 => read_write resource_filter;
        3 => read_write report_links;
        4 => read_write observe_relation;
        5 => read_write report_format;
        6 => read formatted_report;
    }
}
