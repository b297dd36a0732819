//! Stands in for the definitions of the core, until those are there.
use dunlin_lwm2m::definition::{ObjectDefinition, Operations, Range, ResourceDefinition};
use dunlin_lwm2m::{DataType, ObjectVersion};

macro_rules! ty {
    (S) => {
        Some(DataType::String)
    };
    (I) => {
        Some(DataType::Integer)
    };
    (U) => {
        Some(DataType::Unsigned)
    };
    (F) => {
        Some(DataType::Float)
    };
    (B) => {
        Some(DataType::Boolean)
    };
    (O) => {
        Some(DataType::Opaque)
    };
    (T) => {
        Some(DataType::Time)
    };
    (L) => {
        Some(DataType::ObjectLink)
    };
    (N) => {
        None
    };
}
macro_rules! ops {
    (X) => {
        Operations::None
    };
    (R) => {
        Operations::R
    };
    (W) => {
        Operations::W
    };
    (RW) => {
        Operations::RW
    };
    (E) => {
        Operations::E
    };
}
macro_rules! mul {
    (S) => {
        false
    };
    (M) => {
        true
    };
}
macro_rules! man {
    (O) => {
        false
    };
    (M) => {
        true
    };
}
macro_rules! def {
    ($name:ident $id:literal $text:literal $maj:literal . $min:literal $mult:ident $mand:ident; $($rid:literal $rn:literal $op:ident $i:ident $m:ident $t:ident $([$lo:literal $hi:literal])?;)*) => {
        pub(crate) static $name: ObjectDefinition = ObjectDefinition { id: $id, name: $text, version: ObjectVersion{major:$maj,minor:$min}, multiple: mul!($mult), mandatory: man!($mand), resources: &[
            $(ResourceDefinition{id:$rid,name:$rn,operations:ops!($op),multiple:mul!($i),mandatory:man!($m),data_type:ty!($t),range:{ #[allow(unused_mut,unused_assignments)] { let mut r: Option<Range>=None; $(r=Some(Range{min:$lo,max:$hi});)? r } },units:""},)*
        ]};
    };
}
def!(SECURITY 0 "LwM2M Security" 1 . 2 M M; 0 "u" X S M S; 1 "b" X S M B; 2 "m" X S M I; 3 "k" X S M O; 4 "k" X S M O; 5 "k" X S M O; 10 "s" X S O I;);
def!(SERVER 1 "LwM2M Server" 1 . 2 M M; 0 "" R S M I; 1 "" RW S M I; 2 "" RW S O I; 3 "" RW S O I; 4 "" E S O N; 5 "" RW S O I; 6 "" RW S M B; 7 "" RW S M S; 8 "" E S M N; 17 "" RW S O U; 18 "" RW S O U; 19 "" RW S O U; 20 "" RW S O U;);
def!(DEVICE 3 "Device" 1 . 2 S M; 0 "" R S O S; 1 "" R S O S; 2 "" R S O S; 3 "" R S O S; 4 "" E S M N; 5 "" E S O N; 6 "" R M O I [0.0 7.0]; 7 "" R M O I; 8 "" R M O I; 9 "" R S O I [0.0 100.0]; 10 "" R S O I; 11 "" R M M I; 12 "" E S O N; 13 "" RW S O T; 14 "" RW S O S; 15 "" RW S O S; 16 "" R S M S; 17 "" R S O S; 18 "" R S O S; 19 "" R S O S; 20 "" R S O I; 21 "" R S O I;);
def!(CONNECTIVITY_MONITORING 4 "" 1 . 3 S O; 0 "" R S M I; 1 "" R M M I; 2 "" R S M I; 3 "" R S O I; 4 "" R M M S; 5 "" R M O S; 6 "" R S O I;);
def!(FIRMWARE_UPDATE 5 "" 1 . 0 S O; 0 "" W S M O; 1 "" RW S M S [0.0 255.0]; 2 "" E S M N; 3 "" R S M I; 5 "" R S M I; 6 "" R S O S; 7 "" R S O S; 8 "" R M O I; 9 "" R S M I;);
def!(LOCATION 6 "" 1 . 0 S O; 0 "" R S M F; 1 "" R S M F; 2 "" R S O F; 3 "" R S O F; 4 "" R S O O; 5 "" R S M T; 6 "" R S O F;);
def!(CONNECTIVITY_STATISTICS 7 "" 1 . 0 S O; 2 "" R S O I; 3 "" R S O I; 4 "" R S O I; 5 "" R S O I; 6 "" E S M N; 7 "" E S M N; 8 "" RW S O I;);
def!(TEMPERATURE 3303 "Temperature" 1 . 1 M O; 5601 "" R S O F; 5602 "" R S O F; 5603 "" R S O F; 5604 "" R S O F; 5605 "" E S O N; 5700 "" R S M F; 5701 "" R S O S;);
def!(HUMIDITY 3304 "Humidity" 1 . 1 M O; 5601 "" R S O F; 5602 "" R S O F; 5603 "" R S O F; 5604 "" R S O F; 5605 "" E S O N; 5700 "" R S M F; 5701 "" R S O S;);
def!(ACCELEROMETER 3313 "" 1 . 1 M O; 5701 "" R S O S; 5702 "" R S M F; 5703 "" R S O F; 5704 "" R S O F;);
def!(LIGHT_CONTROL 3311 "" 1 . 0 M O; 5706 "" RW S O S; 5850 "" RW S M B; 5851 "" RW S O I [0.0 100.0]; 5852 "" RW S O I;);
