#![allow(clippy::unwrap_used)]
//! Tests.
use super::*;
#[test] fn smoke() { let t = Table::from_bytes("t.csv", b"a,b\n1,2\n", &Options::default()).unwrap(); assert_eq!(t.rows(), 1); }
