//! Network devices, through rtnetlink.

pub(crate) mod link;

mod netlink;
