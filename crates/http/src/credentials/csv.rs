//! Records of a bulk import, as they come: CSV (RFC 4180) or one JSON object a line.

use super::dto::{NewDto, NewPskDto, NewRpkDto, NewX509Dto};

/// Bytes of a record at most: a certificate in PEM fits.
const MAX_RECORD: usize = 16 * 1024;

/// A record with the number of its first line.
pub(super) type Record = (u64, Result<NewDto, String>);

/// Takes a file apart, in pieces of any size.
#[derive(Debug)]
pub(super) struct Reader {
    /// What is there of the record that is being read.
    record: Vec<u8>,
    /// Its line, counted from 1.
    line: u64,
    /// Ends of lines inside of it, between quotes.
    lines: u64,
    quoted: bool,
    too_long: bool,
    format: Option<Format>,
}

#[derive(Clone, Debug, PartialEq)]
enum Format {
    Json,
    Csv(Vec<Column>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    Endpoint,
    Identity,
    IdentityHex,
    Key,
    PublicKey,
    Certificate,
}

impl Column {
    const ALL: [(&'static str, Self); 6] = [
        ("endpoint", Self::Endpoint),
        ("identity", Self::Identity),
        ("identityHex", Self::IdentityHex),
        ("key", Self::Key),
        ("publicKey", Self::PublicKey),
        ("certificate", Self::Certificate),
    ];

    fn of(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        found.map(|(_, column)| column)
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            record: Vec::new(),
            line: 1,
            lines: 0,
            quoted: false,
            too_long: false,
            format: None,
        }
    }
}

impl Reader {
    /// Takes a piece of the file; the records that are whole now go to `found`.
    pub(super) fn push(&mut self, piece: &[u8], found: &mut Vec<Record>) {
        for &byte in piece {
            // Only CSV has records of several lines.
            if byte == b'"' && !matches!(self.format, Some(Format::Json)) && !self.looks_like_json()
            {
                self.quoted = !self.quoted;
            }
            if byte == b'\n' && !self.quoted {
                self.end_record(found);
                continue;
            }
            if byte == b'\n' {
                self.lines += 1;
            }
            if self.record.len() < MAX_RECORD {
                self.record.push(byte);
            } else {
                // A quote that is never closed shall not swallow the rest of the file.
                self.too_long = true;
                self.quoted = false;
            }
        }
    }

    /// The file ends.
    pub(super) fn finish(&mut self, found: &mut Vec<Record>) {
        if !self.record.is_empty() {
            self.end_record(found);
        }
    }

    fn looks_like_json(&self) -> bool {
        self.format.is_none() && self.record.trim_ascii_start().first() == Some(&b'{')
    }

