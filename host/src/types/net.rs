//! Addresses of `std::net`, as text: databases that have a type for them read and write it.

use crate::{Decode, DecodeError, Encode, EncodeError, Encoded, Value};
use montrs_driver_abi::ValueRef;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, whose text may end with the length of a mask that leaves nothing open.
macro_rules! addresses {
    ($($type:ty, $what:literal;)*) => {
        $(impl Encode for $type {
            fn encode(&self) -> Result<Encoded<'_>, EncodeError> {
                Ok(Encoded::Owned(Value::Text(self.to_string())))
            }
        }

        impl Decode<'_> for $type {
            fn decode(value: ValueRef<'_>) -> Result<Self, DecodeError> {
                let text = <&str>::decode(value)?;
                let full_mask = if text.contains(':') { "/128" } else { "/32" };
                text.strip_suffix(full_mask).unwrap_or(text).parse().map_err(|_| {
                    let hint = if text.contains('/') { ", but a network: read it as String" } else { "" };
                    DecodeError::new(format!("{text:?} is not an {} address{hint}", $what))
                })
            }
        })*
    };
}

addresses! {
    IpAddr, "IP";
    Ipv4Addr, "IPv4";
    Ipv6Addr, "IPv6";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_read_where_it_leaves_nothing_open() {
        let read = |text| IpAddr::decode(ValueRef::OtherText(text));
        assert_eq!(read("10.0.0.1"), Ok(Ipv4Addr::new(10, 0, 0, 1).into()));
        assert_eq!(read("10.0.0.1/32"), Ok(Ipv4Addr::new(10, 0, 0, 1).into()));
        assert_eq!(read("::1/128"), Ok(Ipv6Addr::LOCALHOST.into()));
        for network in ["10.0.0.0/8", "::/32", "10.0.0.1/128"] {
            assert!(read(network).unwrap_err().to_string().contains("a network"), "{network}");
        }
        assert!(Ipv4Addr::decode(ValueRef::Text("::1")).unwrap_err().to_string().contains("IPv4"));
    }
}
