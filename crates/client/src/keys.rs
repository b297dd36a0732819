//! How much memory the keys of an account take: none where there is no security.

use core::fmt;
use core::marker::PhantomData;

use dunlin_lwm2m::{DataType, Value};
use heapless::{String, Vec};
use zeroize::Zeroize;

use crate::object::{Field, FieldError, FieldType};

/// Bytes that a Security object holds: an identity, a key, a certificate.
pub trait Bytes: FieldType + AsRef<[u8]> + Clone + fmt::Debug + Default {}

impl<T: FieldType + AsRef<[u8]> + Clone + fmt::Debug + Default> Bytes for T {}

/// Text that a Security object holds.
pub trait Text: FieldType + AsRef<str> + Clone + fmt::Debug + Default {}

impl<T: FieldType + AsRef<str> + Clone + fmt::Debug + Default> Text for T {}

/// What the Security object of each account can hold.
///
/// | | For | Bytes of a [`Security`](crate::objects::Security) |
/// |---|---|---|
/// | `()` | NoSec: a server URI of 64 bytes, no keys, none of the rarely used resources | the least |
/// | [`FixedKeys`] | whatever its parameters are large enough for, with every resource | about 700 more than its keys |
pub trait Keys: Clone + fmt::Debug + Default + 'static {
    /// `/0/x/0`, and the URIs of `/0/x/25`.
    type Uri: Text;
    /// `/0/x/3`: the PSK identity, public key or certificate of the device.
    type Identity: Bytes;
    /// `/0/x/4`: the public key or a certificate of the server, or a hash of it.
    type ServerKey: Bytes;
    /// `/0/x/5`: the pre-shared or private key.
    type SecretKey: Bytes;
    /// A resource of rare use: itself, or [`Nothing`].
    type Also<T: FieldType + Clone + fmt::Debug + Default>: FieldType + Clone + fmt::Debug + Default;
}

/// No keys: accounts without security (NoSec).
impl Keys for () {
    type Uri = String<64>;
    type Identity = NoBytes;
    type ServerKey = NoBytes;
    type SecretKey = NoBytes;
    type Also<T: FieldType + Clone + fmt::Debug + Default> = Nothing<T>;
}

/// Room for keys of these sizes in bytes, in each account, and for every resource of the Security
/// object.
///
/// Typical sizes: a PSK identity 128 and a key 64 (what Transport 1.2 §5.2.8 asks for); a public
/// key on P-256 91, its private key 140 with the public key in it; certificates 400 to 1000; a
/// SHA-256 of the server's certificate 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedKeys<
    const IDENTITY: usize = 1024,
    const SERVER_KEY: usize = 1024,
    const SECRET_KEY: usize = 160,
>;

impl<const IDENTITY: usize, const SERVER_KEY: usize, const SECRET_KEY: usize> Keys
    for FixedKeys<IDENTITY, SERVER_KEY, SECRET_KEY>
{
    type Uri = String<128>;
    type Identity = Vec<u8, IDENTITY>;
    type ServerKey = Vec<u8, SERVER_KEY>;
    type SecretKey = Secret<SECRET_KEY>;
    type Also<T: FieldType + Clone + fmt::Debug + Default> = T;
}

/// A mandatory resource that is always empty, as the keys are with NoSec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoBytes;

impl AsRef<[u8]> for NoBytes {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Field for NoBytes {
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
        (position == 0).then_some((0, Value::Opaque(&[])))
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        match value {
            _ if instance != 0 => Err(FieldError::NotFound),
            Value::Opaque([]) => Ok(()),
            Value::Opaque(_) => Err(FieldError::TooLarge),
            _ => Err(FieldError::Type),
        }
    }

    fn clear(&mut self) {}
}

impl FieldType for NoBytes {
    const TYPES: &'static [DataType] = &[DataType::Opaque];
}

/// In the place of a resource `T` that the device has no memory for. It is never there, and a
/// value is refused rather than forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nothing<T>(PhantomData<fn() -> T>);

impl<T> Default for Nothing<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: FieldType> Field for Nothing<T> {
    fn get(&self, _position: usize) -> Option<(u16, Value<'_>)> {
        None
    }

    fn set(&mut self, _instance: u16, _value: Value<'_>) -> Result<(), FieldError> {
        Err(FieldError::TooLarge)
    }

    fn clear(&mut self) {}
}

impl<T: FieldType> FieldType for Nothing<T> {
    const TYPES: &'static [DataType] = T::TYPES;
    const MULTIPLE: bool = T::MULTIPLE;
    const OPTIONAL: bool = T::OPTIONAL;
}

/// A key: written, never read. It is wiped when it goes, and no text shows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<const N: usize>(Vec<u8, N>);

impl<const N: usize> AsRef<[u8]> for Secret<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl<const N: usize> Field for Secret<N> {
    /// Nothing: whoever asks for the value, a server or a person, does not get it.
    fn get(&self, _position: usize) -> Option<(u16, Value<'_>)> {
        None
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        if instance != 0 {
            return Err(FieldError::NotFound);
        }
        let Value::Opaque(bytes) = value else {
            return Err(FieldError::Type);
        };
        if bytes.len() > N {
            return Err(FieldError::TooLarge);
        }
        self.0.as_mut_slice().zeroize();
        self.0.clear();
        self.0
            .extend_from_slice(bytes)
            .map_err(|_| FieldError::TooLarge)
    }

    fn clear(&mut self) {}

    fn is_present(&self) -> bool {
        true
    }
}

impl<const N: usize> FieldType for Secret<N> {
    const TYPES: &'static [DataType] = &[DataType::Opaque];
}
