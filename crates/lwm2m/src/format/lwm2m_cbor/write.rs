//! Records to LwM2M CBOR.

use super::walk::Walker;
use crate::format::FormatError;
use crate::format::cbor_item::{ARRAY, Cursor, MAP, UNSIGNED, write_head, write_value};
use crate::format::output::Output;
use crate::{Level, Path, Record, Value};

/// The payload, and a map below each level down to the resource.
const MAX_OPEN: usize = 4;

/// Below the path of the request, each level has a map of its own. Composite answers have one map
/// for each object instance; a record that comes out of order then stands with all its ids.
#[derive(Debug)]
pub(in crate::format) struct Writer<'b> {
    output: Output<'b>,
    target: Path,
    /// The highest path so far.
    highest: Option<Path>,
    open: [Open; MAX_OPEN],
    depth: usize,
}

/// A map whose head has no count yet, because only in the end is it known.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// How many ids stand around it.
    level: usize,
    /// Where its head stands.
    at: usize,
    count: u64,
}

impl<'b> Writer<'b> {
    pub(in crate::format) fn new(output: Output<'b>, target: Path) -> Result<Self, FormatError> {
        const TOP: Open = Open {
            level: 0,
            at: 0,
            count: 0,
        };
        let mut writer = Self {
            output,
            target,
            highest: None,
            open: [TOP; MAX_OPEN],
            depth: 1,
        };
        write_head(&mut writer.output, MAP, 0)?;
        Ok(writer)
    }

    pub(in crate::format) fn record(&mut self, record: &Record<'_>) -> Result<(), FormatError> {
        let Some(value) = record.value else {
            return Ok(());
        };
        let path = record.path;
        if path.level() < Level::Resource || !self.target.contains(&path) {
            return Err(FormatError::Sequence);
        }
        if let Some(highest) = self.highest {
            if self.is_late(&path, &highest) {
                return self.late(&path, value);
            }
            if path <= highest || highest.contains(&path) {
                return Err(FormatError::Sequence);
            }
            let pairs = path.ids().iter().zip(highest.ids());
            let common = pairs.take_while(|(new, old)| new == old).count();
            while self.innermost().level > common {
                self.close()?;
            }
        }
        self.highest = Some(path);
        loop {
            let level = self.innermost().level;
            let next = match level {
                0 if self.target == Path::ROOT => Level::ObjectInstance as usize,
                0 => self.target.ids().len(),
                _ => level + 1,
            };
            if next >= path.ids().len() {
                self.key(path.ids().get(level..).unwrap_or(&[]))?;
                return write_value(&mut self.output, value);
            }
            self.key(path.ids().get(level..next).unwrap_or(&[]))?;
            self.open(next)?;
        }
    }

    /// Whether the map in which a record of a composite answer belongs is closed already.
    fn is_late(&self, path: &Path, highest: &Path) -> bool {
        let instance = |path: &Path| path.truncated(Level::ObjectInstance);
        self.target == Path::ROOT
            && (path <= highest || (self.depth == 1 && instance(path) == instance(highest)))
    }

    /// Writes a record with all its ids as one key, which no other key is equal to. What was
    /// written before is left out: two paths of a composite request may overlap.
    fn late(&mut self, path: &Path, value: Value<'_>) -> Result<(), FormatError> {
        while self.depth > 1 {
            self.close()?;
        }
        let mut cursor = Cursor::new(self.output.written());
        cursor.at = 1;
        let mut walker = Walker::inside(cursor, Some(self.innermost().count), "");
        while let Some(earlier) = walker.next()? {
            if earlier.keys.path() == *path {
                return Ok(());
            }
        }
        self.highest = self.highest.max(Some(*path));
        self.key(path.ids())?;
        write_value(&mut self.output, value)
    }

    fn innermost(&self) -> Open {
        self.open[self.depth - 1]
    }

    /// Begins a member of the innermost map.
    fn key(&mut self, ids: &[u16]) -> Result<(), FormatError> {
        self.open[self.depth - 1].count += 1;
        if ids.len() > 1 {
            write_head(&mut self.output, ARRAY, ids.len() as u64)?;
        }
        ids.iter()
            .try_for_each(|id| write_head(&mut self.output, UNSIGNED, (*id).into()))
    }

    fn open(&mut self, level: usize) -> Result<(), FormatError> {
        let at = self.output.len();
        write_head(&mut self.output, MAP, 0)?;
        *self.open.get_mut(self.depth).ok_or(FormatError::Sequence)? = Open {
            level,
            at,
            count: 0,
        };
        self.depth += 1;
        Ok(())
    }

    /// Closes the innermost map.
    fn close(&mut self) -> Result<(), FormatError> {
        let open = self.innermost();
        self.depth -= 1;
        let mut head = [0; 9];
        let mut output = Output::new(&mut head);
        write_head(&mut output, MAP, open.count)?;
        let length = output.len();
        self.output.set(open.at, head[0]);
        self.output.insert(open.at + 1, &head[1..length])
    }

    pub(in crate::format) fn finish(mut self) -> Result<usize, FormatError> {
        while self.depth > 0 {
            self.close()?;
        }
        Ok(self.output.len())
    }
}