    fn end_record(&mut self, found: &mut Vec<Record>) {
        let bytes = zeroize::Zeroizing::new(core::mem::take(&mut self.record));
        let line = self.line;
        self.line += 1 + core::mem::take(&mut self.lines);
        self.quoted = false;
        if core::mem::take(&mut self.too_long) {
            found.push((line, Err(format!("longer than {MAX_RECORD} bytes"))));
            return;
        }
        let Ok(text) = core::str::from_utf8(&bytes) else {
            found.push((line, Err("not UTF-8".to_owned())));
            return;
        };
        // Spreadsheets put a byte order mark before the first line.
        let text = text.trim_start_matches('\u{FEFF}').trim_end_matches('\r');
        if text.trim().is_empty() || text.starts_with('#') {
            return;
        }
        if self.format.is_none() {
            self.format = Some(if text.trim_start().starts_with('{') {
                Format::Json
            } else {
                match header(text) {
                    // It is no record.
                    Some(Ok(columns)) => {
                        self.format = Some(Format::Csv(columns));
                        return;
                    }
                    Some(Err(error)) => {
                        found.push((line, Err(error)));
                        self.format = Some(Format::Csv(Vec::new()));
                        return;
                    }
                    None => Format::Csv(vec![Column::Endpoint, Column::Identity, Column::Key]),
                }
            });
        }
        match &self.format {
            Some(Format::Json) => {
                let record = serde_json::from_str(text).map_err(|error| error.to_string());
                found.push((line, record));
            }
            // The header was not understood, which is told already.
            Some(Format::Csv(columns)) if columns.is_empty() => {}
            Some(Format::Csv(columns)) => found.push((line, record(columns, text))),
            None => {}
        }
    }
}

/// The columns that a first line names, if it names any.
fn header(text: &str) -> Option<Result<Vec<Column>, String>> {
    let names = cells(text).ok()?;
    if !names
        .iter()
        .any(|name| Column::of(name) == Some(Column::Endpoint))
    {
        return None;
    }
    let columns = names.iter().map(|name| {
        Column::of(name).ok_or_else(|| {
            let known: Vec<&str> = Column::ALL.iter().map(|(known, _)| *known).collect();
            format!(
                "there is no column {name:?}; there are {}",
                known.join(", ")
            )
        })
    });
    Some(columns.collect())
}

/// The cells of a record.
fn cells(text: &str) -> Result<Vec<String>, String> {
    let mut cells = vec![String::new()];
    let mut characters = text.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let Some(cell) = cells.last_mut() else {
            break;
        };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    match quoted {
        true => Err("a quotation mark is not closed".to_owned()),
        false => Ok(cells),
    }
}

fn record(columns: &[Column], text: &str) -> Result<NewDto, String> {
    let cells = cells(text)?;
    if cells.len() > columns.len() {
        let (found, wanted) = (cells.len(), columns.len());
        return Err(format!("{found} cells for {wanted} columns"));
    }
    let mut new = NewDto {
        endpoint: None,
        psk: None,
        rpk: None,
        x509: None,
    };
    for (column, cell) in columns.iter().zip(cells) {
        let cell = match column {
            // Blanks may belong to them.
            Column::Endpoint | Column::Identity => cell,
            _ => cell.trim().to_owned(),
        };
        if cell.is_empty() {
            continue;
        }
        let psk = || NewPskDto::default();
        match column {
            Column::Endpoint => new.endpoint = Some(cell),
            Column::Identity => new.psk.get_or_insert_with(psk).identity = Some(cell),
            Column::IdentityHex => new.psk.get_or_insert_with(psk).identity_hex = Some(cell),
            Column::Key => new.psk.get_or_insert_with(psk).key = Some(cell),
            Column::PublicKey => new.rpk = Some(NewRpkDto { public_key: cell }),
            Column::Certificate => new.x509 = Some(NewX509Dto { certificate: cell }),
        }
    }
    // An endpoint alone asks for a PSK that the server draws.
    if new.psk.is_none() && new.rpk.is_none() && new.x509.is_none() {
        new.psk = Some(NewPskDto::default());
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of a file that comes in pieces of so many bytes.
    fn read(file: &str, piece: usize) -> Vec<(u64, String)> {
        let mut reader = Reader::default();
        let mut found = Vec::new();
        for piece in file.as_bytes().chunks(piece) {
            reader.push(piece, &mut found);
        }
        reader.finish(&mut found);
        let shown = |record: Result<NewDto, String>| match record {
            Ok(new) => {
                let psk = new.psk.as_ref();
                let parts = [
                    new.endpoint.as_deref(),
                    psk.and_then(|psk| psk.identity.as_deref()),
                    psk.and_then(|psk| psk.key.as_deref()),
                    new.rpk.as_ref().map(|rpk| rpk.public_key.as_str()),
                ];
                parts.map(|part| part.unwrap_or("-")).join("|")
            }
            Err(error) => format!("! {error}"),
        };
        let found = found.into_iter();
        found.map(|(line, record)| (line, shown(record))).collect()
    }

    fn check(file: &str, records: &[(u64, &str)]) {
        for piece in [1, 3, 10_000] {
            let found = read(file, piece);
            let found: Vec<(u64, &str)> = found
                .iter()
                .map(|(line, text)| (*line, text.as_str()))
                .collect();
            assert_eq!(found, records, "in pieces of {piece}");
        }
    }

    #[test]
    fn csv_without_a_header_is_endpoint_identity_key() {
        check(
            "dev-1,id-1,00ff\r\n\r\n# a remark\ndev-2, id-2 ,\ndev-3\na,b,c,d",
            &[
                (1, "dev-1|id-1|00ff|-"),
                (4, "dev-2| id-2 |-|-"),
                (5, "dev-3|-|-|-"),
                (6, "! 4 cells for 3 columns"),
            ],
        );
    }

    #[test]
    fn a_header_names_the_columns_in_any_order() {
        check(
            "\u{FEFF}publicKey,Endpoint\n\"-----BEGIN\nAQID\n-----END\",dev-1\n,\"a,\"\"b\"\"\"\n\"x,y\n",
            &[
                (2, "dev-1|-|-|-----BEGIN\nAQID\n-----END"),
                (5, "a,\"b\"|-|-|-"),
                (6, "! a quotation mark is not closed"),
            ],
        );
        check(
            "endpoint,password\na,b\n",
            &[(
                1,
                "! there is no column \"password\"; there are endpoint, identity, identityHex, key, \
                 publicKey, certificate",
            )],
        );
    }

    #[test]
    fn json_comes_one_object_a_line() {
        check(
            "{\"endpoint\":\"a\",\"psk\":{\"key\":\"00\"}}\n{\"endpoint\":\"\\\"\",\"rpk\":{\"publicKey\":\"01\"}}\n\
             {\"endpoint\": 1}\nx\n",
            &[
                (1, "a|-|00|-"),
                (2, "\"|-|-|01"),
                (
                    3,
                    "! invalid type: integer `1`, expected a string at line 1 column 14",
                ),
                (4, "! expected value at line 1 column 1"),
            ],
        );
    }

    #[test]
    fn a_record_without_end_does_not_take_the_rest_with_it() {
        let file = format!("a,b,\"{}\nb,c,00\n", "x".repeat(MAX_RECORD));
        check(&file, &[(1, "! longer than 16384 bytes"), (2, "b|c|00|-")]);
    }
}
