/** Content formats by number (Core 1.2 Table 7.4.-1 and RFC 7252 §12.3), named as the API accepts them. */
export const FORMAT_NAMES: Record<number, string> = {
  0: "text",
  40: "link-format",
  42: "opaque",
  60: "cbor",
  110: "senml-json",
  112: "senml-cbor",
  320: "senml-etch-json",
  322: "senml-etch-cbor",
  11542: "tlv",
  11543: "json",
  11544: "lwm2m-cbor",
};

/** What a person may ask for on Read. */
export const READ_FORMATS = ["text", "opaque", "cbor", "senml-json", "senml-cbor", "tlv", "json", "lwm2m-cbor"];
