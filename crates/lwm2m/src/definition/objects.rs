//! The objects of the standard and common ones of IPSO, as constants.
//!
//! Generated from the files in `objects/`; do not edit, but run
//! `cargo run -p dunlin-lwm2m --example definitions > crates/lwm2m/src/definition/objects.rs`.

use super::{ObjectDefinition, Operations, ResourceDefinition};
use crate::{DataType, ObjectVersion};

/// LWM2M Security (`/0`), version 1.2.
pub static SECURITY: ObjectDefinition = ObjectDefinition {
    id: 0,
    name: "LWM2M Security",
    version: ObjectVersion { major: 1, minor: 2 },
    multiple: true,
    mandatory: true,
    resources: &[
        ResourceDefinition::new(0, "LWM2M Server URI", Operations::None, Some(DataType::String)).mandatory().range(0.0, 255.0),
        ResourceDefinition::new(1, "Bootstrap-Server", Operations::None, Some(DataType::Boolean)).mandatory(),
        ResourceDefinition::new(2, "Security Mode", Operations::None, Some(DataType::Integer)).mandatory().range(0.0, 4.0),
        ResourceDefinition::new(3, "Public Key or Identity", Operations::None, Some(DataType::Opaque)).mandatory(),
        ResourceDefinition::new(4, "Server Public Key", Operations::None, Some(DataType::Opaque)).mandatory(),
        ResourceDefinition::new(5, "Secret Key", Operations::None, Some(DataType::Opaque)).mandatory(),
        ResourceDefinition::new(6, "SMS Security Mode", Operations::None, Some(DataType::Integer)).range(0.0, 255.0),
        ResourceDefinition::new(7, "SMS Binding Key Parameters", Operations::None, Some(DataType::Opaque)),
        ResourceDefinition::new(8, "SMS Binding Secret Key(s)", Operations::None, Some(DataType::Opaque)).range(16.0, 48.0),
        ResourceDefinition::new(9, "LwM2M Server SMS Number", Operations::None, Some(DataType::String)),
        ResourceDefinition::new(10, "Short Server ID", Operations::None, Some(DataType::Integer)).range(1.0, 65534.0),
        ResourceDefinition::new(11, "Client Hold Off Time", Operations::None, Some(DataType::Integer)).units("s"),
        ResourceDefinition::new(12, "Bootstrap-Server Account Timeout", Operations::None, Some(DataType::Integer)).units("s"),
        ResourceDefinition::new(13, "Matching Type", Operations::None, Some(DataType::Unsigned)).range(0.0, 3.0),
        ResourceDefinition::new(14, "SNI", Operations::None, Some(DataType::String)),
        ResourceDefinition::new(15, "Certificate Usage", Operations::None, Some(DataType::Unsigned)).range(0.0, 3.0),
        ResourceDefinition::new(16, "DTLS/TLS Ciphersuite", Operations::None, Some(DataType::Unsigned)).multiple(),
        ResourceDefinition::new(17, "OSCORE Security Mode", Operations::None, Some(DataType::ObjectLink)),
        ResourceDefinition::new(18, "Groups To Use by Client", Operations::None, Some(DataType::Unsigned)).multiple().range(0.0, 65535.0),
        ResourceDefinition::new(19, "Signature Algorithms Supported by Server", Operations::None, Some(DataType::Unsigned)).multiple().range(0.0, 65535.0),
        ResourceDefinition::new(20, "Signature Algorithms To Use by Client", Operations::None, Some(DataType::Unsigned)).multiple().range(0.0, 65535.0),
        ResourceDefinition::new(21, "Signature Algorithm Certs Supported by Server", Operations::None, Some(DataType::Unsigned)).multiple().range(0.0, 65535.0),
        ResourceDefinition::new(22, "TLS 1.3 Features To Use by Client", Operations::None, Some(DataType::Unsigned)).range(0.0, 65535.0),
        ResourceDefinition::new(23, "TLS Extensions Supported by Server", Operations::None, Some(DataType::Unsigned)).range(0.0, 65535.0),
        ResourceDefinition::new(24, "TLS Extensions To Use by Client", Operations::None, Some(DataType::Unsigned)).range(0.0, 65535.0),
        ResourceDefinition::new(25, "Secondary LwM2M Server URI", Operations::None, Some(DataType::String)).multiple().range(0.0, 255.0),
        ResourceDefinition::new(26, "MQTT Server", Operations::None, Some(DataType::ObjectLink)),
        ResourceDefinition::new(27, "LwM2M COSE Security", Operations::None, Some(DataType::ObjectLink)).multiple(),
        ResourceDefinition::new(28, "RDS Destination Port", Operations::None, Some(DataType::Integer)).range(0.0, 15.0),
        ResourceDefinition::new(29, "RDS Source Port", Operations::None, Some(DataType::Integer)).range(0.0, 15.0),
        ResourceDefinition::new(30, "RDS Application ID", Operations::None, Some(DataType::String)),
    ],
};

