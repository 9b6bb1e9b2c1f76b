//! How many connections each client has, so that one cannot take all that there are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections by client.
#[derive(Debug)]
pub(super) struct Clients {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that was let in; counted until dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    clients: Arc<Clients>,
    client: IpAddr,
}

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, since one machine has all of that.
#[must_use]
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 => v4,
    }
}

impl Clients {
    /// `most` connections each; 0 for any number.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = if most == 0 { usize::MAX } else { most };
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// Lets one more connection of a client in, or not.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let client = client_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Admitted {
            clients: Arc::clone(self),
            client,
        })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.clients.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_a_number_of_its_own() {
        let clients = Clients::new(2);
        let first = clients.admit(address("10.0.0.1")).unwrap();
        let second = clients.admit(address("::ffff:10.0.0.1")).unwrap();
        assert!(clients.admit(address("10.0.0.1")).is_none());
        let _other = clients.admit(address("10.0.0.2")).unwrap();
        drop(first);
        let third = clients.admit(address("10.0.0.1")).unwrap();
        drop((second, third));
        assert_eq!(clients.open.lock().unwrap().len(), 1, "who has left is forgotten");
    }

    #[test]
    fn a_network_of_one_machine_is_one_client() {
        let clients = Clients::new(1);
        let _first = clients.admit(address("2001:db8::1")).unwrap();
        assert!(clients.admit(address("2001:db8::2")).is_none());
        assert!(clients.admit(address("2001:db8:0:1::1")).is_some());
    }
}
