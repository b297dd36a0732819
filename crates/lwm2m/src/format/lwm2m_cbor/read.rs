//! LwM2M CBOR to records.

use super::walk::{Keys, Leaf, Walker};
use crate::definition::Types;
use crate::format::cbor_item::{Chunks, Item};
use crate::format::{FormatError, Scope};
use crate::{DataType, Level, MAX_ID, Path, Record};

/// How much is read again, in one payload, to find paths that stand twice. Paths in ascending order
/// cost nothing.
const DUPLICATE_BUDGET: usize = 1 << 16;

/// Where the keys of a payload start. One payload has one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// At the object, as since 1.2.1 in every payload.
    Absolute,
    /// Below the path of the request, as 1.2.0 allowed in Write and Create.
    Relative,
    /// The same, for a Create without an instance id: at the resource.
    Bare,
}

pub(in crate::format) struct Reader<'a> {
    payload: &'a [u8],
    scope: Scope<'a>,
    /// Whether a null is refused: it removes nothing in this format.
    needs_values: bool,
    types: &'a dyn Types,
    scratch: &'a mut [u8],
    /// `None` before the first record.
    walker: Option<Walker<'a>>,
    form: Form,
    /// The highest path so far.
    highest: Option<Path>,
    budget: usize,
    /// The last resource whose type was asked for.
    known: Option<((u16, u16), Option<DataType>)>,
}

impl<'a> Reader<'a> {
    pub(in crate::format) fn new(
        payload: &'a [u8],
        scope: Scope<'a>,
        needs_values: bool,
        types: &'a dyn Types,
        scratch: &'a mut [u8],
    ) -> Self {
        // Names of SenML have the prefix with its slash, keys without.
        let root = scope.root.trim_matches('/');
        Self {
            payload,
            scope: Scope { root, ..scope },
            needs_values,
            types,
            scratch,
            walker: None,
            form: Form::Absolute,
            highest: None,
            budget: DUPLICATE_BUDGET,
            known: None,
        }
    }

    pub(in crate::format) fn next_record(&mut self) -> Result<Option<Record<'_>>, FormatError> {
        let first = self.walker.is_none();
        let walker = match &mut self.walker {
            Some(walker) => walker,
            none => none.insert(Walker::new(self.payload, self.scope.root)?),
        };
        let Some(leaf) = walker.next()? else {
            let at = walker.cursor.at;
            return match walker.cursor.is_at_end() {
                true => Ok(None),
                false => Err(FormatError::Trailing { at }),
            };
        };
        if first {
            self.form = self.form(&leaf.keys);
        }
        let path = self.path(&leaf)?;
        self.check_duplicate(&path, leaf.at)?;
        let (at, data_type) = (leaf.value_at, self.data_type(&path));
        let value = match leaf.value {
            Some(item) => Some(item.typed(data_type, at, self.scratch)?),
            None if self.needs_values => return Err(FormatError::NoValue { at }),
            None => None,
        };
        Ok(Some(Record {
            path,
            time: None,
            value,
        }))
    }

    /// The form of a payload with these keys first; what fits as it stands is not relative.
    fn form(&self, keys: &Keys) -> Form {
        let target = self.scope.target;
        let count = keys.ids().len();
        if keys.prefixed || (count >= 3 && target.contains(&keys.path())) {
            return Form::Absolute;
        }
        match (target.level(), count) {
            (Level::Object, 1) => Form::Bare,
            (Level::Object, 2..=3) | (Level::ObjectInstance, 1..=2) | (Level::Resource, 1) => {
                Form::Relative
            }
            _ => Form::Absolute,
        }
    }

    /// The path of a value: a resource or a resource instance, at or below the target.
    #[inline]
    fn path(&self, leaf: &Leaf<'_>) -> Result<Path, FormatError> {
        let name = FormatError::Name { at: leaf.at };
        let target = self.scope.target;
        let base = match (self.form, target.object_id()) {
            (Form::Bare, Some(object)) => Path::instance(object, MAX_ID),
            (Form::Relative, _) => target,
            _ => Path::ROOT,
        };
        let path = match base.level() {
            Level::Root => leaf.keys.path(),
            _ => {
                let mut ids = leaf.keys.ids().iter();
                ids.try_fold(base, |path, id| path.child(*id)).ok_or(name)?
            }
        };
        if path.level() < Level::Resource {
            return Err(name);
        }
        if !target.contains(&path) {
            return Err(FormatError::OutOfScope { at: leaf.at });
        }
        // The device chooses the id of an instance that is created (Core 1.2.1 §6.3.6).
        let chooses = target.level() == Level::Object;
        let reserved = |(at, id): (usize, &u16)| *id == MAX_ID && !(at == 1 && chooses);
        if path.ids().contains(&MAX_ID) && path.ids().iter().enumerate().any(reserved) {
            return Err(name);
        }
        Ok(path)
    }

    /// A path must not stand twice, nor a resource both as a value and with instances. Keys can be
    /// grouped in any way, so that only reading again can tell.
    fn check_duplicate(&mut self, path: &Path, at: usize) -> Result<(), FormatError> {
        let Some(highest) = self.highest.replace(*path) else {
            return Ok(());
        };
        if highest.contains(path) {
            return Err(FormatError::Duplicate { at });
        }
        if highest < *path {
            return Ok(());
        }
        self.highest = Some(highest);
        let mut walker = Walker::new(self.payload, self.scope.root)?;
        while let Some(earlier) = walker.next()? {
            if earlier.at >= at {
                break;
            }
            // What is in one piece is stepped over at once, however long it is.
            let steps = match earlier.value {
                Some(Item::Text(Chunks::Whole(_)) | Item::Bytes(Chunks::Whole(_))) => 1,
                _ => 1 + (walker.cursor.at - earlier.value_at) / 16,
            };
            self.budget = self.budget.checked_sub(steps).ok_or(FormatError::Syntax {
                at,
                expected: "paths in ascending order",
            })?;
            let other = self.path(&earlier)?;
            if other.contains(path) || path.contains(&other) {
                return Err(FormatError::Duplicate { at });
            }
        }
        Ok(())
    }

    fn data_type(&mut self, path: &Path) -> Option<DataType> {
        let resource = path.object_id().zip(path.resource_id())?;
        match self.known {
            Some((known, data_type)) if known == resource => data_type,
            _ => {
                let (object, id) = resource;
                let data_type = self
                    .types
                    .resource_type(object, id)
                    .and_then(|resource| resource.data_type);
                self.known = Some((resource, data_type));
                data_type
            }
        }
    }
}