/// LwM2M Server (`/1`), version 1.2.
pub static SERVER: ObjectDefinition = ObjectDefinition {
    id: 1,
    name: "LwM2M Server",
    version: ObjectVersion { major: 1, minor: 2 },
    multiple: true,
    mandatory: true,
    resources: &[
        ResourceDefinition::new(0, "Short Server ID", Operations::R, Some(DataType::Integer)).mandatory().range(1.0, 65534.0),
        ResourceDefinition::new(1, "Lifetime", Operations::RW, Some(DataType::Integer)).mandatory().units("s"),
        ResourceDefinition::new(2, "Default Minimum Period", Operations::RW, Some(DataType::Integer)).units("s"),
        ResourceDefinition::new(3, "Default Maximum Period", Operations::RW, Some(DataType::Integer)).units("s"),
        ResourceDefinition::new(4, "Disable", Operations::E, None),
        ResourceDefinition::new(5, "Disable Timeout", Operations::RW, Some(DataType::Integer)).units("s"),
        ResourceDefinition::new(6, "Notification Storing When Disabled or Offline", Operations::RW, Some(DataType::Boolean)).mandatory(),
        ResourceDefinition::new(7, "Binding", Operations::RW, Some(DataType::String)).mandatory(),
        ResourceDefinition::new(8, "Registration Update Trigger", Operations::E, None).mandatory(),
        ResourceDefinition::new(9, "Bootstrap-Request Trigger", Operations::E, None),
        ResourceDefinition::new(10, "APN Link", Operations::RW, Some(DataType::ObjectLink)),
        ResourceDefinition::new(11, "TLS-DTLS Alert Code", Operations::R, Some(DataType::Unsigned)).range(0.0, 255.0),
        ResourceDefinition::new(12, "Last Bootstrapped", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(13, "Registration Priority Order", Operations::R, Some(DataType::Unsigned)),
        ResourceDefinition::new(14, "Initial Registration Delay Timer", Operations::RW, Some(DataType::Unsigned)).units("s"),
        ResourceDefinition::new(15, "Registration Failure Block", Operations::R, Some(DataType::Boolean)),
        ResourceDefinition::new(16, "Bootstrap on Registration Failure", Operations::R, Some(DataType::Boolean)),
        ResourceDefinition::new(17, "Communication Retry Count", Operations::RW, Some(DataType::Unsigned)),
        ResourceDefinition::new(18, "Communication Retry Timer", Operations::RW, Some(DataType::Unsigned)).units("s"),
        ResourceDefinition::new(19, "Communication Sequence Delay Timer", Operations::RW, Some(DataType::Unsigned)).units("s"),
        ResourceDefinition::new(20, "Communication Sequence Retry Count", Operations::RW, Some(DataType::Unsigned)),
        ResourceDefinition::new(21, "Trigger", Operations::RW, Some(DataType::Boolean)),
        ResourceDefinition::new(22, "Preferred Transport", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(23, "Mute Send", Operations::RW, Some(DataType::Boolean)),
        ResourceDefinition::new(24, "Alternate APN Links", Operations::RW, Some(DataType::ObjectLink)).multiple(),
        ResourceDefinition::new(25, "Supported Server Versions", Operations::RW, Some(DataType::String)).multiple(),
        ResourceDefinition::new(26, "Default Notification Mode", Operations::RW, Some(DataType::Integer)).range(0.0, 1.0),
        ResourceDefinition::new(27, "Profile ID Hash Algorithm", Operations::RW, Some(DataType::Unsigned)).range(0.0, 255.0),
    ],
};

/// LwM2M Access Control (`/2`), version 1.1.
pub static ACCESS_CONTROL: ObjectDefinition = ObjectDefinition {
    id: 2,
    name: "LwM2M Access Control",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Object ID", Operations::R, Some(DataType::Integer)).mandatory().range(1.0, 65534.0),
        ResourceDefinition::new(1, "Object Instance ID", Operations::R, Some(DataType::Integer)).mandatory().range(0.0, 65535.0),
        ResourceDefinition::new(2, "ACL", Operations::RW, Some(DataType::Integer)).multiple().range(0.0, 31.0),
        ResourceDefinition::new(3, "Access Control Owner", Operations::RW, Some(DataType::Integer)).mandatory().range(0.0, 65535.0),
    ],
};

/// Device (`/3`), version 1.2.
pub static DEVICE: ObjectDefinition = ObjectDefinition {
    id: 3,
    name: "Device",
    version: ObjectVersion { major: 1, minor: 2 },
    multiple: false,
    mandatory: true,
    resources: &[
        ResourceDefinition::new(0, "Manufacturer", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(1, "Model Number", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(2, "Serial Number", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(3, "Firmware Version", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(4, "Reboot", Operations::E, None).mandatory(),
        ResourceDefinition::new(5, "Factory Reset", Operations::E, None),
        ResourceDefinition::new(6, "Available Power Sources", Operations::R, Some(DataType::Integer)).multiple().range(0.0, 7.0),
        ResourceDefinition::new(7, "Power Source Voltage", Operations::R, Some(DataType::Integer)).multiple(),
        ResourceDefinition::new(8, "Power Source Current", Operations::R, Some(DataType::Integer)).multiple(),
        ResourceDefinition::new(9, "Battery Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0).units("/100"),
        ResourceDefinition::new(10, "Memory Free", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(11, "Error Code", Operations::R, Some(DataType::Integer)).multiple().mandatory().range(0.0, 32.0),
        ResourceDefinition::new(12, "Reset Error Code", Operations::E, None),
        ResourceDefinition::new(13, "Current Time", Operations::RW, Some(DataType::Time)),
        ResourceDefinition::new(14, "UTC Offset", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(15, "Timezone", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(16, "Supported Binding and Modes", Operations::R, Some(DataType::String)).mandatory(),
        ResourceDefinition::new(17, "Device Type", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(18, "Hardware Version", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(19, "Software Version", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(20, "Battery Status", Operations::R, Some(DataType::Integer)).range(0.0, 6.0),
        ResourceDefinition::new(21, "Memory Total", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(22, "ExtDevInfo", Operations::R, Some(DataType::ObjectLink)).multiple(),
    ],
};

/// Connectivity Monitoring (`/4`), version 1.3.
pub static CONNECTIVITY_MONITORING: ObjectDefinition = ObjectDefinition {
    id: 4,
    name: "Connectivity Monitoring",
    version: ObjectVersion { major: 1, minor: 3 },
    multiple: false,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Network Bearer", Operations::R, Some(DataType::Integer)).mandatory().range(0.0, 50.0),
        ResourceDefinition::new(1, "Available Network Bearer", Operations::R, Some(DataType::Integer)).multiple().mandatory().range(0.0, 50.0),
        ResourceDefinition::new(2, "Radio Signal Strength", Operations::R, Some(DataType::Integer)).mandatory().units("dBm"),
        ResourceDefinition::new(3, "Link Quality", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(4, "IP Addresses", Operations::R, Some(DataType::String)).multiple().mandatory(),
        ResourceDefinition::new(5, "Router IP Addresses", Operations::R, Some(DataType::String)).multiple(),
        ResourceDefinition::new(6, "Link Utilization", Operations::R, Some(DataType::Integer)).range(0.0, 100.0).units("/100"),
        ResourceDefinition::new(7, "APN", Operations::R, Some(DataType::String)).multiple(),
        ResourceDefinition::new(8, "Cell ID", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(9, "SMNC", Operations::R, Some(DataType::Integer)).range(0.0, 999.0),
        ResourceDefinition::new(10, "SMCC", Operations::R, Some(DataType::Integer)).range(0.0, 999.0),
        ResourceDefinition::new(11, "SignalSNR", Operations::R, Some(DataType::Integer)).units("dB"),
        ResourceDefinition::new(12, "LAC", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(13, "Coverage Enhancement Level", Operations::R, Some(DataType::Integer)).range(0.0, 4.0),
    ],
};

/// Firmware Update (`/5`), version 1.2.
pub static FIRMWARE_UPDATE: ObjectDefinition = ObjectDefinition {
    id: 5,
    name: "Firmware Update",
    version: ObjectVersion { major: 1, minor: 2 },
    multiple: false,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Package", Operations::W, Some(DataType::Opaque)).mandatory(),
        ResourceDefinition::new(1, "Package URI", Operations::RW, Some(DataType::String)).mandatory().range(0.0, 255.0),
        ResourceDefinition::new(2, "Update", Operations::E, None).mandatory(),
        ResourceDefinition::new(3, "State", Operations::R, Some(DataType::Integer)).mandatory().range(0.0, 3.0),
        ResourceDefinition::new(5, "Update Result", Operations::R, Some(DataType::Integer)).mandatory().range(0.0, 11.0),
        ResourceDefinition::new(6, "PkgName", Operations::R, Some(DataType::String)).range(0.0, 255.0),
        ResourceDefinition::new(7, "PkgVersion", Operations::R, Some(DataType::String)).range(0.0, 255.0),
        ResourceDefinition::new(8, "Firmware Update Protocol Support", Operations::R, Some(DataType::Integer)).multiple().range(0.0, 5.0),
        ResourceDefinition::new(9, "Firmware Update Delivery Method", Operations::R, Some(DataType::Integer)).mandatory().range(0.0, 2.0),
        ResourceDefinition::new(10, "Cancel", Operations::E, None),
        ResourceDefinition::new(11, "Severity", Operations::RW, Some(DataType::Integer)).range(0.0, 2.0),
        ResourceDefinition::new(12, "Last State Change Time", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(13, "Maximum Defer Period", Operations::RW, Some(DataType::Unsigned)).units("s"),
        ResourceDefinition::new(14, "Automatic Upgrade at Download", Operations::RW, Some(DataType::Boolean)),
    ],
};

/// Location (`/6`), version 1.0.
pub static LOCATION: ObjectDefinition = ObjectDefinition {
    id: 6,
    name: "Location",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: false,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Latitude", Operations::R, Some(DataType::Float)).mandatory().units("lat"),
        ResourceDefinition::new(1, "Longitude", Operations::R, Some(DataType::Float)).mandatory().units("lon"),
        ResourceDefinition::new(2, "Altitude", Operations::R, Some(DataType::Float)).units("m"),
        ResourceDefinition::new(3, "Radius", Operations::R, Some(DataType::Float)).units("m"),
        ResourceDefinition::new(4, "Velocity", Operations::R, Some(DataType::Opaque)),
        ResourceDefinition::new(5, "Timestamp", Operations::R, Some(DataType::Time)).mandatory(),
        ResourceDefinition::new(6, "Speed", Operations::R, Some(DataType::Float)).units("m/s"),
    ],
};

/// Connectivity Statistics (`/7`), version 1.0.
pub static CONNECTIVITY_STATISTICS: ObjectDefinition = ObjectDefinition {
    id: 7,
    name: "Connectivity Statistics",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: false,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "SMS Tx Counter", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(1, "SMS Rx Counter", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(2, "Tx Data", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(3, "Rx Data", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(4, "Max Message Size", Operations::R, Some(DataType::Integer)).units("B"),
        ResourceDefinition::new(5, "Average Message Size", Operations::R, Some(DataType::Integer)).units("B"),
        ResourceDefinition::new(6, "Start", Operations::E, None).mandatory(),
        ResourceDefinition::new(7, "Stop", Operations::E, None).mandatory(),
        ResourceDefinition::new(8, "Collection Period", Operations::RW, Some(DataType::Integer)).units("s"),
    ],
};

/// LWM2M Software Management (`/9`), version 1.0.
pub static SOFTWARE_MANAGEMENT: ObjectDefinition = ObjectDefinition {
    id: 9,
    name: "LWM2M Software Management",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "PkgName", Operations::R, Some(DataType::String)).mandatory().range(0.0, 255.0),
        ResourceDefinition::new(1, "PkgVersion", Operations::R, Some(DataType::String)).mandatory().range(0.0, 255.0),
        ResourceDefinition::new(2, "Package", Operations::W, Some(DataType::Opaque)),
        ResourceDefinition::new(3, "Package URI", Operations::W, Some(DataType::String)).range(0.0, 255.0),
        ResourceDefinition::new(4, "Install", Operations::E, None).mandatory(),
        ResourceDefinition::new(5, "Checkpoint", Operations::R, Some(DataType::ObjectLink)),
        ResourceDefinition::new(6, "Uninstall", Operations::E, None).mandatory(),
        ResourceDefinition::new(7, "Update State", Operations::R, Some(DataType::Integer)).mandatory().range(0.0, 4.0),
        ResourceDefinition::new(8, "Update Supported Objects", Operations::RW, Some(DataType::Boolean)),
        ResourceDefinition::new(9, "Update Result", Operations::R, Some(DataType::Integer)).mandatory().range(0.0, 200.0),
        ResourceDefinition::new(10, "Activate", Operations::E, None).mandatory(),
        ResourceDefinition::new(11, "Deactivate", Operations::E, None).mandatory(),
        ResourceDefinition::new(12, "Activation State", Operations::R, Some(DataType::Boolean)).mandatory(),
        ResourceDefinition::new(13, "Package Settings", Operations::RW, Some(DataType::ObjectLink)),
        ResourceDefinition::new(14, "User Name", Operations::W, Some(DataType::String)).range(0.0, 255.0),
        ResourceDefinition::new(15, "Password", Operations::W, Some(DataType::String)).range(0.0, 255.0),
        ResourceDefinition::new(16, "Status Reason", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(17, "Software Component Link", Operations::R, Some(DataType::ObjectLink)).multiple(),
        ResourceDefinition::new(18, "Software Component tree length", Operations::R, Some(DataType::Integer)).range(0.0, 255.0),
    ],
};

/// Portfolio (`/16`), version 1.0.
pub static PORTFOLIO: ObjectDefinition = ObjectDefinition {
    id: 16,
    name: "Portfolio",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Identity", Operations::RW, Some(DataType::String)).multiple().mandatory(),
        ResourceDefinition::new(1, "GetAuthData", Operations::E, None),
        ResourceDefinition::new(2, "AuthData", Operations::R, Some(DataType::Opaque)).multiple(),
        ResourceDefinition::new(3, "AuthStatus", Operations::R, Some(DataType::Integer)).range(0.0, 2.0),
    ],
};

/// BinaryAppDataContainer (`/19`), version 1.0.
pub static BINARY_APP_DATA_CONTAINER: ObjectDefinition = ObjectDefinition {
    id: 19,
    name: "BinaryAppDataContainer",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Data", Operations::RW, Some(DataType::Opaque)).multiple().mandatory(),
        ResourceDefinition::new(1, "Data Priority", Operations::RW, Some(DataType::Integer)).range(0.0, 255.0),
        ResourceDefinition::new(2, "Data Creation Time", Operations::RW, Some(DataType::Time)),
        ResourceDefinition::new(3, "Data Description", Operations::RW, Some(DataType::String)).range(0.0, 32.0),
        ResourceDefinition::new(4, "Data Format", Operations::RW, Some(DataType::String)).range(0.0, 32.0),
        ResourceDefinition::new(5, "App ID", Operations::RW, Some(DataType::Integer)).range(0.0, 65535.0),
    ],
};

/// LWM2M OSCORE (`/21`), version 2.0.
pub static OSCORE: ObjectDefinition = ObjectDefinition {
    id: 21,
    name: "LWM2M OSCORE",
    version: ObjectVersion { major: 2, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "OSCORE Master Secret", Operations::None, Some(DataType::Opaque)).mandatory(),
        ResourceDefinition::new(1, "OSCORE Sender ID", Operations::None, Some(DataType::Opaque)).mandatory(),
        ResourceDefinition::new(2, "OSCORE Recipient ID", Operations::None, Some(DataType::Opaque)).mandatory(),
        ResourceDefinition::new(3, "OSCORE AEAD Algorithm", Operations::None, Some(DataType::Integer)),
        ResourceDefinition::new(4, "OSCORE HMAC Algorithm", Operations::None, Some(DataType::Integer)),
        ResourceDefinition::new(5, "OSCORE Master Salt", Operations::None, Some(DataType::Opaque)),
        ResourceDefinition::new(6, "OSCORE ID Context", Operations::None, Some(DataType::Opaque)),
    ],
};

/// Virtual Observe Notify (`/22`), version 1.1.
pub static VIRTUAL_OBSERVE_NOTIFY: ObjectDefinition = ObjectDefinition {
    id: 22,
    name: "Virtual Observe Notify",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "ObserveLinks", Operations::RW, Some(DataType::CoreLink)).multiple().mandatory(),
        ResourceDefinition::new(1, "Report", Operations::R, Some(DataType::String)).mandatory(),
        ResourceDefinition::new(2, "ResourceFilter", Operations::RW, Some(DataType::Boolean)),
        ResourceDefinition::new(3, "ReportLinks", Operations::RW, Some(DataType::CoreLink)).multiple(),
        ResourceDefinition::new(4, "ObserveRelation", Operations::RW, Some(DataType::Integer)),
        ResourceDefinition::new(5, "Virtual Observe Report Format", Operations::RW, Some(DataType::Integer)),
        ResourceDefinition::new(6, "Virtual Observe Report", Operations::R, Some(DataType::Opaque)),
    ],
};

/// LwM2M COSE (`/23`), version 1.0.
pub static COSE: ObjectDefinition = ObjectDefinition {
    id: 23,
    name: "LwM2M COSE",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "KID", Operations::None, Some(DataType::String)).mandatory(),
        ResourceDefinition::new(1, "AEAD Algorithm", Operations::None, Some(DataType::Integer)).mandatory(),
        ResourceDefinition::new(2, "Key", Operations::None, Some(DataType::String)).mandatory(),
    ],
};

/// MQTT Server (`/24`), version 1.0.
pub static MQTT_SERVER: ObjectDefinition = ObjectDefinition {
    id: 24,
    name: "MQTT Server",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Will Retain", Operations::RW, Some(DataType::Boolean)),
        ResourceDefinition::new(1, "Will Topic", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(2, "Will Message", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(3, "Clean Session", Operations::RW, Some(DataType::Boolean)),
        ResourceDefinition::new(4, "Will QoS", Operations::RW, Some(DataType::Unsigned)).range(0.0, 3.0),
        ResourceDefinition::new(5, "Keep Alive", Operations::RW, Some(DataType::Unsigned)).range(0.0, 65535.0),
        ResourceDefinition::new(6, "Client Identifier", Operations::RW, Some(DataType::String)).mandatory(),
        ResourceDefinition::new(7, "User Name", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(8, "Password", Operations::RW, Some(DataType::Opaque)),
    ],
};

/// LwM2M Gateway (`/25`), version 2.0.
pub static GATEWAY: ObjectDefinition = ObjectDefinition {
    id: 25,
    name: "LwM2M Gateway",
    version: ObjectVersion { major: 2, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Device ID", Operations::R, Some(DataType::String)).mandatory(),
        ResourceDefinition::new(1, "Prefix", Operations::R, Some(DataType::String)).mandatory(),
        ResourceDefinition::new(3, "IoT Device Objects", Operations::R, Some(DataType::CoreLink)).mandatory(),
    ],
};

/// LwM2M Gateway Routing (`/26`), version 1.0.
pub static GATEWAY_ROUTING: ObjectDefinition = ObjectDefinition {
    id: 26,
    name: "LwM2M Gateway Routing",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "LwM2M Object ID", Operations::R, Some(DataType::Unsigned)).mandatory(),
        ResourceDefinition::new(1, "Mapping Info", Operations::R, Some(DataType::CoreLink)).mandatory(),
    ],
};

/// 5GNR Connectivity (`/27`), version 1.0.
pub static OBJECT_5GNR_CONNECTIVITY: ObjectDefinition = ObjectDefinition {
    id: 27,
    name: "5GNR Connectivity",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(0, "Connectivity Option", Operations::R, Some(DataType::Integer)).mandatory(),
        ResourceDefinition::new(1, "NR Band Support available", Operations::R, Some(DataType::Integer)).multiple(),
        ResourceDefinition::new(2, "NR Band attached", Operations::R, Some(DataType::Integer)).multiple(),
        ResourceDefinition::new(3, "S-NSSAI", Operations::R, Some(DataType::Integer)).multiple(),
        ResourceDefinition::new(4, "DNN Name", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5, "PDU Session Id", Operations::R, Some(DataType::Integer)).range(1.0, 15.0),
        ResourceDefinition::new(6, "SSC Mode", Operations::R, Some(DataType::Integer)).range(1.0, 3.0),
        ResourceDefinition::new(7, "PDU Session Type", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(8, "5QI", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(9, "SDAP Enablement", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(10, "QFI", Operations::R, Some(DataType::Integer)).range(1.0, 63.0),
        ResourceDefinition::new(11, "Session AMBR", Operations::R, Some(DataType::Integer)).range(1.0, 25.0),
        ResourceDefinition::new(12, "APN-AMBR", Operations::R, Some(DataType::Integer)).units("dB"),
        ResourceDefinition::new(13, "NAS Reflective QOS", Operations::R, Some(DataType::Boolean)),
        ResourceDefinition::new(14, "Access Stratum Reflective QoS", Operations::R, Some(DataType::Boolean)),
        ResourceDefinition::new(15, "P-CSCF Address Index", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(16, "PDU session Authentication", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(17, "PLMN ID", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(18, "LADN Support", Operations::R, Some(DataType::Boolean)),
        ResourceDefinition::new(19, "Integrity Protection on DRB", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(20, "Access type Preference", Operations::R, Some(DataType::Boolean)),
    ],
};

/// Generic Sensor (`/3300`), version 1.1.
pub static GENERIC_SENSOR: ObjectDefinition = ObjectDefinition {
    id: 3300,
    name: "Generic Sensor",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5751, "Sensor Type", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Illuminance (`/3301`), version 1.1.
pub static ILLUMINANCE: ObjectDefinition = ObjectDefinition {
    id: 3301,
    name: "Illuminance",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Presence (`/3302`), version 1.1.
pub static PRESENCE: ObjectDefinition = ObjectDefinition {
    id: 3302,
    name: "Presence",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5500, "Digital Input State", Operations::R, Some(DataType::Boolean)).mandatory(),
        ResourceDefinition::new(5501, "Digital Input Counter", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(5505, "Digital Input Counter Reset", Operations::E, None),
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5751, "Sensor Type", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5903, "Busy to Clear delay", Operations::RW, Some(DataType::Integer)).units("ms"),
        ResourceDefinition::new(5904, "Clear to Busy delay", Operations::RW, Some(DataType::Integer)).units("ms"),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Temperature (`/3303`), version 1.1.
pub static TEMPERATURE: ObjectDefinition = ObjectDefinition {
    id: 3303,
    name: "Temperature",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Humidity (`/3304`), version 1.1.
pub static HUMIDITY: ObjectDefinition = ObjectDefinition {
    id: 3304,
    name: "Humidity",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Power Measurement (`/3305`), version 1.1.
pub static POWER_MEASUREMENT: ObjectDefinition = ObjectDefinition {
    id: 3305,
    name: "Power Measurement",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5800, "Instantaneous active power", Operations::R, Some(DataType::Float)).mandatory().units("W"),
        ResourceDefinition::new(5801, "Min Measured active power", Operations::R, Some(DataType::Float)).units("W"),
        ResourceDefinition::new(5802, "Max Measured active power", Operations::R, Some(DataType::Float)).units("W"),
        ResourceDefinition::new(5803, "Min Range active power", Operations::R, Some(DataType::Float)).units("W"),
        ResourceDefinition::new(5804, "Max Range active power", Operations::R, Some(DataType::Float)).units("W"),
        ResourceDefinition::new(5805, "Cumulative active power", Operations::R, Some(DataType::Float)).units("Wh"),
        ResourceDefinition::new(5806, "Active Power Calibration", Operations::W, Some(DataType::Float)).units("W"),
        ResourceDefinition::new(5810, "Instantaneous reactive power", Operations::R, Some(DataType::Float)).units("var"),
        ResourceDefinition::new(5811, "Min Measured reactive power", Operations::R, Some(DataType::Float)).units("var"),
        ResourceDefinition::new(5812, "Max Measured reactive power", Operations::R, Some(DataType::Float)).units("var"),
        ResourceDefinition::new(5813, "Min Range reactive power", Operations::R, Some(DataType::Float)).units("var"),
        ResourceDefinition::new(5814, "Max Range reactive power", Operations::R, Some(DataType::Float)).units("var"),
        ResourceDefinition::new(5815, "Cumulative reactive power", Operations::R, Some(DataType::Float)).units("varh"),
        ResourceDefinition::new(5816, "Reactive Power Calibration", Operations::W, Some(DataType::Float)).units("var"),
        ResourceDefinition::new(5820, "Power factor", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5821, "Current Calibration", Operations::RW, Some(DataType::Float)),
        ResourceDefinition::new(5822, "Reset Cumulative energy", Operations::E, None),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Light Control (`/3311`), version 1.0.
pub static LIGHT_CONTROL: ObjectDefinition = ObjectDefinition {
    id: 3311,
    name: "Light Control",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5706, "Colour", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5805, "Cumulative active power", Operations::R, Some(DataType::Float)).units("Wh"),
        ResourceDefinition::new(5820, "Power factor", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5850, "On/Off", Operations::RW, Some(DataType::Boolean)).mandatory(),
        ResourceDefinition::new(5851, "Dimmer", Operations::RW, Some(DataType::Integer)).range(0.0, 100.0).units("/100"),
        ResourceDefinition::new(5852, "On time", Operations::RW, Some(DataType::Integer)).units("s"),
    ],
};

/// Accelerometer (`/3313`), version 1.1.
pub static ACCELEROMETER: ObjectDefinition = ObjectDefinition {
    id: 3313,
    name: "Accelerometer",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5702, "X Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5703, "Y Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5704, "Z Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Barometer (`/3315`), version 1.1.
pub static BAROMETER: ObjectDefinition = ObjectDefinition {
    id: 3315,
    name: "Barometer",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Voltage (`/3316`), version 1.1.
pub static VOLTAGE: ObjectDefinition = ObjectDefinition {
    id: 3316,
    name: "Voltage",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5821, "Current Calibration", Operations::RW, Some(DataType::Float)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Current (`/3317`), version 1.1.
pub static CURRENT: ObjectDefinition = ObjectDefinition {
    id: 3317,
    name: "Current",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5821, "Current Calibration", Operations::RW, Some(DataType::Float)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Pressure (`/3323`), version 1.1.
pub static PRESSURE: ObjectDefinition = ObjectDefinition {
    id: 3323,
    name: "Pressure",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5821, "Current Calibration", Operations::RW, Some(DataType::Float)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Power (`/3328`), version 1.1.
pub static POWER: ObjectDefinition = ObjectDefinition {
    id: 3328,
    name: "Power",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5601, "Min Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5602, "Max Measured Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5603, "Min Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5604, "Max Range Value", Operations::R, Some(DataType::Float)),
        ResourceDefinition::new(5605, "Reset Min and Max Measured Values", Operations::E, None),
        ResourceDefinition::new(5700, "Sensor Value", Operations::R, Some(DataType::Float)).mandatory(),
        ResourceDefinition::new(5701, "Sensor Units", Operations::R, Some(DataType::String)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5821, "Current Calibration", Operations::RW, Some(DataType::Float)),
        ResourceDefinition::new(6042, "Measurement Quality Indicator", Operations::R, Some(DataType::Integer)).range(0.0, 23.0),
        ResourceDefinition::new(6049, "Measurement Quality Level", Operations::R, Some(DataType::Integer)).range(0.0, 100.0),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Timer (`/3340`), version 1.0.
pub static TIMER: ObjectDefinition = ObjectDefinition {
    id: 3340,
    name: "Timer",
    version: ObjectVersion { major: 1, minor: 0 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5501, "Digital Input Counter", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(5521, "Delay Duration", Operations::RW, Some(DataType::Float)).mandatory().units("s"),
        ResourceDefinition::new(5523, "Trigger", Operations::E, None),
        ResourceDefinition::new(5525, "Minimum Off-time", Operations::RW, Some(DataType::Float)).units("s"),
        ResourceDefinition::new(5526, "Timer Mode", Operations::RW, Some(DataType::Integer)).range(0.0, 4.0),
        ResourceDefinition::new(5534, "Counter", Operations::RW, Some(DataType::Integer)),
        ResourceDefinition::new(5538, "Remaining Time", Operations::R, Some(DataType::Float)).units("s"),
        ResourceDefinition::new(5543, "Digital State", Operations::R, Some(DataType::Boolean)),
        ResourceDefinition::new(5544, "Cumulative Time", Operations::RW, Some(DataType::Float)).units("s"),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5850, "On/Off", Operations::RW, Some(DataType::Boolean)),
    ],
};

/// On/Off switch (`/3342`), version 1.1.
pub static ON_OFF_SWITCH: ObjectDefinition = ObjectDefinition {
    id: 3342,
    name: "On/Off switch",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5500, "Digital Input State", Operations::R, Some(DataType::Boolean)).mandatory(),
        ResourceDefinition::new(5501, "Digital Input Counter", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(5852, "On time", Operations::RW, Some(DataType::Integer)).units("s"),
        ResourceDefinition::new(5854, "Off Time", Operations::RW, Some(DataType::Integer)).units("s"),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Push button (`/3347`), version 1.1.
pub static PUSH_BUTTON: ObjectDefinition = ObjectDefinition {
    id: 3347,
    name: "Push button",
    version: ObjectVersion { major: 1, minor: 1 },
    multiple: true,
    mandatory: false,
    resources: &[
        ResourceDefinition::new(5500, "Digital Input State", Operations::R, Some(DataType::Boolean)).mandatory(),
        ResourceDefinition::new(5501, "Digital Input Counter", Operations::R, Some(DataType::Integer)),
        ResourceDefinition::new(5518, "Timestamp", Operations::R, Some(DataType::Time)),
        ResourceDefinition::new(5750, "Application Type", Operations::RW, Some(DataType::String)),
        ResourceDefinition::new(6050, "Fractional Timestamp", Operations::R, Some(DataType::Float)).range(0.0, 1.0).units("s"),
    ],
};

/// Every definition of this module, in ascending order of ids.
pub static ALL: &[&ObjectDefinition] = &[
    &SECURITY,
    &SERVER,
    &ACCESS_CONTROL,
    &DEVICE,
    &CONNECTIVITY_MONITORING,
    &FIRMWARE_UPDATE,
    &LOCATION,
    &CONNECTIVITY_STATISTICS,
    &SOFTWARE_MANAGEMENT,
    &PORTFOLIO,
    &BINARY_APP_DATA_CONTAINER,
    &OSCORE,
    &VIRTUAL_OBSERVE_NOTIFY,
    &COSE,
    &MQTT_SERVER,
    &GATEWAY,
    &GATEWAY_ROUTING,
    &OBJECT_5GNR_CONNECTIVITY,
    &GENERIC_SENSOR,
    &ILLUMINANCE,
    &PRESENCE,
    &TEMPERATURE,
    &HUMIDITY,
    &POWER_MEASUREMENT,
    &LIGHT_CONTROL,
    &ACCELEROMETER,
    &BAROMETER,
    &VOLTAGE,
    &CURRENT,
    &PRESSURE,
    &POWER,
    &TIMER,
    &ON_OFF_SWITCH,
    &PUSH_BUTTON,
];
