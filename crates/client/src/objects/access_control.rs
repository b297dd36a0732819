use dunlin_coap::Code;
use dunlin_lwm2m::MAX_ID;
use dunlin_lwm2m::definition::objects::ACCESS_CONTROL;

use crate::object;
use crate::object::Multiple;

/// Object 2, Access Control: which server may do what with one object instance (Core 1.2 §8).
///
/// A device with more than one server holds its instances as `Instances<AccessControl, N>`, not
/// [`fixed`](crate::Instances::fixed): the client adds one for each instance that a server
/// creates, and takes it away with that instance. Without any instance, every server may do
/// everything.
///
/// ```
/// use dunlin_client::Instances;
/// use dunlin_client::objects::AccessControl;
///
/// let access: Instances<AccessControl, 8> = Instances::new()
///     // Server 1 owns the Device object, everybody may read it.
///     .with(0, AccessControl::new(3, 0, 1).acl(0, AccessControl::READ))
///     // Server 2 may create instances of object 3303.
///     .with(1, AccessControl::creators(3303).acl(2, AccessControl::CREATE));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessControl {
    /// The object concerned.
    pub object_id: u16,
    /// The instance concerned; 65535 stands for the object, and then the list says who may create
    /// instances.
    pub object_instance_id: u16,
    /// Rights by Short Server ID; those of 0 are for everybody who is not listed.
    pub acl: Multiple<u8, 8>,
    /// The Short Server ID of the owner; 65535 when only a bootstrap-server may change this.
    pub owner: u16,
}

impl AccessControl {
    /// Read, Observe, Write-Attributes.
    pub const READ: u8 = 1;
    /// Write.
    pub const WRITE: u8 = 1 << 1;
    /// Execute.
    pub const EXECUTE: u8 = 1 << 2;
    /// Delete.
    pub const DELETE: u8 = 1 << 3;
    /// Create; counts in the list of an object.
    pub const CREATE: u8 = 1 << 4;
    /// All rights on an instance.
    pub const ALL: u8 = 15;

    /// For an instance with its owner, and nobody listed: the owner has all rights.
    pub fn new(object_id: u16, object_instance_id: u16, owner: u16) -> Self {
        Self {
            object_id,
            object_instance_id,
            acl: Multiple::new(),
            owner,
        }
    }

    /// For an object: who may create instances.
    pub fn creators(object_id: u16) -> Self {
        Self::new(object_id, MAX_ID, MAX_ID)
    }

    /// The same with rights for one more server; 0 stands for all that are not listed. What does
    /// not fit is dropped: the list has 8 places.
    #[must_use]
    pub fn acl(mut self, server: u16, rights: u8) -> Self {
        let _full = self.acl.insert(server, rights);
        self
    }

    /// Reserved bits, and a list of rights for what is no server, are refused.
    fn check(&self) -> Result<(), Code> {
        let fits = |(server, rights): (u16, &u8)| server != MAX_ID && *rights < 32;
        if self.acl.iter().all(fits) {
            Ok(())
        } else {
            Err(Code::BAD_REQUEST)
        }
    }
}

object! {
    impl ACCESS_CONTROL for AccessControl {
        0 => read object_id;
        1 => read object_instance_id;
        2 => read_write acl;
        3 => read_write owner;
        written => |this, _resource| this.check();
    }
}
