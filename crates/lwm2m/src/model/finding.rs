use core::fmt;

/// A place in a file, both numbers from 1. Columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl Position {
    /// The first character.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Which rule a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The file is too large, not UTF-8, not XML, or brings a DTD.
    WellFormed,
    /// The schema that the file names (LWM2M.xsd, LWM2M-v1_1.xsd).
    Schema,
    /// A check of the OMA editor, by its number: 412 is the type of a resource.
    Check(u16),
    /// What makes no sense although nobody checks it: two resources with one id.
    Sense,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WellFormed => f.write_str("xml"),
            Self::Schema => f.write_str("schema"),
            Self::Check(number) => write!(f, "{number:03}"),
            Self::Sense => f.write_str("sense"),
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A matter of form: layout, notation, wording. Readers manage.
    Warning,
    /// The schema, or what other parties rely on, is violated.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl Rule {
    /// How bad it is to break this rule.
    pub const fn severity(self) -> Severity {
        match self {
            // Files nobody lists, line ends, notation of ranges, typographic quotes, texts that
            // differ, versions left out that have a default.
            Self::Check(50 | 201 | 202 | 406..=408 | 416..=418 | 420) => Severity::Warning,
            Self::Check(465 | 541 | 551 | 570 | 601..=605 | 700..=705 | 800) => Severity::Warning,
            Self::WellFormed | Self::Schema | Self::Check(_) | Self::Sense => Severity::Error,
        }
    }
}

/// Something in a file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule it breaks.
    pub rule: Rule,
    /// Where.
    pub position: Position,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether the definition cannot be used; such a file does not load even leniently.
    pub fatal: bool,
}

impl Finding {
    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        if self.fatal {
            Severity::Error
        } else {
            self.rule.severity()
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.position, self.message, self.rule)
    }
}
