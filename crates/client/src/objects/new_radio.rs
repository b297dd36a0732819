use dunlin_lwm2m::definition::objects::OBJECT_5GNR_CONNECTIVITY;
use heapless::String;

use crate::object;
use crate::object::Multiple;

/// Object 27, 5GNR Connectivity. What the modem does not know stays absent.
#[derive(Clone, Debug, Default)]
pub struct NewRadioConnectivity {
    /// 1 LTE, 2 NR, 3 LTE with NR, 4 NR with LTE, 5 LTE on a 5G core, 7 LTE on a 5G core with NR.
    pub option: u8,
    /// Band numbers of 3GPP TS 38.104 that the device can use.
    pub supported_bands: Multiple<u16, 8>,
    /// Bands in use.
    pub bands: Multiple<u16, 4>,
    /// S-NSSAI: 0 broadband, 1 low latency, 2 massive IoT, 3 custom.
    pub slices: Multiple<u8, 4>,
    /// Name of the data network.
    pub dnn: Option<String<64>>,
    /// 1 to 15.
    pub pdu_session_id: Option<u8>,
    /// Session and service continuity mode, 1 to 3.
    pub ssc_mode: Option<u8>,
    /// 1 IPv4, 2 IPv6, 3 both, 4 unstructured, 5 Ethernet.
    pub pdu_session_type: Option<u8>,
    /// 5QI.
    pub qos_indicator: Option<u8>,
    /// SDAP: 0 uplink, 1 downlink, 2 both.
    pub sdap: Option<u8>,
    /// QFI, 1 to 63.
    pub qos_flow: Option<u8>,
    /// Session AMBR, 1 to 25.
    pub session_ambr: Option<u8>,
    /// APN-AMBR.
    pub apn_ambr: Option<i32>,
    /// Whether the core mirrors quality of service.
    pub nas_reflective_qos: Option<bool>,
    /// Whether the radio mirrors quality of service.
    pub as_reflective_qos: Option<bool>,
    /// P-CSCF Address Index.
    pub pcscf_index: Option<i32>,
    /// 0 primary, 1 secondary, 2 both.
    pub authentication: Option<u8>,
    /// PLMN ID.
    pub plmn: Option<String<8>>,
    /// Whether local networks (LADN) are supported.
    pub local_networks: Option<bool>,
    /// 0 off, 1 with 64 kbit/s, 2 at full rate.
    pub integrity: Option<u8>,
    /// false 3GPP, true another radio.
    pub prefers_other_access: Option<bool>,
}

object! {
    impl OBJECT_5GNR_CONNECTIVITY for NewRadioConnectivity {
        0 => read option;
        1 => read supported_bands;
        2 => read bands;
        3 => read slices;
        4 => read dnn;
        5 => read pdu_session_id;
        6 => read ssc_mode;
        7 => read pdu_session_type;
        8 => read qos_indicator;
        9 => read sdap;
        10 => read qos_flow;
        11 => read session_ambr;
        12 => read apn_ambr;
        13 => read nas_reflective_qos;
        14 => read as_reflective_qos;
        15 => read pcscf_index;
        16 => read authentication;
        17 => read plmn;
        18 => read local_networks;
        19 => read integrity;
        20 => read prefers_other_access;
    }
}
