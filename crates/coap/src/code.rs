//! Message codes (RFC 7252 §12.1, RFC 7959, RFC 8132, RFC 8323, RFC 8768).

use core::fmt;

/// A message code `c.dd`: three bits of class, five bits of detail.
///
/// ```
/// use dunlin_coap::Code;
/// assert_eq!(Code::CONTENT.to_string(), "2.05");
/// assert_eq!(Code::new(4, 15), Code::UNSUPPORTED_CONTENT_FORMAT);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u8);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $class:literal . $detail:literal, $text:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self::new($class, $detail);)*

            /// The name the standard gives this code, or "Unknown".
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    _ => "Unknown",
                }
            }
        }
    };
}

codes! {
    /// 0.00
    EMPTY = 0 . 0, "Empty";
    /// 0.01
    GET = 0 . 1, "GET";
    /// 0.02
    POST = 0 . 2, "POST";
    /// 0.03
    PUT = 0 . 3, "PUT";
    /// 0.04
    DELETE = 0 . 4, "DELETE";
    /// 0.05 (RFC 8132)
    FETCH = 0 . 5, "FETCH";
    /// 0.06 (RFC 8132)
    PATCH = 0 . 6, "PATCH";
    /// 0.07 (RFC 8132)
    IPATCH = 0 . 7, "iPATCH";
    /// 2.01
    CREATED = 2 . 1, "Created";
    /// 2.02
    DELETED = 2 . 2, "Deleted";
    /// 2.03
    VALID = 2 . 3, "Valid";
    /// 2.04
    CHANGED = 2 . 4, "Changed";
    /// 2.05
    CONTENT = 2 . 5, "Content";
    /// 2.31 (RFC 7959)
    CONTINUE = 2 . 31, "Continue";
    /// 4.00
    BAD_REQUEST = 4 . 0, "Bad Request";
    /// 4.01
    UNAUTHORIZED = 4 . 1, "Unauthorized";
    /// 4.02
    BAD_OPTION = 4 . 2, "Bad Option";
    /// 4.03
    FORBIDDEN = 4 . 3, "Forbidden";
    /// 4.04
    NOT_FOUND = 4 . 4, "Not Found";
    /// 4.05
    METHOD_NOT_ALLOWED = 4 . 5, "Method Not Allowed";
    /// 4.06
    NOT_ACCEPTABLE = 4 . 6, "Not Acceptable";
    /// 4.08 (RFC 7959)
    REQUEST_ENTITY_INCOMPLETE = 4 . 8, "Request Entity Incomplete";
    /// 4.09 (RFC 8132)
    CONFLICT = 4 . 9, "Conflict";
    /// 4.12
    PRECONDITION_FAILED = 4 . 12, "Precondition Failed";
    /// 4.13
    REQUEST_ENTITY_TOO_LARGE = 4 . 13, "Request Entity Too Large";
    /// 4.15
    UNSUPPORTED_CONTENT_FORMAT = 4 . 15, "Unsupported Content-Format";
    /// 4.22 (RFC 8132)
    UNPROCESSABLE_ENTITY = 4 . 22, "Unprocessable Entity";
    /// 4.29 (RFC 8516)
    TOO_MANY_REQUESTS = 4 . 29, "Too Many Requests";
    /// 5.00
    INTERNAL_SERVER_ERROR = 5 . 0, "Internal Server Error";
    /// 5.01
    NOT_IMPLEMENTED = 5 . 1, "Not Implemented";
    /// 5.02
    BAD_GATEWAY = 5 . 2, "Bad Gateway";
    /// 5.03
    SERVICE_UNAVAILABLE = 5 . 3, "Service Unavailable";
    /// 5.04
    GATEWAY_TIMEOUT = 5 . 4, "Gateway Timeout";
    /// 5.05
    PROXYING_NOT_SUPPORTED = 5 . 5, "Proxying Not Supported";
    /// 5.08 (RFC 8768)
    HOP_LIMIT_REACHED = 5 . 8, "Hop Limit Reached";
}

impl Code {
    /// The code `class.detail`; only the low 3 and 5 bits are used.
    pub const fn new(class: u8, detail: u8) -> Self {
        Self((class & 0x07) << 5 | (detail & 0x1F))
    }

    /// 0 request or Empty, 2 success, 4 client error, 5 server error, 7 signalling.
    pub const fn class(self) -> u8 {
        self.0 >> 5
    }

    /// The two digits behind the dot.
    pub const fn detail(self) -> u8 {
        self.0 & 0x1F
    }

    /// Whether this is a request method (0.01 to 0.31), known or not.
    pub const fn is_request(self) -> bool {
        self.class() == 0 && self.0 != 0
    }

    /// Whether this is a response (class 2, 4 or 5), known or not.
    pub const fn is_response(self) -> bool {
        matches!(self.class(), 2 | 4 | 5)
    }

    /// Whether this is a success response (class 2).
    pub const fn is_success(self) -> bool {
        self.class() == 2
    }

    /// Whether doing a request twice has the effect of doing it once: GET, PUT, DELETE (RFC 7252
    /// §5.1), FETCH and iPATCH (RFC 8132 §2, §3).
    pub const fn is_idempotent(self) -> bool {
        matches!(
            self,
            Self::GET | Self::PUT | Self::DELETE | Self::FETCH | Self::IPATCH
        )
    }

    /// Classes 1, 3, 6, and 7 (which has a meaning only over TCP), are reserved (RFC 7252 §3).
    pub const fn is_reserved(self) -> bool {
        matches!(self.class(), 1 | 3 | 6 | 7)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.class(), self.detail())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} {}", self.class(), self.detail(), self.name())
    }
}
