/** A few object definitions, enough to develop the console against. */

const r = (id, name, operations, type, more = {}) => ({
  id, name, operations, type, multiple: false, mandatory: false, range: "", units: "", description: "", ...more,
});
const many = { multiple: true };
const must = { mandatory: true };

const sensor = (id, name, units, description) => ({
  id, name, description, version: "1.1", multiple: true, mandatory: false,
  resources: [
    r(5700, "Sensor Value", "R", "Float", { ...must, units, description: "Last or current measured value." }),
    r(5601, "Min Measured Value", "R", "Float", { units, description: "The lowest value since power on or reset." }),
    r(5602, "Max Measured Value", "R", "Float", { units, description: "The highest value since power on or reset." }),
    r(5603, "Min Range Value", "R", "Float", { units }),
    r(5604, "Max Range Value", "R", "Float", { units }),
    r(5701, "Sensor Units", "R", "String"),
    r(5605, "Reset Min and Max Measured Values", "E", "", { description: "Sets both to the current value." }),
    r(5750, "Application Type", "RW", "String", { description: "What the sensor is for, in words." }),
    r(5518, "Timestamp", "R", "Time"),
  ],
});

export const MODELS = [
  {
    id: 1, version: "1.1", name: "LwM2M Server", multiple: true, mandatory: true,
    description: "How the device talks to one LwM2M server: lifetime, binding and notification defaults.",
    resources: [
      r(0, "Short Server ID", "R", "Integer", { ...must, range: "1..65534" }),
      r(1, "Lifetime", "RW", "Integer", { ...must, units: "s", description: "The lifetime of the registration." }),
      r(2, "Default Minimum Period", "RW", "Integer", { units: "s" }),
      r(3, "Default Maximum Period", "RW", "Integer", { units: "s" }),
      r(4, "Disable", "E", ""),
      r(5, "Disable Timeout", "RW", "Integer", { units: "s" }),
      r(6, "Notification Storing When Disabled or Offline", "RW", "Boolean", must),
      r(7, "Binding", "RW", "String", must),
      r(8, "Registration Update Trigger", "E", "", must),
    ],
  },
  {
    id: 3, version: "1.1", name: "Device", multiple: false, mandatory: true,
    description: "What the device is, how it is powered, and its clock.",
    resources: [
      r(0, "Manufacturer", "R", "String"),
      r(1, "Model Number", "R", "String"),
      r(2, "Serial Number", "R", "String"),
      r(3, "Firmware Version", "R", "String"),
      r(4, "Reboot", "E", "", { ...must, description: "Starts the device again." }),
      r(5, "Factory Reset", "E", ""),
      r(6, "Available Power Sources", "R", "Integer", { ...many, range: "0..7" }),
      r(7, "Power Source Voltage", "R", "Integer", { ...many, units: "mV" }),
      r(8, "Power Source Current", "R", "Integer", { ...many, units: "mA" }),
      r(9, "Battery Level", "R", "Integer", { units: "/100", range: "0..100" }),
      r(10, "Memory Free", "R", "Integer", { units: "KiB" }),
      r(11, "Error Code", "R", "Integer", { ...many, ...must }),
      r(12, "Reset Error Code", "E", ""),
      r(13, "Current Time", "RW", "Time"),
      r(14, "UTC Offset", "RW", "String"),
      r(15, "Timezone", "RW", "String"),
      r(16, "Supported Binding and Modes", "R", "String", must),
      r(17, "Device Type", "R", "String"),
      r(18, "Hardware Version", "R", "String"),
      r(19, "Software Version", "R", "String"),
    ],
  },
  {
    id: 4, version: "1.2", name: "Connectivity Monitoring", multiple: false, mandatory: false,
    description: "How well the device is connected.",
    resources: [
      r(0, "Network Bearer", "R", "Integer", { ...must, range: "0..50" }),
      r(1, "Available Network Bearer", "R", "Integer", { ...many, ...must }),
      r(2, "Radio Signal Strength", "R", "Integer", { ...must, units: "dBm" }),
      r(3, "Link Quality", "R", "Integer"),
      r(4, "IP Addresses", "R", "String", { ...many, ...must }),
      r(7, "APN", "R", "String", many),
    ],
  },
  {
    id: 5, version: "1.1", name: "Firmware Update", multiple: false, mandatory: false,
    description: "Replaces the firmware of the device.",
    resources: [
      r(0, "Package", "W", "Opaque", must),
      r(1, "Package URI", "RW", "String", { ...must, range: "0..255" }),
      r(2, "Update", "E", "", must),
      r(3, "State", "R", "Integer", { ...must, range: "0..3" }),
      r(5, "Update Result", "R", "Integer", { ...must, range: "0..11" }),
      r(6, "PkgName", "R", "String"),
      r(7, "PkgVersion", "R", "String"),
      r(9, "Firmware Update Delivery Method", "R", "Integer", { ...must, range: "0..2" }),
    ],
  },
  {
    id: 6, version: "1.0", name: "Location", multiple: false, mandatory: false,
    description: "Where the device is.",
    resources: [
      r(0, "Latitude", "R", "Float", { ...must, units: "lat" }),
      r(1, "Longitude", "R", "Float", { ...must, units: "lon" }),
      r(2, "Altitude", "R", "Float", { units: "m" }),
      r(3, "Radius", "R", "Float", { units: "m" }),
      r(4, "Velocity", "R", "Opaque"),
      r(5, "Timestamp", "R", "Time", must),
      r(6, "Speed", "R", "Float", { units: "m/s" }),
    ],
  },
  sensor(3303, "Temperature", "Cel", "A temperature sensor, with the lowest and highest value it measured."),
  sensor(3304, "Humidity", "%RH", "A relative humidity sensor."),
  {
    id: 3342, version: "1.1", name: "On/Off switch", multiple: true, mandatory: false, description: "A switch.",
    resources: [
      r(5500, "Digital Input State", "RW", "Boolean", must),
      r(5750, "Application Type", "RW", "String"),
      r(5527, "Text", "RW", "Opaque"),
      r(5911, "Bitmap Input", "RW", "Objlnk"),
    ],
  },
];
